"""An account's connection to its server: each request carries its token, and answers are what the API promises."""

from typing import Any

import httpx

from platforms.base import Connection
from platforms.errors import ErrorKind, PlatformError
from platforms.http.answers import parse
from platforms.mastodon.errors import unreadable
from platforms.mastodon.settings import MastodonCredentials

MastodonConnection = Connection[MastodonCredentials]


ENGLISH = {"lang": "en"}
"""Mastodon words its errors in the account's language unless it is asked for another; others ignore the parameter."""


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
    """Return the server's answer as it is. Raises PlatformError."""
    headers = {"Accept": "application/json", **(headers or {}), **authorization(connection)}
    return await connection.wire.send(method, path, public=public, headers=headers, **options)


async def read(connection: MastodonConnection, path: str, **params: str) -> dict[str, Any]:
    """Read one thing."""
    return entity(await send(connection, "GET", path, params=params))


async def read_list(connection: MastodonConnection, path: str, **params: str) -> list[dict[str, Any]]:
    """Read a list. Raises PlatformError where it is none: that must not pass for an empty one."""
    found = parse(await send(connection, "GET", path, params=params))
    if isinstance(found, list) and all(isinstance(each, dict) for each in found):
        return found
    raise unreadable()


def entity(response: httpx.Response, *, public: bool = False) -> dict[str, Any]:
    """Return the one thing that an answer is about. Raises PlatformError where it is none."""
    found = parse(response)
    if isinstance(found, dict):
        return found
    raise unreadable(public=public)


def id_of(thing: dict[str, Any], *, public: bool = False) -> str:
    """Return the id of what an answer is about. Raises PlatformError where it has none."""
    found = thing.get("id")
    if isinstance(found, str | int) and str(found):
        return str(found)
    raise unreadable(public=public)


def is_missing(error: PlatformError) -> bool:
    """Tell whether a server does not have what was asked for, or not under this path."""
    # A 501 is no refusal: it reads as an error of the server's own.
    return error.status == 501 or (error.kind is ErrorKind.REJECTED and error.status in {404, 405, 410})
