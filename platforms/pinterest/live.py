"""The live check of Pinterest."""

from platforms.base import PublishContext, Published
from platforms.http.wire import segment
from platforms.live import LiveCheck, SamplePost
from platforms.pinterest.access import PinterestConnection, call
from platforms.pinterest.rules import PinterestSettings

_BOARD = ("boardId",)


async def _remove(connection: PinterestConnection, _: PublishContext[PinterestSettings], published: Published) -> None:
    await call(connection, "DELETE", f"/v5/pins/{segment(published.platform_post_id)}")


LIVE = LiveCheck(
    samples=(
        SamplePost("image", files=("plain.jpg",), needs=_BOARD, settings={"link": "https://example.com/?a=1&b=2"}),
        SamplePost("carousel", files=("plain.jpg", "plain.jpg"), needs=_BOARD),
        SamplePost("video", files=("tall.mp4",), needs=_BOARD),
    ),
    remove=_remove,
)
