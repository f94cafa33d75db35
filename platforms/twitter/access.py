"""Access to accounts of X: OAuth 2.0 with PKCE, and refresh tokens that work once."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from platforms.access.consent import OAuthConnector
from platforms.access.renewal import Reuse, TokenRules
from platforms.access.token_endpoint import ClientAuth, TokenEndpoint, refuses_grant
from platforms.twitter.settings import TwitterCredentials

TOKENS = TokenRules(
    lifetime=timedelta(hours=2),
    reuse=Reuse.ENDS_GRANT,
    lead=timedelta(minutes=10),
    refresh_lifetime=timedelta(days=180),
    renew_after=timedelta(days=30),
)
"""X: 2 hours by its documentation. That a second use ends the grant, and that a refresh token is valid for six months,
was seen by others."""


def _refuses_grant(answer: Mapping[str, Any]) -> bool:
    """Return whether the refresh token is dead, not the request wrong: X calls both `invalid_request`.

    The message shows which; source: responses that several public clients have in their tests.
    """
    message = str(answer.get("error_description"))
    is_token_invalid = answer.get("error") == "invalid_request" and "for the token was invalid" in message
    return refuses_grant(answer) or is_token_invalid


ENDPOINT = TokenEndpoint(
    "https://api.x.com/2/oauth2/token",
    revocation="https://api.x.com/2/oauth2/revoke",
    # Only an app with a secret identifies itself by HTTP Basic.
    auth=ClientAuth.BASIC_WITH_SECRET,
    refuses_grant=_refuses_grant,
)


class TwitterConnector(OAuthConnector[TwitterCredentials]):
    """X's authorization. Source: docs.x.com, fundamentals/authentication/oauth-2-0."""

    name = "twitter"
    settings_page = "X: Settings, Security and account access, Apps and sessions, Connected apps"
    consent_page = "https://x.com/i/oauth2/authorize"
    endpoint = ENDPOINT
    scopes = ("tweet.read", "tweet.write", "users.read", "media.write", "offline.access")
    optional_scopes = frozenset({"offline.access"})
    code_lifetime = "30 seconds"
    # Each read costs the operator money.
    check_interval = timedelta(days=1)


CONNECTOR = TwitterConnector()
