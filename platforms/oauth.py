"""Speak with an account's OAuth 2.0 token: renew it once when it has expired, by a refresh token if there is one."""

from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import httpx
from pydantic import SecretStr

from platforms.base import Connection, WireModel
from platforms.errors import Kind, NetworkError
from platforms.wire import Wire, json_of


class OAuthCredentials(WireModel):
    """Hold a user's access token and what renews it."""

    access_token: SecretStr
    refresh_token: SecretStr | None = None
    client_id: str | None = None
    client_secret: SecretStr | None = None


OF_THE_APP = frozenset({"invalid_client", "unauthorized_client", "unsupported_grant_type", "invalid_scope"})
"""Codes of RFC 6749 that speak of the app, not of the account's grant."""
_PASSING = frozenset({"temporarily_unavailable", "server_error"})

O = TypeVar("O", bound=OAuthCredentials)  # noqa: E741 - credentials of OAuth
T = TypeVar("T")


def bearer(credentials: OAuthCredentials) -> dict[str, str]:
    """Return the header that carries the token."""
    return {"Authorization": f"Bearer {credentials.access_token.get_secret_value()}"}


def has_ended(error: NetworkError) -> bool:
    """Tell by its status of a refusal that the token may have expired."""
    return error.status == httpx.codes.UNAUTHORIZED


async def renewing(
    line: Connection[O],
    send: Callable[[O], Awaitable[T]],
    renew: Callable[[O], Awaitable[O]],
    *,
    ended: Callable[[NetworkError], bool] = has_ended,
) -> T:
    """Send as the account; a token that has ended is renewed, once. What is sent must bear being sent twice."""
    used = line.credentials
    try:
        return await send(used)
    except NetworkError as error:
        if used.refresh_token is None or not ended(error):
            raise
    if line.credentials is used:  # else a request beside this one has renewed them
        line.credentials = await line.refresh(renew)
    return await send(line.credentials)


async def send(
    line: Connection[O],
    method: str,
    path: str,
    *,
    renew: Callable[[O], Awaitable[O]],
    headers: Callable[[O], Mapping[str, str]] = bearer,
    ended: Callable[[NetworkError], bool] = has_ended,
    **options: Any,
) -> httpx.Response:
    """Send as `Wire.send` does, with the headers that the credentials make. Raises NetworkError."""

    async def sent(credentials: O) -> httpx.Response:
        return await line.wire.send(method, path, headers=headers(credentials), **options)

    return await renewing(line, sent, renew, ended=ended)


async def renewed(
    wire: Wire, current: O, url: str, *, basic: bool, headers: Mapping[str, str] | None = None, **form: str
) -> O:
    """Trade the refresh token for new tokens; where the network sends no new refresh token the old one stays.

    `basic` says that the app names itself by HTTP Basic rather than in the form. Raises NetworkError.
    """
    client_id = current.client_id or ""
    secret = current.client_secret.get_secret_value() if current.client_secret else ""
    refresh_token = current.refresh_token.get_secret_value() if current.refresh_token else ""
    fields = {"grant_type": "refresh_token", "refresh_token": refresh_token, **form}
    if not basic:
        fields |= {name: value for name, value in (("client_id", client_id), ("client_secret", secret)) if value}
    own = {"Authorization": f"Basic {b64encode(f'{client_id}:{secret}'.encode()).decode()}"} if basic else {}
    answer = json_of(await wire.send("POST", url, data=fields, headers={**(headers or {}), **own}))
    return with_tokens(wire, current, answer)


def with_tokens(wire: Wire, current: O, answer: Mapping[str, Any]) -> O:
    """Return credentials with the tokens of an answer. Raises NetworkError where it holds none."""
    access, refresh = answer.get("access_token"), answer.get("refresh_token")
    if not isinstance(access, str) or not access:
        message = f"{wire.label} renewed this account's access without a token."
        raise NetworkError(Kind.AUTH, message, code="unreadable_answer")
    update = {"access_token": SecretStr(access)}
    if isinstance(refresh, str) and refresh:
        update["refresh_token"] = SecretStr(refresh)
    return current.model_copy(update=update)


def refused_renewal(response: httpx.Response, label: str) -> NetworkError | None:
    """Map OAuth's own shape of error (RFC 6749, section 5.2); None for any other answer.

    A refresh token that was used, revoked or is too old is the account's; a client id or secret that the network does
    not know is the operator's, and no account must be reconnected for it.
    """
    error = json_of(response).get("error")
    if not isinstance(error, str) or response.status_code not in {400, 401}:
        return None
    kind, message = Kind.AUTH, f"{label} no longer accepts this account's connection. Reconnect the account."
    if error in OF_THE_APP:
        kind = Kind.OPERATOR
        message = f"{label} does not accept this service's client id and secret. Check the app's credentials."
    if error in _PASSING:
        kind, message = Kind.TRANSIENT, f"{label} could not renew the account's access right now."
    return NetworkError(kind, message, code=error, status=response.status_code)


def second_host(wire: Wire, usual: str, second: str) -> str:
    """Return a network's second base URL, unless its calls all go elsewhere (to a sandbox) instead of to the usual."""
    return second if wire.base_url == usual else wire.base_url
