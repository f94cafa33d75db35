"""Know the workspace that a request's API key speaks for."""

import hashlib
import re
import time
from typing import Any

from litestar import Request

from api.errors import Unauthorized
from domain.errors import Problem
from store.database import Database
from store.workspaces import workspace_of_key

_TRUSTED_FOR_S = 10.0
"""A revoked key still works this long; in return, a busy client costs one look-up in that time."""
_MOST_KEYS = 10_000
_BEARER = re.compile(r"bearer +(\S+) *", re.IGNORECASE)
_MISSING = Problem("Missing API key: send it as Authorization: Bearer sk_…", "invalid_credentials")
_WRONG = Problem("Invalid API key", "invalid_credentials")


class Keys:
    """Remember for a few seconds which workspace a key belongs to; the key itself is not kept."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[bytes, tuple[str, float]] = {}

    async def workspace_of(self, authorization: str | None) -> str:
        """Return the workspace of an Authorization header. Raises Unauthorized."""
        if not authorization:
            raise Unauthorized(_MISSING)
        match = _BEARER.fullmatch(authorization)
        if match is None:
            raise Unauthorized(_MISSING if authorization.strip().lower() == "bearer" else _WRONG)
        digest = hashlib.sha256(match[1].encode()).digest()
        workspace_id, until = self._known.get(digest, ("", 0.0))
        if time.monotonic() < until:
            return workspace_id
        async with self._database.transaction() as session:
            found = await workspace_of_key(session, match[1])
        if found is None:
            self._known.pop(digest, None)
            raise Unauthorized(_WRONG)
        if len(self._known) >= _MOST_KEYS:
            self._known.clear()
        self._known[digest] = (found, time.monotonic() + _TRUSTED_FOR_S)
        return found


async def authenticate(request: Request[Any, Any, Any]) -> str:
    """Return the caller's workspace. Raises Unauthorized."""
    keys: Keys = request.app.state.api_keys
    return await keys.workspace_of(request.headers.get("authorization"))
