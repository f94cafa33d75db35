"""The live check of Mastodon and other servers with its API."""

from platforms.base import PublishContext, Published
from platforms.http.wire import segment
from platforms.live import LiveCheck, SamplePost
from platforms.mastodon.access import MastodonConnection, send
from platforms.mastodon.rules import MastodonSettings


async def _remove(connection: MastodonConnection, _: PublishContext[MastodonSettings], published: Published) -> None:
    await send(connection, "DELETE", f"/api/v1/statuses/{segment(published.platform_post_id)}")


LIVE = LiveCheck(
    samples=(
        SamplePost("text", more_text=" · ünïcödé 🧪 & <b>no tag</b> https://example.com/", repeats=True),
        SamplePost("private text", more_text=" · for followers", settings={"visibility": "private"}),
        SamplePost("image", files=("plain.jpg",)),
        SamplePost("video", files=("wide.mp4",)),
    ),
    remove=_remove,
)
