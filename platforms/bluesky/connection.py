"""An account's connection to its server: a session that is renewed when it ends and stored for all workers."""

from typing import Any

import structlog

from platforms.base import Connection
from platforms.bluesky.authorized import send_bound
from platforms.bluesky.settings import BlueskyCredentials
from platforms.errors import ErrorKind, PlatformError
from platforms.http.wire import json_object

log = structlog.get_logger(__name__)

BlueskyConnection = Connection[BlueskyCredentials]

_ENDED = frozenset(
    {"ExpiredToken", "InvalidToken", "AuthMissing", "AuthenticationRequired", "http_401", "invalid_token"}
)


async def call(connection: BlueskyConnection, method: str, name: str, **options: Any) -> dict[str, Any]:
    """Call a procedure or query as the account, in a session that is renewed once if it has ended."""
    await open_session(connection)
    if connection.is_due():
        try:
            connection.credentials = await connection.refresh()
        except PlatformError as error:
            log.info("token.used_till_its_end", platform=connection.wire.label, code=error.code)
    used = connection.credentials
    try:
        return await _send(connection, method, name, used, **options)
    except PlatformError as error:
        # A post is put under a key that is saved before, so a public request may be repeated after a refusal.
        if error.code not in _ENDED or error.kind is ErrorKind.UNCONFIRMED:
            raise
    if connection.credentials is used:
        connection.credentials = await connection.refresh()
    return await _send(connection, method, name, connection.credentials, **options)


async def ask(connection: BlueskyConnection, name: str, **params: str) -> dict[str, Any]:
    """Call a query that needs no session."""
    return json_object(await connection.wire.send("GET", f"/xrpc/{name}", params=params))


async def open_session(connection: BlueskyConnection) -> str:
    """Return the DID of the session's account; log in if there is no session yet."""
    has_session = connection.credentials.is_authorized or connection.credentials.access_jwt is not None
    if not has_session or connection.credentials.did is None:
        connection.credentials = await connection.refresh()
    return account_did(connection)


def account_did(connection: BlueskyConnection) -> str:
    """Return the account's DID as it is known without a request."""
    return connection.credentials.did or connection.account.user_id


async def _send(
    connection: BlueskyConnection,
    method: str,
    name: str,
    credentials: BlueskyCredentials,
    *,
    headers: dict[str, str] | None = None,
    **options: Any,
) -> dict[str, Any]:
    path = f"/xrpc/{name}"
    if credentials.dpop_key is not None:
        bound = {"key": credentials.dpop_key, "token": credentials.access_token}
        url = f"{credentials.service}{path}"
        return json_object(await send_bound(connection.wire, method, url, at=path, headers=headers, **bound, **options))
    token = credentials.access_jwt.get_secret_value() if credentials.access_jwt else ""
    headers = {**(headers or {}), "Authorization": f"Bearer {token}"}
    return json_object(await connection.wire.send(method, path, headers=headers, **options))
