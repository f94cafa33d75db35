"""The live check of X. It costs some cents."""

from platforms.base import PublishContext, Published
from platforms.http.wire import segment
from platforms.live import Assumption, LiveCheck, SamplePost, SampleResult, answers_at
from platforms.twitter.connection import TwitterConnection, call
from platforms.twitter.settings import TwitterSettings


async def _remove(connection: TwitterConnection, _: PublishContext[TwitterSettings], published: Published) -> None:
    await call(connection, "DELETE", f"/2/tweets/{segment(published.platform_post_id)}")


def _takes_alt_text(seen: SampleResult) -> bool | None:
    answers = answers_at(seen, "/2/media/metadata")
    return answers[-1].status == 200 if answers else None


_ALT_TEXT = Assumption("alt_text", "Alt texts are taken.", _takes_alt_text)

LIVE = LiveCheck(
    samples=(
        SamplePost("text", more_text=" · ünïcödé 🧪"),
        SamplePost("image", files=("plain.jpg",), assumptions=(_ALT_TEXT,)),
        SamplePost("video", files=("wide.mp4",)),
    ),
    remove=_remove,
    by_hand=("Does an edit keep the picture of a post? Edits of posts with media are refused until somebody knows.",),
)
