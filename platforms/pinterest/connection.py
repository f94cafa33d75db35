"""An account's connection to Pinterest: an expired token is renewed once, which uses up its refresh token."""

from collections.abc import Mapping
from typing import Any

from platforms.access import oauth
from platforms.access.renewal import Renewed
from platforms.base import Connection
from platforms.http.token_endpoint import refuses_grant
from platforms.http.wire import json_object
from platforms.pinterest.errors import has_ended
from platforms.pinterest.settings import PinterestCredentials

PinterestConnection = Connection[PinterestCredentials]

_GRANT_ENDED = 283


async def call(
    connection: PinterestConnection, method: str, path: str, *, public: bool = False, **options: Any
) -> dict[str, Any]:
    """Return Pinterest's response. `public` marks the request that makes a pin. Raises PlatformError."""
    return json_object(await oauth.send(connection, method, path, ended=has_ended, public=public, **options))


async def renew(connection: PinterestConnection) -> Renewed[PinterestCredentials]:
    """Exchange the refresh token for new ones. Raises PlatformError."""
    return await oauth.renewed(connection, "/v5/oauth/token", basic=True, grant_ended=_grant_ended)


def _grant_ended(answer: Mapping[str, Any]) -> bool:
    """Return whether Pinterest's code says that it refuses the refresh token; seen in responses, unverified."""
    return refuses_grant(answer) or answer.get("code") == _GRANT_ENDED
