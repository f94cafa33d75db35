"""The live check of Google Business Profile."""

from urllib.parse import quote

from platforms.base import PublishContext, Published
from platforms.googlebusiness.connection import GoogleBusinessConnection, call
from platforms.googlebusiness.settings import GoogleBusinessSettings
from platforms.live import Assumption, LiveCheck, SamplePost, SampleResult, find_values


async def _remove(
    connection: GoogleBusinessConnection, _: PublishContext[GoogleBusinessSettings], published: Published
) -> None:
    await call(connection, "DELETE", f"/v4/{quote(published.platform_post_id)}")


def _states(seen: SampleResult) -> bool | None:
    reported = [value for exchange in seen.exchanges for value in find_values(exchange.body, "state")]
    return set(reported) <= {"PROCESSING", "LIVE", "RECURRING"} if reported else None


_STATES = Assumption("states", "A post that is taken is PROCESSING, then LIVE.", _states)

LIVE = LiveCheck(
    samples=(
        SamplePost("text", more_text=" · ünïcödé 🧪", assumptions=(_STATES,)),
        SamplePost("image", files=("plain.jpg",), assumptions=(_STATES,)),
    ),
    remove=_remove,
)
