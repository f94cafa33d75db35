"""Access to accounts of Reddit: consent, and refresh tokens that never end."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from platforms.access.consent import OAuthConnector
from platforms.access.grants import Grant
from platforms.access.registered_apps import App
from platforms.access.renewal import Reuse, TokenRules
from platforms.access.token_endpoint import ClientAuth, TokenEndpoint, refusal_code
from platforms.reddit.connection import APP, VERSION
from platforms.reddit.settings import RedditCredentials

TOKENS = TokenRules(lifetime=timedelta(days=1), reuse=Reuse.HARMLESS, lead=timedelta(minutes=15))
"""Refresh tokens do not expire; general knowledge."""
SIGN_IN = "https://www.reddit.com"
USER_AGENT = "userAgent"
"""The option of SOCIALSYNCER_APPS that names the app to Reddit."""


def _refuses_grant(answer: Mapping[str, Any]) -> bool:
    """Return whether Reddit refuses the refresh token; source: r2/controllers/oauth2.py of its archive."""
    return refusal_code(answer) in {"invalid_grant", "invalid_request"}


def _named_app(app: App) -> dict[str, str]:
    """Return the user agent that Reddit demands of each app."""
    agent = app.options.get(USER_AGENT)
    return {"User-Agent": agent if isinstance(agent, str) else f"web:{app.client_id}:{VERSION} (by /u/{APP})"}


ENDPOINT = TokenEndpoint(
    f"{SIGN_IN}/api/v1/access_token",
    revocation=f"{SIGN_IN}/api/v1/revoke_token",
    auth=ClientAuth.BASIC,
    headers=_named_app,
    refuses_grant=_refuses_grant,
)


class RedditConnector(OAuthConnector[RedditCredentials]):
    """Reddit's authorization; it has no PKCE. Source: r2/controllers/oauth2.py of its archive.

    Only `duration=permanent` yields a refresh token.
    """

    name = "reddit"
    settings_page = "Reddit: reddit.com/prefs/apps"
    consent_page = f"{SIGN_IN}/api/v1/authorize"
    endpoint = ENDPOINT
    scopes = ("identity", "submit", "read", "flair", "history", "edit")
    optional_scopes = frozenset({"flair", "edit"})
    pkce = False
    code_lifetime = "10 minutes"
    consent_query = {"duration": "permanent"}  # noqa: RUF012
    wider_scopes = {"*": ""}  # noqa: RUF012

    def credentials(self, app: App, grant: Grant, **more: Any) -> RedditCredentials:
        """Return the credentials, with the app's name."""
        agent = app.options.get(USER_AGENT)
        return super().credentials(app, grant, user_agent=agent if isinstance(agent, str) else None, **more)


CONNECTOR = RedditConnector()
