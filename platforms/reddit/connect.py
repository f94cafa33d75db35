"""The connector for accounts of Reddit."""

from typing import Any

from platforms.access.connect import Connector
from platforms.access.grants import Grant
from platforms.access.registered_apps import App
from platforms.reddit.connection import APP, VERSION
from platforms.reddit.settings import RedditCredentials


class RedditConnector(Connector[RedditCredentials]):
    """Reddit's authorization; it has no PKCE. Source: r2/controllers/oauth2.py of its archive.

    Only `duration=permanent` yields a refresh token.
    """

    name = "reddit"
    settings_page = "Reddit: reddit.com/prefs/apps"
    authorize = "https://www.reddit.com/api/v1/authorize"
    token = "https://www.reddit.com/api/v1/access_token"  # noqa: S105 - an address
    scopes = ("identity", "submit", "read", "flair", "history", "edit")
    secondary = frozenset({"flair", "edit"})
    pkce = False
    basic = True
    code_lifetime = "10 minutes"
    revocation = "https://www.reddit.com/api/v1/revoke_token"
    query = {"duration": "permanent"}  # noqa: RUF012
    covers = {"*": ""}  # noqa: RUF012

    def headers(self, app: App) -> dict[str, str]:
        """Return the user agent that Reddit demands of each app."""
        given = app.options.get("userAgent")
        return {"User-Agent": given if isinstance(given, str) else f"web:{app.client_id}:{VERSION} (by /u/{APP})"}

    def credentials(self, app: App, grant: Grant, **more: Any) -> RedditCredentials:
        """Return the credentials, with the app's name."""
        given = app.options.get("userAgent")
        return super().credentials(app, grant, user_agent=given if isinstance(given, str) else None, **more)


CONNECTOR = RedditConnector()
