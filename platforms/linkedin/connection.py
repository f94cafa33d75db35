"""An account's connection to LinkedIn: each request names the version it speaks, an expired token is renewed once."""

from datetime import date
from typing import Any

import httpx

from platforms import oauth
from platforms.base import ApiVersion, Connection
from platforms.linkedin.settings import LinkedInCredentials
from platforms.renewal import Renewed

API = ApiVersion("202609", date(2027, 9, 1), "LinkedIn serves a version for at least a year from its month")
"""An account's credentials may name a newer one."""
BASE_URL = "https://api.linkedin.com"
SIGN_IN = "https://www.linkedin.com"

LinkedInConnection = Connection[LinkedInCredentials]


async def call(
    connection: LinkedInConnection, method: str, path: str, *, public: bool = False, **options: Any
) -> httpx.Response:
    """Return LinkedIn's answer. `public` marks the request that makes something public. Raises PlatformError."""
    return await oauth.send(connection, method, path, headers=_headers, public=public, **options)


async def renew(connection: LinkedInConnection) -> Renewed[LinkedInCredentials]:
    """Trade the refresh token, which only approved partners get. Raises PlatformError."""
    url = oauth.second_host(connection.wire, BASE_URL, SIGN_IN) + "/oauth/v2/accessToken"
    return await oauth.renewed(connection, url, basic=False)


def _headers(credentials: LinkedInCredentials) -> dict[str, str]:
    return {
        **oauth.bearer(credentials),
        "LinkedIn-Version": credentials.api_version or API.name,
        "X-Restli-Protocol-Version": "2.0.0",
    }
