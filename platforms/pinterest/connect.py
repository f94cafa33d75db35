"""The connector for accounts of Pinterest."""

from collections.abc import Mapping
from typing import Any

from platforms.access.connect import Connector
from platforms.access.registered_apps import App
from platforms.http.wire import Wire
from platforms.pinterest.settings import PinterestCredentials


class PinterestConnector(Connector[PinterestCredentials]):
    """Pinterest's authorization; it documents no PKCE. Source: Pinterest's API v5 document."""

    name = "pinterest"
    settings_page = "Pinterest: Settings, Security, Connected apps"
    authorize = "https://www.pinterest.com/oauth/"
    token = "https://api.pinterest.com/v5/oauth/token"  # noqa: S105 - an address
    scopes = ("boards:read", "boards:write", "pins:read", "pins:write", "user_accounts:read")
    secondary = frozenset({"boards:write"})
    divided_by = ","
    pkce = False
    basic = True

    async def ask(self, wire: Wire, app: App, url: str, form: Mapping[str, str]) -> dict[str, Any]:
        """Ask for refresh tokens that can be renewed without end; apps made before 2025-09-25 must ask for them."""
        return await super().ask(wire, app, url, {**form, "continuous_refresh": "true"})


CONNECTOR = PinterestConnector()
