"""The categories of videos, and the playlists of a channel."""

from platforms.choices import MOST_CHOICES, Choices, ListedSetting, bounded
from platforms.youtube.connection import YouTubeConnection, read, read_page

LISTED = {
    "categoryId": ListedSetting(scope="https://www.googleapis.com/auth/youtube.readonly"),
    "playlistId": ListedSetting(scope="https://www.googleapis.com/auth/youtube.readonly"),
}
PAGE = 50
"""Playlists per page, as many as YouTube allows. Source: the discovery document of youtube.v3."""
_ANYWHERE = "US"
"""The region of a channel that names no country. Categories differ little between regions."""


async def categories(connection: YouTubeConnection) -> Choices:
    """Return the categories that a video may have in the channel's country. Raises PlatformError."""
    channels = await read(connection, "channels", part="snippet", mine="true")
    country = channels[0]["snippet"].get("country") if channels else None
    entries = await read(connection, "videoCategories", part="snippet", regionCode=str(country or _ANYWHERE))
    return bounded((item["id"], item["snippet"]["title"]) for item in entries if item["snippet"].get("assignable"))


async def playlists(connection: YouTubeConnection) -> Choices:
    """Return the channel's playlists. Raises PlatformError."""
    pairs: list[tuple[object, object]] = []
    query = {"part": "snippet", "mine": "true", "maxResults": str(PAGE)}
    for _ in range(MOST_CHOICES // PAGE):
        items, following = await read_page(connection, "playlists", query)
        pairs += [(item["id"], item["snippet"]["title"]) for item in items]
        if not following:
            return bounded(pairs)
        query["pageToken"] = following
    return bounded(pairs, more=True)
