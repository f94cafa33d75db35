"""An account's connection to its server: each request carries its token, and responses are what the API promises."""

from typing import Any

import httpx

from platforms.base import Connection
from platforms.errors import PlatformError, unreadable
from platforms.http.answers import ListAt, parse
from platforms.mastodon.settings import MastodonCredentials

MastodonConnection = Connection[MastodonCredentials]

_SERVER = "The Mastodon server"
ENGLISH = {"lang": "en"}
"""Asks for errors in English: Mastodon uses the account's language otherwise. Other servers ignore the parameter."""


def authorization(connection: MastodonConnection) -> dict[str, str]:
    """Return the header that carries the token."""
    return {"Authorization": f"Bearer {connection.credentials.access_token.get_secret_value()}"}


async def send(
    connection: MastodonConnection,
    method: str,
    path: str,
    *,
    public: bool = False,
    headers: dict[str, str] | None = None,
    **options: Any,
) -> httpx.Response:
    """Return the server's unchanged response. Raises PlatformError."""
    headers = {"Accept": "application/json", **(headers or {}), **authorization(connection)}
    return await connection.wire.send(method, path, public=public, headers=headers, **options)


async def read(connection: MastodonConnection, path: str, **params: str) -> dict[str, Any]:
    """Read one object."""
    return entity(await send(connection, "GET", path, params=params))


async def read_list(connection: MastodonConnection, path: str, enough: int, **params: str) -> list[dict[str, Any]]:
    """Read a list as far as it has `enough` items. Raises PlatformError if it is none: that is no empty one."""
    items = parse(await send(connection, "GET", path, params=params, listed=ListAt(enough=enough)))
    if isinstance(items, list) and all(isinstance(item, dict) for item in items):
        return items
    raise unreadable(_SERVER)


def entity(response: httpx.Response, *, public: bool = False) -> dict[str, Any]:
    """Return the object of a response. Raises PlatformError if it has none."""
    body = parse(response)
    if isinstance(body, dict):
        return body
    raise unreadable(_SERVER, public=public)


def require_id(thing: dict[str, Any], *, public: bool = False) -> str:
    """Return the id of a response's object. Raises PlatformError if it has none."""
    identifier = thing.get("id")
    if isinstance(identifier, str | int) and str(identifier):
        return str(identifier)
    raise unreadable(_SERVER, public=public)


def is_missing(error: PlatformError) -> bool:
    """Return whether a server does not have the requested object, or not under this path."""
    return error.status in {404, 405, 410, 501} and error.code == f"http_{error.status}"
