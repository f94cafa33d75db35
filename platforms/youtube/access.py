"""Access to channels of YouTube, and requests with a token."""

from collections.abc import Mapping
from typing import Any

import httpx

from platforms.access import oauth
from platforms.base import Connection, PublishContext
from platforms.errors import PlatformError, unreadable
from platforms.google.access import GoogleConnector
from platforms.http.answers import ListAt
from platforms.http.wire import json_object
from platforms.youtube.rules import YouTubeCredentials, YouTubeSettings

BASE_URL = "https://youtube.googleapis.com"

YouTubeConnection = Connection[YouTubeCredentials]
YouTubeContext = PublishContext[YouTubeSettings]


async def send(connection: YouTubeConnection, method: str, path: str, **options: Any) -> httpx.Response:
    """Return YouTube's response. Raises PlatformError."""
    return await oauth.send(connection, method, path, ended=_has_ended, **options)


async def read(connection: YouTubeConnection, resource: str, **params: str) -> list[dict[str, Any]]:
    """Return the items of a list. Raises PlatformError if it is none: that must not pass for an empty one."""
    items, _ = await read_page(connection, resource, params, ListAt(("items",)))
    return items


async def read_page(
    connection: YouTubeConnection, resource: str, params: Mapping[str, str], listed: ListAt | None = None
) -> tuple[list[dict[str, Any]], str]:
    """Return the items of a page of a list, and the token of the next page; it is empty if there is none.

    Raises PlatformError as `read` does.
    """
    answer = json_object(await send(connection, "GET", f"/youtube/v3/{resource}", params=params, listed=listed))
    items = answer.get("items", [] if str(answer.get("kind", "")).endswith("ListResponse") else None)
    if isinstance(items, list):
        return items, str(answer.get("nextPageToken") or "")
    raise unreadable("YouTube")


def _has_ended(error: PlatformError) -> bool:
    """Return whether a token has expired. An account without a channel gets the same status."""
    return oauth.has_ended(error) and error.code != "youtubeSignupRequired"


_AT = "https://www.googleapis.com/auth/youtube"


class YouTubeConnector(GoogleConnector[YouTubeCredentials]):
    """Google's authorization. The scopes, in order: uploads; a lost upload; comments, captions, thumbnails."""

    name = "youtube"
    scopes = (f"{_AT}.upload", f"{_AT}.readonly", f"{_AT}.force-ssl")
    optional_scopes = frozenset({f"{_AT}.force-ssl"})
    wider_scopes = {_AT: _AT, f"{_AT}.force-ssl": _AT}  # noqa: RUF012


CONNECTOR = YouTubeConnector()
