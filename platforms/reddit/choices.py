"""The flairs that a subreddit offers for posts."""

from platforms.choices import Choices, ListedSetting, bounded
from platforms.errors import unreadable
from platforms.http.answers import parse
from platforms.http.wire import segment
from platforms.reddit.connection import RedditConnection, send

LISTED = {"flairId": ListedSetting(within="subreddit", scope="flair")}


async def flairs(connection: RedditConnection, subreddit: str) -> Choices:
    """Return the flairs of a subreddit that its members may choose. Raises PlatformError."""
    answer = await send(connection, "GET", f"/r/{segment(subreddit)}/api/link_flair_v2", params={"raw_json": "1"})
    entries = parse(answer)
    if not isinstance(entries, list):
        raise unreadable("Reddit")
    return bounded((item["id"], item.get("text")) for item in entries if not item.get("mod_only"))
