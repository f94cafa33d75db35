"""The live check of YouTube: its videos are private."""

from platforms.base import PublishContext, Published
from platforms.live import FILE, Assumption, LiveCheck, SamplePost, SampleResult, find_answers
from platforms.youtube.access import YouTubeConnection, send
from platforms.youtube.rules import YouTubeSettings

_PRIVATE = {"visibility": "private"}


async def _remove(connection: YouTubeConnection, _: PublishContext[YouTubeSettings], published: Published) -> None:
    await send(connection, "DELETE", "/youtube/v3/videos", params={"id": published.platform_post_id})


def _takes_thumbnail(seen: SampleResult) -> bool | None:
    if not find_answers(seen, "/thumbnails/set"):
        return None
    return bool(seen.published and not seen.published.warning)


_THUMBNAIL = Assumption("thumbnail", "A thumbnail is taken once the video is processed.", _takes_thumbnail)
_WITH_THUMBNAIL = {**_PRIVATE, "thumbnail": f"{FILE}wide.jpg"}

LIVE = LiveCheck(
    samples=(
        SamplePost("video", files=("wide.mp4",), settings=_WITH_THUMBNAIL, assumptions=(_THUMBNAIL,)),
        SamplePost("short", files=("tall.mp4",), settings=_WITH_THUMBNAIL, assumptions=(_THUMBNAIL,)),
    ),
    remove=_remove,
    by_hand=("Does the Short show its thumbnail in the app?",),
)
