"""The live check of Threads."""

from platforms.base import PublishContext, Published
from platforms.http.wire import segment
from platforms.live import Assumption, LiveCheck, SamplePost, SampleResult
from platforms.threads.connection import GRAPH, ThreadsConnection
from platforms.threads.settings import ThreadsSettings


async def _remove(connection: ThreadsConnection, _: PublishContext[ThreadsSettings], published: Published) -> None:
    await GRAPH.delete(connection, f"/{segment(published.platform_post_id)}")


def _is_refused_as_forbidden(seen: SampleResult) -> bool | None:
    if seen.published:
        return False
    return seen.error.code.partition("/")[0] == "10" if seen.error else None


LIVE = LiveCheck(
    samples=(
        SamplePost("text", more_text=" · ünïcödé 🧪"),
        SamplePost("image", files=("plain.jpg",)),
        SamplePost("carousel", files=("plain.jpg", "plain.jpg")),
        SamplePost("video", files=("tall.mp4",)),
        SamplePost(
            "reply to another's post",
            needs=("replyToId",),
            assumptions=(
                Assumption("reply", "A reply below another's post is refused with code 10.", _is_refused_as_forbidden),
            ),
        ),
    ),
    remove=_remove,
    by_hand=("Which code does a token of more than 60 days get: 190 or 24?",),
)
