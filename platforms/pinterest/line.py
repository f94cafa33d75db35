"""An account's line to Pinterest: an expired token is renewed once, which uses up its refresh token."""

from typing import Any

from platforms import oauth
from platforms.base import Connection
from platforms.pinterest.errors import has_ended
from platforms.pinterest.settings import PinterestCredentials
from platforms.wire import json_of

Line = Connection[PinterestCredentials]


async def call(line: Line, method: str, path: str, *, public: bool = False, **options: Any) -> dict[str, Any]:
    """Return Pinterest's answer. `public` marks the request that makes a pin. Raises NetworkError."""

    async def renew(current: PinterestCredentials) -> PinterestCredentials:
        return await oauth.renewed(line.wire, current, "/v5/oauth/token", basic=True)

    return json_of(await oauth.send(line, method, path, renew=renew, ended=has_ended, public=public, **options))
