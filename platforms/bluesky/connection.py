"""An account's connection to its server: a session that is renewed when it ends and stored for all workers."""

from typing import Any
from urllib.parse import urlsplit

import httpx
import structlog
from pydantic import SecretStr

from platforms.access.renewal import Lifetimes, Renewed
from platforms.base import Connection
from platforms.bluesky.authorized import renew_authorization, send_bound
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
    return did_of(connection)


def did_of(connection: BlueskyConnection) -> str:
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


async def renew(connection: BlueskyConnection) -> Renewed[BlueskyCredentials]:
    """Exchange the refresh token for a new session; log in if it is no longer accepted. Raises PlatformError.

    An authorization has no password to log in with.
    """
    current = connection.credentials
    if current.is_authorized:
        return await renew_authorization(connection)
    if current.refresh_jwt is not None:
        headers = {"Authorization": f"Bearer {current.refresh_jwt.get_secret_value()}"}
        try:
            answer = await connection.wire.send("POST", "/xrpc/com.atproto.server.refreshSession", headers=headers)
        except PlatformError as error:
            if error.kind is not ErrorKind.AUTH:
                raise
        else:
            return Renewed(_with_session(current, answer), Lifetimes())
    login = {"identifier": current.user_id, "password": current.access_token.get_secret_value()}
    answer = await connection.wire.send("POST", "/xrpc/com.atproto.server.createSession", json=login)
    return Renewed(_with_session(current, answer), Lifetimes())


def _with_session(current: BlueskyCredentials, answer: httpx.Response) -> BlueskyCredentials:
    session = json_object(answer)
    if not all(isinstance(session.get(name), str) for name in ("accessJwt", "refreshJwt", "did")):
        raise PlatformError(
            ErrorKind.TRANSIENT, "The Bluesky server opened a session without a token.", code="no_session"
        )
    if session.get("active") is False:
        state = str(session.get("status") or "not active")
        raise PlatformError(ErrorKind.AUTH, f"The Bluesky server says that this account is {state}.", code="not_active")
    if current.did is not None and session["did"] != current.did:
        message = "The Bluesky server now says that this is another account. Connect the account again."
        raise PlatformError(ErrorKind.AUTH, message, code="another_account")
    return current.model_copy(
        update={
            "access_jwt": SecretStr(session["accessJwt"]),
            "refresh_jwt": SecretStr(session["refreshJwt"]),
            "did": session["did"],
            "pds": _pds(session) or current.pds,
        }
    )


def _pds(session: dict[str, Any]) -> str | None:
    """Return the host that the account's DID document names as its server."""
    document = session.get("didDoc")
    services = document.get("service") if isinstance(document, dict) else None
    for service in services if isinstance(services, list) else []:
        if isinstance(service, dict) and str(service.get("id", "")).endswith("#atproto_pds"):
            return urlsplit(str(service.get("serviceEndpoint", ""))).netloc or None
    return None
