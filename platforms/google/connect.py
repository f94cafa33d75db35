"""The common base of the connectors of Google's platforms: one app serves all of them."""

from abc import ABC

from platforms.access.connect import Connector, Ends
from platforms.base import C


class GoogleConnector(Connector[C], ABC):
    """Google's authorization. Source: developers.google.com/identity/protocols/oauth2/web-server.

    Without `prompt=consent` a second consent yields no refresh token.
    """

    authorize = "https://accounts.google.com/o/oauth2/v2/auth"
    token = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address
    # Either token ends the whole consent.
    revocation = "https://oauth2.googleapis.com/revoke"
    revoked_tokens = ("refresh_token",)
    ends = Ends.PERSON
    settings_page = "the Google account: myaccount.google.com/connections"
    query = {"access_type": "offline", "prompt": "consent"}  # noqa: RUF012
