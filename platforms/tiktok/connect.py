"""The connector for accounts of TikTok."""

from platforms.access.connect import Connector
from platforms.tiktok.settings import TikTokCredentials


class TikTokConnector(Connector[TikTokCredentials]):
    """TikTok's Login Kit for the web, which does not demand PKCE. Source: developers.tiktok.com/doc/login-kit-web.

    `disable_auto_auth` lets people choose the account each time. An open_id belongs to the app: accounts that are
    connected by another app have other ids.
    """

    name = "tiktok"
    settings_page = "TikTok: Settings and privacy, Security and permissions, Apps and services permissions"
    authorize = "https://www.tiktok.com/v2/auth/authorize/"
    token = "https://open.tiktokapis.com/v2/oauth/token/"  # noqa: S105 - an address
    scopes = ("user.info.basic", "user.info.profile", "video.publish", "video.upload", "video.list")
    secondary = frozenset({"video.upload", "video.list"})
    divided_by = ","
    pkce = False
    client_id = "client_key"
    revocation = "https://open.tiktokapis.com/v2/oauth/revoke/"
    revoked_tokens = ("access_token",)
    query = {"disable_auto_auth": "1"}  # noqa: RUF012


CONNECTOR = TikTokConnector()
