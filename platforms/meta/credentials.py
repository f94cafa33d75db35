"""The credentials of all of Meta's platforms."""

import hashlib
import hmac

from pydantic import SecretStr

from platforms.client_model import ClientModel


class MetaCredentials(ClientModel):
    """An access token, and the app that it was issued to.

    With the app's secret, every call carries a proof of it. Apps with the option "Require app secret" refuse calls
    without one; all others accept it.
    """

    access_token: SecretStr
    client_id: str | None = None
    client_secret: SecretStr | None = None


NO_PROOF = "app_secret"
"""Our code for refusals of calls without the right proof of the app's secret."""


def applies_to(code: str, credentials: MetaCredentials) -> bool:
    """Return whether a refusal of the app, by its code, also stops an account with these credentials."""
    return code != NO_PROOF or credentials.client_secret is None


def app_proof(credentials: MetaCredentials) -> dict[str, str]:
    """Return the parameter that proves the app's secret; none if the secret is not known.

    Source: developers.facebook.com/docs/graph-api/guides/secure-requests.
    """
    if credentials.client_secret is None:
        return {}
    key, token = credentials.client_secret.get_secret_value(), credentials.access_token.get_secret_value()
    return {"appsecret_proof": hmac.new(key.encode(), token.encode(), hashlib.sha256).hexdigest()}
