"""Access to accounts of Meta's platforms: messages of refusals, and long-lived tokens, which have no refresh tokens."""

from abc import ABC
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any, ClassVar, TypeVar

import httpx
from pydantic import SecretStr

from platforms.access.connector import Inspection, reported_end
from platforms.access.consent import OAuthConnector
from platforms.access.registered_apps import App
from platforms.access.renewal import Grant, Renewed, Renews, Reuse, TokenRules, reported_lifetimes
from platforms.access.token_endpoint import TokenEndpoint
from platforms.base import C, Connection
from platforms.errors import ErrorKind, PlatformError, shielded, unreadable
from platforms.http.wire import Wire, json_object
from platforms.meta.graph import MetaCredentials, app_proof


async def debugged(connection: Connection[Any], path: str, asking: str) -> tuple[Inspection, Mapping[str, Any]]:
    """Return Meta's report on an account's token, requested with the token `asking`, which may be the same one.

    The reference shows the token in the query only; this service logs no such address. Raises PlatformError, kind
    `auth` if the token is not valid.
    """
    credentials: MetaCredentials = connection.credentials
    token = credentials.access_token.get_secret_value()
    params = {"input_token": token} | (app_proof(credentials) if asking == token else {})
    response = await connection.wire.send("GET", path, params=params, headers={"Authorization": f"Bearer {asking}"})
    data = json_object(response).get("data")
    if not isinstance(data, dict) or not isinstance(data.get("is_valid"), bool):
        raise unreadable(connection.wire.label)
    if not data["is_valid"]:
        message = f"{connection.wire.label} no longer accepts this account's connection. Reconnect the account."
        raise PlatformError(ErrorKind.AUTH, message, code="token_invalid")
    return Inspection(
        reported_lifetimes({"scope": data.get("scopes")}).scopes, reported_end(data.get("expires_at"))
    ), data


def granted_targets(data: Mapping[str, Any], scope: str) -> set[str] | None:
    """Return the ids for which a permission was granted; None if it was granted for all, or if that is not known."""
    granular = data.get("granular_scopes")
    for grant in granular if isinstance(granular, list) else ():
        if isinstance(grant, dict) and grant.get("scope") == scope and isinstance(grant.get("target_ids"), list):
            return {str(target) for target in grant["target_ids"]}
    return None


M = TypeVar("M", bound=MetaCredentials)

TOKENS = TokenRules(
    lifetime=timedelta(days=60),
    reuse=Reuse.HARMLESS,
    renew_after=timedelta(days=30),
    renews_itself=True,
    first_renewal=timedelta(hours=25),
)
"""Sources: the Instagram API's reference of refresh_access_token, and the Threads API's guide to long-lived tokens. A
token must be 24 hours old and must not have ended. That the old token stays valid until then is unverified."""
_ABOUT_APPS = ("client_secret", "client secret", "client_id", "app_id", "application", "platform app", "app id")
"""Parts of messages about the app; reported by clients, and listed nowhere."""
_GRANT_ENDED = 190
"""The Graph API's code for a token that has ended or was revoked."""


def _refuses_app(answer: Mapping[str, Any]) -> bool:
    """Return whether a refusal of a code says that the app's id or secret is wrong."""
    error = answer.get("error")
    message = error.get("message") if isinstance(error, dict) else answer.get("error_message")
    words = message.lower() if isinstance(message, str) else ""
    return any(part in words for part in _ABOUT_APPS) and "code" not in words


def _refuses_code(answer: Mapping[str, Any]) -> bool:
    """Return whether a refusal says that the code is not accepted: the Graph API's 100, Instagram's 400."""
    error = answer.get("error")
    code = error.get("code") if isinstance(error, dict) else answer.get("code")
    return code in {100, 400}


def _refuses_grant(answer: Mapping[str, Any]) -> bool:
    error = answer.get("error")
    return isinstance(error, dict) and error.get("code") == _GRANT_ENDED


def code_endpoint(url: str) -> TokenEndpoint:
    """Return an endpoint that exchanges codes."""
    return TokenEndpoint(url, refuses_code=_refuses_code, refuses_app=_refuses_app)


_RENEWAL = TokenEndpoint("/refresh_access_token", refuses_grant=_refuses_grant)
"""Renews a long-lived token by itself: no app is named."""


class MetaConnector(OAuthConnector[C], ABC):
    """An authorization of Meta's, which supports no PKCE."""

    pkce = False
    scope_separator = ","
    code_lifetime = "an hour"


class LongLivedConnector(MetaConnector[C], ABC):
    """Instagram's and Threads' authorization: the token is valid for an hour, and is traded for one of 60 days.

    If the second step fails, both fail: a token of an hour must never be stored as one that can be renewed.
    """

    long_lived: ClassVar[str]
    """The endpoint that trades short tokens for long-lived ones."""
    grant_type: ClassVar[str]

    def code_form(self, code: str, redirect_uri: str, verifier: str) -> dict[str, str]:
        """Return the form that exchanges a code, without what Instagram appends to it."""
        return super().code_form(code.removesuffix("#_"), redirect_uri, verifier)

    async def exchange(self, wire: Wire, app: App, code: str, redirect_uri: str, verifier: str) -> Grant:
        """Exchange a code for a token, and that for a long-lived one. Raises PlatformError."""
        short = await super().exchange(wire, app, code, redirect_uri, verifier)
        query = {"grant_type": self.grant_type, "client_secret": app.secret}
        # The reference shows the token and the secret in the query only; this service logs no such address.
        query["access_token"] = short.access_token.get_secret_value()
        address = wire.address(self.platform.base_url, self.long_lived)
        answer = json_object(await wire.send("GET", address, params=query))
        grant, reported = self.read_grant(answer), reported_lifetimes(answer)
        lifetimes = replace(reported, scopes=reported.scopes or short.lifetimes.scopes)
        return replace(grant, lifetimes=lifetimes, scopes=grant.scopes or short.scopes)

    def read_grant(self, answer: Mapping[str, Any]) -> Grant:
        """Return the tokens of a response, which Instagram puts into a list."""
        data = answer.get("data")
        return super().read_grant(data[0] if isinstance(data, list) and data and isinstance(data[0], dict) else answer)


class RenewsLongLived(Renews[M], ABC):
    """A platform that exchanges a token which is at least 24 hours old, and has not ended, for one of 60 more days."""

    tokens = TOKENS
    renewal_grant: ClassVar[str]

    @shielded
    async def renew(self, connection: Connection[M]) -> Renewed[M]:
        """Exchange the token for a new one. Raises PlatformError.

        The token is sent in a header, as with all other calls, so that no log on the way contains it. The reference
        shows it in the query: it is sent there if the header is refused.
        """
        token, query = connection.credentials.access_token.get_secret_value(), {"grant_type": self.renewal_grant}
        try:
            answer = await _renewal(connection.wire, params=query, headers={"Authorization": f"Bearer {token}"})
        except PlatformError as error:
            if error.status != httpx.codes.BAD_REQUEST or error.kind is not ErrorKind.TRANSIENT:
                raise
            answer = await _renewal(connection.wire, params={**query, "access_token": token})
        renewed = connection.credentials.model_copy(update={"access_token": SecretStr(answer["access_token"])})
        return Renewed(renewed, reported_lifetimes(answer))


async def _renewal(wire: Wire, **options: Any) -> dict[str, Any]:
    refusal = partial(_RENEWAL.grant_refusal, wire)
    return _RENEWAL.tokens(wire, await wire.send("GET", _RENEWAL.url, read_error=refusal, **options))
