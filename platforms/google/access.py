"""Access to accounts of Google's platforms: one app serves all of them."""

from abc import ABC
from datetime import timedelta

from platforms.access.consent import Ends, OAuthConnector
from platforms.access.renewal import Reuse, TokenRules
from platforms.access.token_endpoint import TokenEndpoint
from platforms.app_rules import AppRules
from platforms.base import C

APP = AppRules(family="google")
TOKENS = TokenRules(
    lifetime=timedelta(hours=1), reuse=Reuse.HARMLESS, lead=timedelta(minutes=5), renew_after=timedelta(days=30)
)
"""Source: developers.google.com/identity/protocols/oauth2. A refresh token ends if it is not used for six months."""
SIGN_IN = "https://oauth2.googleapis.com"
ENDPOINT = TokenEndpoint(f"{SIGN_IN}/token", revocation=f"{SIGN_IN}/revoke")


class GoogleConnector(OAuthConnector[C], ABC):
    """Google's authorization. Source: developers.google.com/identity/protocols/oauth2/web-server.

    Without `prompt=consent` a second consent yields no refresh token.
    """

    consent_page = "https://accounts.google.com/o/oauth2/v2/auth"
    endpoint = ENDPOINT
    # Either token ends the whole consent.
    revoked_tokens = ("refresh_token",)
    ends = Ends.PERSON
    settings_page = "the Google account: myaccount.google.com/connections"
    consent_query = {"access_type": "offline", "prompt": "consent"}  # noqa: RUF012
