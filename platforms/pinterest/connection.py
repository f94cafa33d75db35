"""An account's connection to Pinterest: an expired token is renewed once, which uses up its refresh token."""

from typing import Any

from platforms.access import oauth
from platforms.base import Connection
from platforms.http.wire import json_object
from platforms.pinterest.errors import has_ended
from platforms.pinterest.settings import PinterestCredentials

PinterestConnection = Connection[PinterestCredentials]


async def call(
    connection: PinterestConnection, method: str, path: str, *, public: bool = False, **options: Any
) -> dict[str, Any]:
    """Return Pinterest's response. `public` marks the request that makes a pin. Raises PlatformError."""
    return json_object(await oauth.send(connection, method, path, ended=has_ended, public=public, **options))
