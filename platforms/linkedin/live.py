"""The live check of LinkedIn."""

from platforms.base import PublishContext, Published
from platforms.http.wire import segment
from platforms.linkedin.access import LinkedInConnection, call
from platforms.linkedin.rules import LinkedInSettings
from platforms.live import Assumption, LiveCheck, SamplePost, SampleResult, find_answers, find_values

_SPECIAL = " · (a) [b] {c} <d> @e _f_ *g* ~h~ #test"


async def _remove(connection: LinkedInConnection, _: PublishContext[LinkedInSettings], published: Published) -> None:
    await call(connection, "DELETE", f"/rest/posts/{segment(published.platform_post_id)}")


def _is_page(connection: LinkedInConnection) -> bool:
    return connection.credentials.organization_urn is not None


def _keeps_escapes(seen: SampleResult) -> bool | None:
    reported = [
        value
        for exchange in find_answers(seen, "/rest/posts", method="GET")
        for value in find_values(exchange.body, "commentary")
    ]
    return all("\\(a\\)" in str(value) for value in reported) if reported else None


LIVE = LiveCheck(
    samples=(
        SamplePost(
            "text",
            more_text=_SPECIAL,
            repeats=True,
            assumptions=(
                Assumption("escapes", "A page's posts are read back with the escapes that were sent.", _keeps_escapes),
            ),
        ),
        SamplePost("image", files=("plain.jpg",)),
        SamplePost("video", files=("wide.mp4",)),
    ),
    remove=_remove,
    can_read=_is_page,
    by_hand=("Publish, delete, and publish the same text within ten minutes: which post does the refusal name?",),
)
