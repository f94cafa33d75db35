"""Requests with an account's OAuth 2.0 token. The refresh token renews it before it ends or once it has ended."""

from abc import ABC
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from typing import Any, ClassVar, TypeVar

import httpx
import structlog
from pydantic import SecretStr

from platforms.access.registered_apps import App
from platforms.access.renewal import Renewed, Renews, reported_lifetimes
from platforms.access.token_endpoint import TokenEndpoint
from platforms.base import Connection
from platforms.client_model import ClientModel
from platforms.errors import ErrorKind, PlatformError, shielded

log = structlog.get_logger(__name__)

TOKEN_RENEWED = "token_renewed"  # noqa: S105 - no token
"""The code of a public request that was refused because its token had ended. The token is renewed now."""


class OAuthCredentials(ClientModel):
    """A user's access token and what renews it."""

    access_token: SecretStr
    refresh_token: SecretStr | None = None
    client_id: str | None = None
    client_secret: SecretStr | None = None


O = TypeVar("O", bound=OAuthCredentials)  # noqa: E741 - credentials of OAuth


def bearer(credentials: OAuthCredentials) -> dict[str, str]:
    """Return the header that carries the token."""
    return {"Authorization": f"Bearer {credentials.access_token.get_secret_value()}"}


def has_ended(error: PlatformError) -> bool:
    """Return whether the status of an error says that the token may have expired."""
    return error.status == httpx.codes.UNAUTHORIZED


async def send(
    connection: Connection[O],
    method: str,
    path: str,
    *,
    public: bool = False,
    headers: Mapping[str, str] | None = None,
    ended: Callable[[PlatformError], bool] = has_ended,
    check: Callable[[httpx.Response], None] = lambda _: None,
    **options: Any,
) -> httpx.Response:
    """Send as `Wire.send` does, with the account's token. `check` raises PlatformError for errors with status 200.

    A token that ends soon or has ended is renewed, and the request may be sent twice. A public request is sent once:
    after a renewal the step must confirm it first, and raises PlatformError(transient). If a token that has not ended
    cannot be renewed now, it is used. Raises PlatformError.
    """
    if connection.credentials.refresh_token is not None and connection.is_due():
        try:
            connection.credentials = await connection.refresh()
        except PlatformError as error:
            log.info("token.used_till_its_end", platform=connection.wire.label, code=error.code)
    used, public_requests = connection.credentials, connection.wire.public_requests

    async def attempt(credentials: O) -> httpx.Response:
        sent = {**(headers or {}), **bearer(credentials)}
        response = await connection.wire.send(method, path, public=public, headers=sent, **options)
        check(response)
        return response

    try:
        return await attempt(used)
    except PlatformError as error:
        if used.refresh_token is None or not ended(error) or error.kind is ErrorKind.UNCONFIRMED:
            raise
        refusal = error
    if connection.credentials is used:  # otherwise a concurrent request has renewed them
        connection.credentials = await connection.refresh()
    if connection.wire.public_requests > public_requests:
        message = f"{connection.wire.label} did not accept the token of the account, which was renewed."
        raise PlatformError(
            ErrorKind.TRANSIENT,
            message,
            code=TOKEN_RENEWED,
            status=refusal.status,
            retry_after=timedelta(0),
            claim=refusal,
        )
    return await attempt(connection.credentials)


class RenewsByRefreshToken(Renews[O], ABC):
    """A platform whose token endpoint exchanges refresh tokens for new tokens."""

    base_url: ClassVar[str]
    token_endpoint: ClassVar[TokenEndpoint]

    def renewing_app(self, connection: Connection[O]) -> App:
        """Return the app to which the tokens were issued."""
        return App(connection.credentials.client_id or "", connection.credentials.client_secret)

    @shielded
    async def renew(self, connection: Connection[O]) -> Renewed[O]:
        """Exchange the refresh token for new tokens. If the platform sends no new refresh token, the old one stays.

        Raises PlatformError as `TokenEndpoint.grant_refusal` says.
        """
        endpoint, wire, current = self.token_endpoint, connection.wire, connection.credentials
        token = current.refresh_token.get_secret_value() if current.refresh_token else ""
        form, app = {"grant_type": "refresh_token", "refresh_token": token}, self.renewing_app(connection)
        refusal = partial(endpoint.grant_refusal, wire)
        answer = endpoint.tokens(wire, await endpoint.post(wire, self.base_url, app, form, read_error=refusal))
        update = {"access_token": SecretStr(answer["access_token"])}
        if isinstance(refresh := answer.get("refresh_token"), str) and refresh:
            update["refresh_token"] = SecretStr(refresh)
        return Renewed(current.model_copy(update=update), reported_lifetimes(answer))
