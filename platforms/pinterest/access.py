"""Access to accounts of Pinterest: consent, tokens that are renewed for as long as they are used, and requests."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from platforms.access import oauth
from platforms.access.consent import OAuthConnector
from platforms.access.renewal import Reuse, TokenRules
from platforms.access.token_endpoint import ClientAuth, TokenEndpoint, refuses_grant
from platforms.base import Connection, PublishContext
from platforms.http.wire import json_object
from platforms.pinterest.errors import has_ended
from platforms.pinterest.rules import PinterestCredentials, PinterestSettings

TOKENS = TokenRules(
    lifetime=timedelta(days=30),
    reuse=Reuse.REFUSED,
    lead=timedelta(days=5),
    refresh_lifetime=timedelta(days=60),
    renew_after=timedelta(days=15),
)
"""Source: Pinterest's API document; what a second use of a refresh token does is unverified."""


_GRANT_ENDED = 283


def _refuses_grant(answer: Mapping[str, Any]) -> bool:
    """Return whether Pinterest's code says that it refuses the refresh token; seen in responses, unverified."""
    return refuses_grant(answer) or answer.get("code") == _GRANT_ENDED


ENDPOINT = TokenEndpoint(
    "https://api.pinterest.com/v5/oauth/token", auth=ClientAuth.BASIC, refuses_grant=_refuses_grant
)


class PinterestConnector(OAuthConnector[PinterestCredentials]):
    """Pinterest's authorization; it documents no PKCE. Source: Pinterest's API v5 document."""

    name = "pinterest"
    settings_page = "Pinterest: Settings, Security, Connected apps"
    consent_page = "https://www.pinterest.com/oauth/"
    endpoint = ENDPOINT
    scopes = ("boards:read", "boards:write", "pins:read", "pins:write", "user_accounts:read")
    optional_scopes = frozenset({"boards:write"})
    scope_separator = ","
    pkce = False

    def code_form(self, code: str, redirect_uri: str, verifier: str) -> dict[str, str]:
        """Ask for refresh tokens that can be renewed without end; apps made before 2025-09-25 must ask for them."""
        return super().code_form(code, redirect_uri, verifier) | {"continuous_refresh": "true"}


CONNECTOR = PinterestConnector()


PinterestConnection = Connection[PinterestCredentials]
PinterestContext = PublishContext[PinterestSettings]


async def call(
    connection: PinterestConnection, method: str, path: str, *, public: bool = False, **options: Any
) -> dict[str, Any]:
    """Return Pinterest's response. `public` marks the request that makes a pin. Raises PlatformError."""
    return json_object(await oauth.send(connection, method, path, ended=has_ended, public=public, **options))
