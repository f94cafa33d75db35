"""Know the workspace that a request's API key speaks for."""

import hashlib
import re
import time
from typing import Any

from litestar import Request

from api.errors import Unauthorized
from domain.errors import Problem
from store.api_keys import Caller, recognize_key
from store.database import Database

_TRUSTED_FOR_S = 1.0
"""A revoked key still works this long; in return, a busy client costs one look-up in that time."""
_MOST_KEYS = 10_000
_BEARER = re.compile(r"bearer +(\S+) *", re.IGNORECASE)
_MISSING = Problem("Missing API key: send it as Authorization: Bearer sk_…", "invalid_credentials")
_WRONG = Problem("Invalid API key", "invalid_credentials")


class Keys:
    """Remember for a moment whom a key belongs to; the key itself is not kept."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[bytes, tuple[Caller, float]] = {}

    async def caller_of(self, authorization: str | None) -> Caller:
        """Return who sent an Authorization header. Raises Unauthorized."""
        if not authorization:
            raise Unauthorized(_MISSING)
        match = _BEARER.fullmatch(authorization)
        if match is None:
            raise Unauthorized(_MISSING if authorization.strip().lower() == "bearer" else _WRONG)
        digest = hashlib.sha256(match[1].encode()).digest()
        known = self._known.get(digest)
        if known is not None and time.monotonic() < known[1]:
            return known[0]
        until = time.monotonic() + _TRUSTED_FOR_S
        async with self._database.reading() as session:
            found = await recognize_key(session, match[1])
        if found is None:
            self._known.pop(digest, None)
            raise Unauthorized(_WRONG)
        if len(self._known) >= _MOST_KEYS:
            self._known.clear()
        self._known[digest] = (found, until)
        return found


async def authenticate(request: Request[Any, Any, Any]) -> str:
    """Return the caller's workspace, and have the access log name the key. Raises Unauthorized."""
    keys: Keys = request.app.state.api_keys
    caller = await keys.caller_of(request.headers.get("authorization"))
    # Not a context variable: Litestar may ask for dependencies in tasks of their own.
    request.state.caller = caller
    return caller.workspace_id
