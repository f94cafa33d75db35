"""The live check of Reddit: on the account's own profile, unless the operator names a subreddit."""

from platforms.base import PublishContext, Published
from platforms.live import LiveCheck, SamplePost
from platforms.reddit.access import RedditConnection, call
from platforms.reddit.rules import RedditSettings

_PROFILE = {"subreddit": "u_{username}"}


async def _remove(connection: RedditConnection, _: PublishContext[RedditSettings], published: Published) -> None:
    await call(connection, "POST", "/api/del", data={"id": published.platform_post_id})


LIVE = LiveCheck(
    samples=(
        SamplePost("text", more_text=" · ünïcödé 🧪", settings=_PROFILE),
        SamplePost("link", settings={**_PROFILE, "url": "https://example.com/?a=1&b=2"}),
        SamplePost("image", files=("plain.jpg",), settings=_PROFILE),
        SamplePost("gallery", files=("plain.jpg", "plain.jpg"), settings=_PROFILE),
    ),
    remove=_remove,
)
