"""The common base of the connectors of Meta's platforms: messages of refusals, and the trade for long-lived tokens."""

from abc import ABC
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from platforms.access.connect import Connector
from platforms.access.grants import Grant
from platforms.access.registered_apps import App
from platforms.access.renewal import lifetimes_of
from platforms.base import C
from platforms.http.wire import Wire, json_object

_APP = ("client_secret", "client secret", "client_id", "app_id", "application", "platform app", "app id")
"""Parts of messages about the app; reported by clients, and listed nowhere."""


class MetaConnector(Connector[C], ABC):
    """An authorization of Meta's, which supports no PKCE."""

    pkce = False
    divided_by = ","
    code_lifetime = "an hour"

    def refuses_app(self, answer: Mapping[str, Any]) -> bool:
        """Return whether a refusal says that the app's id or secret is wrong."""
        said = _said(answer)
        return any(word in said for word in _APP) and "code" not in said

    def refuses_code(self, answer: Mapping[str, Any]) -> bool:
        """Return whether a refusal says that the code is not accepted: the Graph API's 100, Instagram's 400."""
        error = answer.get("error")
        code = error.get("code") if isinstance(error, dict) else answer.get("code")
        return code in {100, 400}


class LongLivedConnector(MetaConnector[C], ABC):
    """Instagram's and Threads' authorization: the token is valid for an hour, and is traded for one of 60 days.

    If the second step fails, both fail: a token of an hour must never be stored as one that can be renewed.
    """

    long_lived: ClassVar[str]
    """The endpoint that trades short tokens for long-lived ones."""
    grant_type: ClassVar[str]

    async def exchange(self, wire: Wire, app: App, code: str, redirect_uri: str, verifier: str) -> Grant:
        """Exchange a code for a token, and that for a long-lived one. Raises PlatformError."""
        form = {"grant_type": "authorization_code", "code": code.removesuffix("#_"), "redirect_uri": redirect_uri}
        answer = await self.ask(wire, app, self.token, form)
        data = answer.get("data")
        inner = data[0] if isinstance(data, list) and data and isinstance(data[0], dict) else answer
        short = self.grant(wire, inner)
        query = {"grant_type": self.grant_type, "client_secret": app.secret}
        # The reference shows the token and the secret in the query only; this service logs no such address.
        query["access_token"] = short.access_token.get_secret_value()
        longer = json_object(await wire.send("GET", self.at(wire, self.long_lived), params=query))
        reported = lifetimes_of(longer)
        grant = replace(
            self.grant(wire, longer), lifetimes=replace(reported, scopes=reported.scopes or short.lifetimes.scopes)
        )
        return replace(grant, scopes=grant.scopes or short.scopes)


def _said(answer: Mapping[str, Any]) -> str:
    error = answer.get("error")
    said = error.get("message") if isinstance(error, dict) else answer.get("error_message")
    return said.lower() if isinstance(said, str) else ""
