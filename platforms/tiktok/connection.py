"""An account's connection to TikTok: its token is renewed once, and status 200 may still be an error."""

from typing import Any

from platforms.access import oauth
from platforms.base import Connection
from platforms.errors import unreadable
from platforms.http.answers import ListAt
from platforms.http.wire import json_object
from platforms.tiktok.errors import read_error
from platforms.tiktok.settings import TikTokCredentials

TikTokConnection = Connection[TikTokCredentials]


async def call(
    connection: TikTokConnection,
    path: str,
    body: dict[str, Any] | None = None,
    *,
    public: bool = False,
    listed: ListAt | None = None,
) -> dict[str, Any]:
    """Return the data of TikTok's response to a POST. `public` marks the request that may make a post public."""
    return await _renewing(connection, "POST", path, public=public, json=body or {}, listed=listed)


async def read(connection: TikTokConnection, path: str, **params: str) -> dict[str, Any]:
    """Return the data of TikTok's response to a GET."""
    return await _renewing(connection, "GET", path, params=params)


async def _renewing(connection: TikTokConnection, method: str, path: str, **options: Any) -> dict[str, Any]:
    return await oauth.renewing(
        connection,
        lambda used: _send(connection, used, method, path, **options),
        ended=lambda error: error.code == "access_token_invalid",
    )


async def _send(
    connection: TikTokConnection,
    used: TikTokCredentials,
    method: str,
    path: str,
    *,
    public: bool = False,
    **options: Any,
) -> dict[str, Any]:
    response = await connection.wire.send(method, path, public=public, headers=oauth.bearer(used), **options)
    body = json_object(response)
    data, error = body.get("data"), body.get("error")
    if isinstance(error, dict) and error.get("code") not in {None, "ok"}:
        raise connection.wire.outcome(response, read_error(response), public=public)
    if not isinstance(data, dict):
        raise unreadable("TikTok", public=public)
    return data
