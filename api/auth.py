"""Authentication: the workspace of a request's API key."""

import asyncio
import hashlib
import re
import time
from contextlib import nullcontext
from typing import TypeVar

from litestar.di import NamedDependency, Provide

from api.dependencies import Deps
from api.errors import Unauthorized
from api.http.headers import HttpRequest, first_header
from domain.audit import Actor, api_key
from domain.errors import Problem
from store.database import Database
from store.workspaces.keys import Caller, recognize_key

_CACHED_FOR_S = 1.0
"""A revoked key still works this long; in return, a busy client costs one look-up in that time."""
_MOST_KEYS = 10_000
_UNKNOWN_CACHED_FOR_S = 10.0
"""An unknown key is not looked up again for this time. Keys are random, so it will not be created meanwhile."""
_UNKNOWN_LOOKUPS = 4
"""Concurrent look-ups of unknown keys: strangers leave the rest of the pool to others."""
_BEARER = re.compile(r"bearer +(\S+) *", re.IGNORECASE)
_KEY = re.compile(r"sk_[A-Za-z0-9_-]{43}")
_MISSING = Problem("Missing API key: send it as Authorization: Bearer sk_…", "invalid_credentials")
_WRONG = Problem("Invalid API key", "invalid_credentials")
_NO_SCHEME = Problem(
    "Invalid API key: put `Bearer ` before the key, as in Authorization: Bearer sk_…", "invalid_credentials"
)


T = TypeVar("T")


class KeyCache:
    """A short-lived cache of API keys' owners. The keys themselves are not kept."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[bytes, tuple[Caller, float]] = {}
        self._unknown: dict[bytes, float] = {}
        self._unknown_lookups = asyncio.Semaphore(_UNKNOWN_LOOKUPS)

    async def caller_of(self, authorization: str | None) -> Caller:
        """Return who sent an Authorization header. Raises Unauthorized."""
        if not authorization:
            raise Unauthorized(_MISSING)
        match = _BEARER.fullmatch(authorization)
        if match is None:
            scheme, *words = authorization.lower().split() or [""]
            raise Unauthorized(_NO_SCHEME if scheme != "bearer" else _WRONG if words else _MISSING)
        if not _KEY.fullmatch(match[1]):
            raise Unauthorized(_WRONG)
        digest = hashlib.sha256(match[1].encode()).digest()
        known = self._known.get(digest)
        if known is not None and time.monotonic() < known[1]:
            return known[0]
        async with nullcontext() if known else self._unknown_lookups:
            if time.monotonic() < self._unknown.get(digest, 0.0):
                raise Unauthorized(_WRONG)
            until = time.monotonic() + _CACHED_FOR_S
            async with self._database.reading() as session:
                found = await recognize_key(session, match[1])
            if found is None:
                self._known.pop(digest, None)
                _keep(self._unknown, digest, time.monotonic() + _UNKNOWN_CACHED_FOR_S)
                raise Unauthorized(_WRONG)
        _keep(self._known, digest, (found, until))
        return found


def actor_of(request: HttpRequest) -> Actor:
    """Return who sends a request, for the audit trail; it must be authenticated."""
    caller: Caller = request.state.caller
    return api_key(caller.key_id)


def _keep(remembered: dict[bytes, T], digest: bytes, what: T) -> None:
    if len(remembered) >= _MOST_KEYS:
        remembered.clear()
    remembered[digest] = what


async def authenticate(request: HttpRequest, deps: Deps) -> str:
    """Return the caller's workspace, and have the access log name the key. Raises Unauthorized, TooManyRequests.

    It asks for `deps` so that Litestar finds them one after the other: for two that do not depend on each other it
    starts a group of tasks, which costs more than both.
    """
    keys: KeyCache = request.app.state.api_keys
    caller = await keys.caller_of(first_header(request.scope, b"authorization"))
    # Not a context variable: Litestar may ask for dependencies in tasks of their own.
    request.state.caller = caller
    deps.rates.take(caller.key_id)
    return caller.workspace_id


WorkspaceId = NamedDependency[str]
"""How a handler asks for the caller's workspace."""
AUTHENTICATED = {"workspace_id": Provide(authenticate)}
"""The dependencies of a controller whose callers need an API key."""
