"""An account's connection to LinkedIn: each request names its API version, and an expired token is renewed once."""

from datetime import date
from typing import Any

import httpx

from platforms.access import oauth
from platforms.access.inspection import Inspection, end_of
from platforms.access.renewal import Renewed, lifetimes_of
from platforms.base import ApiVersion, Connection
from platforms.errors import ErrorKind, PlatformError
from platforms.http.wire import json_object
from platforms.linkedin.settings import LinkedInCredentials

API = ApiVersion("202609", date(2027, 9, 1), "LinkedIn serves a version for at least a year from its month")
"""The default version; an account's credentials may name a newer one."""
BASE_URL = "https://api.linkedin.com"
SIGN_IN = "https://www.linkedin.com"

LinkedInConnection = Connection[LinkedInCredentials]


async def call(
    connection: LinkedInConnection, method: str, path: str, *, public: bool = False, **options: Any
) -> httpx.Response:
    """Return LinkedIn's response. `public` marks the request that makes something public. Raises PlatformError."""
    return await oauth.send(connection, method, path, headers=_headers, public=public, **options)


async def renew(connection: LinkedInConnection) -> Renewed[LinkedInCredentials]:
    """Exchange the refresh token, which only approved partners get, for new tokens. Raises PlatformError."""
    url = oauth.second_host(connection.wire, BASE_URL, SIGN_IN) + "/oauth/v2/accessToken"
    return await oauth.renewed(connection, url, basic=False)


async def introspect(connection: LinkedInConnection) -> Inspection:
    """Return LinkedIn's report on the access token. Raises PlatformError, kind `auth` if it is not active.

    Source: learn.microsoft.com/linkedin/shared/authentication/token-introspection.
    """
    credentials = connection.credentials
    url = oauth.second_host(connection.wire, BASE_URL, SIGN_IN) + "/oauth/v2/introspectToken"
    secret = credentials.client_secret.get_secret_value() if credentials.client_secret else ""
    form = {"client_id": credentials.client_id or "", "client_secret": secret}
    form["token"] = credentials.access_token.get_secret_value()
    answer = json_object(await connection.wire.send("POST", url, data=form))
    if not isinstance(answer.get("active"), bool):
        raise PlatformError(
            ErrorKind.TRANSIENT, "LinkedIn did not say whether the token works.", code="unreadable_answer"
        )
    if not answer["active"]:
        message = "LinkedIn no longer accepts this account's connection. Reconnect the account."
        raise PlatformError(ErrorKind.AUTH, message, code="token_inactive")
    return Inspection(lifetimes_of(answer).scopes, end_of(answer.get("expires_at")))


def _headers(credentials: LinkedInCredentials) -> dict[str, str]:
    return {
        **oauth.bearer(credentials),
        "LinkedIn-Version": credentials.api_version or API.name,
        "X-Restli-Protocol-Version": "2.0.0",
    }
