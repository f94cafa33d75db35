"""Requests of an account whose owner has authorized an app: bound to a key, with the nonce that the server wants."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import httpx
from pydantic import SecretStr

from platforms.access.registered_apps import App
from platforms.access.renewal import Renewed, reported_lifetimes
from platforms.access.token_endpoint import UNREADABLE, TokenEndpoint
from platforms.base import Connection
from platforms.bluesky.identity import endpoint, place, read_metadata
from platforms.bluesky.proofs import Nonces, assertion, proof
from platforms.bluesky.settings import BlueskyCredentials
from platforms.errors import ErrorKind, PlatformError
from platforms.http.wire import Wire, json_object

USE_NONCE = "use_dpop_nonce"
_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_NONCE_REFUSALS = frozenset({400, 401})
"""Statuses with which a server asks for a nonce; the request had no other effect."""


async def send_bound(
    wire: Wire,
    method: str,
    url: str,
    *,
    key: SecretStr,
    at: str | None = None,
    token: SecretStr | None = None,
    headers: Mapping[str, str] | None = None,
    **options: Any,
) -> httpx.Response:
    """Send as `Wire.send` does, with a proof; once more if the server asks for another nonce. Raises PlatformError.

    `at` is the path or address of the request if it differs from `url`, which the proof names.
    """
    bearer, nonces = token.get_secret_value() if token else None, wire.memory.get(Nonces)
    own = {**(headers or {}), **({"Authorization": f"DPoP {bearer}"} if bearer else {})}
    for last in (False, True):
        signed = proof(key.get_secret_value(), method, url, nonce=nonces.newest(url), token=bearer)
        own["DPoP"] = signed
        response = await wire.send(method, at or url, headers=own, accept=_NONCE_REFUSALS, **options)
        nonces.remember(url, response.headers)
        if response.is_success:
            return response
        if last or not _asks_for_nonce(response):
            raise (options.get("read_error") or wire.read_error)(response)
    raise AssertionError  # the second round has returned or raised


async def ask_for_tokens(
    wire: Wire, app: App, issuer: str, url: str, form: Mapping[str, str], key: SecretStr, service: str, **options: Any
) -> dict[str, Any]:
    """Return the response of an authorization server's endpoint to an app. Raises PlatformError."""
    fields = {**form, "client_id": app.client_id}
    if app.secret:
        fields |= {
            "client_assertion_type": _ASSERTION,
            "client_assertion": assertion(app.secret, app.client_id, issuer),
        }
    sent = await send_bound(wire, "POST", url, at=place(wire, service, url), key=key, data=fields, **options)
    return json_object(sent)


async def renew_authorization(connection: Connection[BlueskyCredentials]) -> Renewed[BlueskyCredentials]:
    """Exchange the refresh token, which works once, for new tokens. Raises PlatformError."""
    current, wire = connection.credentials, connection.wire
    key, refresh_token = current.dpop_key, current.refresh_token
    if key is None or refresh_token is None:
        message = "Nothing is left that renews this account's authorization. Reconnect the account."
        raise PlatformError(ErrorKind.AUTH, message, code="no_refresh_token")
    issuer = current.issuer or current.service
    url = endpoint(await read_metadata(wire, current.service, issuer), "token")
    app = App(current.client_id or "", current.client_secret)
    form = {"grant_type": "refresh_token", "refresh_token": refresh_token.get_secret_value()}

    # An error about the app's metadata is no refusal of the app: the server may have failed to fetch them.
    refusal = partial(TokenEndpoint(url).grant_refusal, wire)
    answer = await ask_for_tokens(wire, app, issuer, url, form, key, current.service, read_error=refusal)
    access, refresh = answer.get("access_token"), answer.get("refresh_token")
    if not (isinstance(access, str) and access and is_bound(answer)):
        raise PlatformError(ErrorKind.TRANSIENT, "The Bluesky server sent no tokens.", code=UNREADABLE)
    if answer.get("sub") != current.did:
        message = "The Bluesky server now says that this is another account. Connect the account again."
        raise PlatformError(ErrorKind.AUTH, message, code="another_account")
    update = {"access_token": SecretStr(access)}
    if isinstance(refresh, str) and refresh:
        update["refresh_token"] = SecretStr(refresh)
    return Renewed(current.model_copy(update=update), reported_lifetimes(answer))


async def revoke_authorization(wire: Wire, app: App, credentials: BlueskyCredentials) -> None:
    """End an authorization by its refresh token (RFC 7009). Raises PlatformError if its server cannot do that."""
    key, token = credentials.dpop_key, credentials.refresh_token or credentials.access_token
    issuer = credentials.issuer or credentials.service
    url = endpoint(await read_metadata(wire, credentials.service, issuer), "revocation")
    form = {"token": token.get_secret_value()}
    await ask_for_tokens(wire, app, issuer, url, form, key or SecretStr(""), credentials.service)


def is_bound(answer: Mapping[str, Any]) -> bool:
    """Return whether a response's tokens are bound to the key, as they must be."""
    return str(answer.get("token_type", "")).lower() == "dpop"


def _asks_for_nonce(response: httpx.Response) -> bool:
    if json_object(response).get("error") == USE_NONCE:
        return True
    return USE_NONCE in response.headers.get("www-authenticate", "")
