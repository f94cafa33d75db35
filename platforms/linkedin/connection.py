"""An account's connection to LinkedIn: each request names its API version, and an expired token is renewed once."""

from datetime import date
from typing import Any

import httpx

from platforms.access import oauth
from platforms.base import ApiVersion, Connection
from platforms.linkedin.settings import LinkedInCredentials

API = ApiVersion("202609", date(2027, 9, 1), "LinkedIn serves a version for at least a year from its month")
"""The default version; an account's credentials may name a newer one."""
BASE_URL = "https://api.linkedin.com"

LinkedInConnection = Connection[LinkedInCredentials]


async def call(
    connection: LinkedInConnection, method: str, path: str, *, public: bool = False, **options: Any
) -> httpx.Response:
    """Return LinkedIn's response. `public` marks the request that makes something public. Raises PlatformError."""
    return await oauth.send(connection, method, path, headers=_headers, public=public, **options)


def _headers(credentials: LinkedInCredentials) -> dict[str, str]:
    return {
        **oauth.bearer(credentials),
        "LinkedIn-Version": credentials.api_version or API.name,
        "X-Restli-Protocol-Version": "2.0.0",
    }
