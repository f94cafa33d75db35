"""Access to accounts of Reddit: consent, refresh tokens that never end, and requests that name the app."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import httpx

from platforms.access import oauth
from platforms.access.consent import OAuthConnector
from platforms.access.registered_apps import App
from platforms.access.renewal import Grant, Reuse, TokenRules
from platforms.access.token_endpoint import ClientAuth, TokenEndpoint, refusal_code
from platforms.base import Connection, PublishContext
from platforms.http.wire import json_object
from platforms.reddit.errors import error_within
from platforms.reddit.rules import RedditCredentials, RedditSettings

BASE_URL = "https://oauth.reddit.com"
APP, VERSION = "socialsyncer", "0.1"

RedditConnection = Connection[RedditCredentials]
RedditContext = PublishContext[RedditSettings]


async def call(
    connection: RedditConnection, method: str, path: str, *, public: bool = False, **options: Any
) -> dict[str, Any]:
    """Return Reddit's response. `public` marks the request that makes a post.

    Raises PlatformError, also for errors in a response with status 200.
    """
    response = await send(connection, method, path, public=public, **options)
    body = json_object(response)
    if error := error_within(body, response):
        raise connection.wire.outcome(response, error, public=public)
    return body


async def send(connection: RedditConnection, method: str, path: str, **options: Any) -> httpx.Response:
    """Return Reddit's response, whose body may still report an error. Raises PlatformError."""
    return await oauth.send(connection, method, path, headers={"User-Agent": user_agent(connection)}, **options)


def user_agent(connection: RedditConnection) -> str:
    """Return the user agent that names the app. Reddit refuses the default names of HTTP libraries."""
    named = connection.credentials.user_agent
    return (
        named or f"web:{connection.credentials.client_id or APP}:{VERSION} (by /u/{connection.account.username or APP})"
    )


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
