"""Access to accounts of TikTok: consent, and refresh tokens that TikTok may replace."""

from datetime import timedelta

from platforms.access.consent import OAuthConnector
from platforms.access.renewal import Reuse, TokenRules
from platforms.access.token_endpoint import TokenEndpoint
from platforms.tiktok.settings import TikTokCredentials

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
