"""The connector for accounts of X: OAuth 2.0 with PKCE."""

from datetime import timedelta

from platforms.access.connect import Connector
from platforms.twitter.settings import TwitterCredentials


class TwitterConnector(Connector[TwitterCredentials]):
    """X's authorization. Source: docs.x.com, fundamentals/authentication/oauth-2-0."""

    name = "twitter"
    settings_page = "X: Settings, Security and account access, Apps and sessions, Connected apps"
    authorize = "https://x.com/i/oauth2/authorize"
    token = "https://api.x.com/2/oauth2/token"  # noqa: S105 - an address
    scopes = ("tweet.read", "tweet.write", "users.read", "media.write", "offline.access")
    secondary = frozenset({"offline.access"})
    basic = True
    code_lifetime = "30 seconds"
    # Each read costs the operator money.
    checked_every = timedelta(days=1)
    revocation = "https://api.x.com/2/oauth2/revoke"


CONNECTOR = TwitterConnector()
