"""Access to accounts of TikTok, and requests with a token; a response with status 200 may still be an error."""

from datetime import timedelta
from typing import Any

import httpx

from platforms.access import oauth
from platforms.access.consent import OAuthConnector
from platforms.access.renewal import Reuse, TokenRules
from platforms.access.token_endpoint import TokenEndpoint
from platforms.base import Connection, PublishContext
from platforms.errors import PlatformError, unreadable
from platforms.http.answers import ListAt
from platforms.http.wire import json_object
from platforms.tiktok.errors import read_error
from platforms.tiktok.rules import TikTokCredentials, TikTokSettings

TOKENS = TokenRules(
    lifetime=timedelta(hours=2),
    reuse=Reuse.REFUSED,
    lead=timedelta(minutes=10),
    refresh_lifetime=timedelta(days=180),
    renew_after=timedelta(days=30),
)
"""Source: developers.tiktok.com/doc/oauth-refresh-a-user-access-token; older pages say 24 hours and 365 days."""
ENDPOINT = TokenEndpoint(
    "https://open.tiktokapis.com/v2/oauth/token/",
    revocation="https://open.tiktokapis.com/v2/oauth/revoke/",
    id_field="client_key",
)


class TikTokConnector(OAuthConnector[TikTokCredentials]):
    """TikTok's Login Kit for the web, which does not demand PKCE. Source: developers.tiktok.com/doc/login-kit-web.

    `disable_auto_auth` lets people choose the account each time. An open_id belongs to the app: accounts that are
    connected by another app have other ids.
    """

    name = "tiktok"
    settings_page = "TikTok: Settings and privacy, Security and permissions, Apps and services permissions"
    consent_page = "https://www.tiktok.com/v2/auth/authorize/"
    endpoint = ENDPOINT
    scopes = ("user.info.basic", "user.info.profile", "video.publish", "video.upload", "video.list")
    optional_scopes = frozenset({"video.upload", "video.list"})
    scope_separator = ","
    pkce = False
    revoked_tokens = ("access_token",)
    consent_query = {"disable_auto_auth": "1"}  # noqa: RUF012


CONNECTOR = TikTokConnector()


TikTokConnection = Connection[TikTokCredentials]
TikTokContext = PublishContext[TikTokSettings]


async def call(
    connection: TikTokConnection,
    path: str,
    body: dict[str, Any] | None = None,
    *,
    public: bool = False,
    listed: ListAt | None = None,
) -> dict[str, Any]:
    """Return the data of TikTok's response to a POST. `public` marks the request that may make a post public."""
    return await _send(connection, "POST", path, public=public, json=body or {}, listed=listed)


async def read(connection: TikTokConnection, path: str, **params: str) -> dict[str, Any]:
    """Return the data of TikTok's response to a GET."""
    return await _send(connection, "GET", path, params=params)


async def _send(
    connection: TikTokConnection, method: str, path: str, *, public: bool = False, **options: Any
) -> dict[str, Any]:
    def check(response: httpx.Response) -> None:
        error = json_object(response).get("error")
        if isinstance(error, dict) and error.get("code") not in {None, "ok"}:
            raise connection.wire.outcome(response, read_error(response), public=public)

    response = await oauth.send(connection, method, path, public=public, ended=_has_ended, check=check, **options)
    data = json_object(response).get("data")
    if not isinstance(data, dict):
        raise unreadable("TikTok", public=public)
    return data


def _has_ended(error: PlatformError) -> bool:
    return error.code == "access_token_invalid"
