"""Authentication: the workspace of a request's API key, or of the token of a calendar view, and what it may do."""

import hashlib
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Generic, TypeVar

from litestar import Litestar
from litestar.di import NamedDependency, Provide
from litestar.types import HTTPScope
from sqlalchemy.ext.asyncio import AsyncSession

from api.dependencies import Dependencies, Deps
from api.errors import Forbidden, Unauthorized
from api.http.headers import HttpRequest, first_header
from api.http.operation import served_operation
from api.shared.caches import StrangerLookups
from domain.api_keys import Scope, is_key_text
from domain.audit import Actor, api_key
from domain.errors import Problem, TooManyRequests
from store.database import Database
from store.workspaces.calendar_views import TOKEN_PREFIX, Viewer, is_token_text, recognize_view
from store.workspaces.keys import Caller, recognize_key

_RULES = (
    (r"GET /v1/me", None),
    (r".* /v1/api-keys.*", Scope.KEYS),
    (r".* /v1/webhooks.*", Scope.WEBHOOKS),
    (r".* /v1/connect.*|(?!GET ).* /v1/accounts.*", Scope.ACCOUNTS),
    (r"GET .*|POST .*/(validate|preview)", Scope.READ),
    (r".*", Scope.WRITE),
)
"""Patterns of methods and paths; the first that fits decides. GET /v1/connect begins a connection."""


@cache
def required_scope(route: str) -> Scope | None:
    """Return the scope that an operation, by its method and path, demands; None if every key may use it."""
    return next(scope for pattern, scope in _RULES if re.fullmatch(pattern, route))


C = TypeVar("C", bound=Caller)
_CHANGE_NO_POSTS = {Scope.READ, Scope.KEYS}
"""Scopes of operations that are served while a restore is handled."""
_KNOWN_CALLER = "known_caller"
"""The name in a request's state of the caller whom `find_flood` knew."""
_CACHED_FOR_S = 1.0
"""A revoked key still works this long; in return, a busy client costs one look-up in that time."""
_MOST_KEYS = 10_000
_BEARER = re.compile(r"bearer +(\S+) *", re.IGNORECASE)
_MISSING = Problem("Missing API key: send it as Authorization: Bearer sk_…", "invalid_credentials")
_WRONG = Problem("Invalid API key", "invalid_credentials")
_WRONG_VIEW = Problem("This calendar view was revoked, or its address is not complete", "invalid_credentials")
_NO_SCHEME = Problem(
    "Invalid API key: put `Bearer ` before the key, as in Authorization: Bearer sk_…", "invalid_credentials"
)


@dataclass(frozen=True, slots=True)
class TokenKind(Generic[C]):
    """A kind of token: its form, the query that recognizes one, and the refusal of all others."""

    has_form: Callable[[str], bool]
    recognize: Callable[[AsyncSession, str], Awaitable[C | None]]
    wrong: Problem


API_KEYS = TokenKind(is_key_text, recognize_key, _WRONG)
CALENDAR_VIEWS = TokenKind(is_token_text, recognize_view, _WRONG_VIEW)


class TokenCache(Generic[C]):
    """A short-lived cache of the callers of tokens of one kind. The tokens themselves are not kept."""

    def __init__(self, database: Database, kind: TokenKind[C], strangers: StrangerLookups | None = None) -> None:
        self._database = database
        self._kind = kind
        self._strangers = strangers or StrangerLookups()
        self._known: dict[bytes, tuple[C, float]] = {}

    async def find(self, key: str) -> C:
        """Return the caller of a token. Raises Unauthorized."""
        if not self._kind.has_form(key):
            raise Unauthorized(self._kind.wrong)
        digest = _digest(key)
        known = self._known.get(digest)
        if known is not None and time.monotonic() < known[1]:
            return known[0]
        until = time.monotonic() + _CACHED_FOR_S
        look_up = partial(self._look_up, key)
        if known is not None:
            # Other requests with this key use the known caller, while this one asks again.
            self._known[digest] = known[0], until
        try:
            caller = await (look_up() if known else self._strangers.find(key, look_up))
        except BaseException:
            self._known.pop(digest, None)
            raise
        if caller is None:
            self._known.pop(digest, None)
            raise Unauthorized(self._kind.wrong)
        if len(self._known) >= _MOST_KEYS:
            self._known.clear()
        self._known[digest] = caller, until
        return caller

    def find_known(self, authorization: str | None) -> C | None:
        """Return who sent an Authorization header, if that was looked up a moment ago, else None."""
        match = _BEARER.fullmatch(authorization or "")
        known = match and self._known.get(_digest(match[1]))
        return known[0] if known and time.monotonic() < known[1] else None

    async def _look_up(self, key: str) -> C | None:
        async with self._database.reading() as session:
            return await self._kind.recognize(session, key)


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


def bearer_token(authorization: str | None) -> str:
    """Return the token of an Authorization header. Raises Unauthorized."""
    if not authorization:
        raise Unauthorized(_MISSING)
    match = _BEARER.fullmatch(authorization)
    if match is None:
        scheme, *words = authorization.lower().split() or [""]
        raise Unauthorized(_NO_SCHEME if scheme != "bearer" else _WRONG if words else _MISSING)
    return match[1]


def request_key(request: HttpRequest) -> str:
    """Return the key that a request came with; it must be authenticated."""
    return bearer_token(first_header(request.scope, b"authorization"))


def request_caller(request: HttpRequest) -> Caller:
    """Return who sends a request; it must be authenticated."""
    caller: Caller = request.state.caller
    return caller


def request_actor(request: HttpRequest) -> Actor:
    """Return who sends a request, for the audit trail; it must be authenticated."""
    return api_key(request_caller(request).key_id)


async def authenticate(request: HttpRequest, deps: Deps) -> str:
    """Return the caller's workspace, and have the access log name the key.

    Raises Unauthorized, TooManyRequests, Forbidden if the key lacks the operation's scope, and Unavailable for a
    change while a restore is handled.

    It asks for `deps` so that Litestar finds them one after the other: for two that do not depend on each other it
    starts a group of tasks, which costs more than both.
    """
    caller: Caller | None = request.scope["state"].get(_KNOWN_CALLER)
    if caller is None:
        keys: TokenCache[Caller] = request.app.state.api_keys
        caller = await keys.find(bearer_token(first_header(request.scope, b"authorization")))
    await _admit(request, deps, caller)
    operation = served_operation(request)
    scope = required_scope(operation.route)
    if scope is not None and scope not in caller.scopes:
        raise Forbidden(scope)
    if request.scope["method"] != "GET" and scope not in _CHANGE_NO_POSTS:
        await deps.restoring.require_finished()
    if operation.writes_post:
        await deps.request_limits.take_posts(caller.workspace_id)
    return caller.workspace_id


def find_flood(app: Litestar, scope: HTTPScope) -> tuple[TooManyRequests, float] | None:
    """Return the refusal of a request whose key is known to have used its limit up, and the seconds that it waits.

    None for all others; if their caller is known, `authenticate` need not look again.
    """
    if not scope["path"].startswith("/v1/"):
        return None
    keys: TokenCache[Caller] = app.state.api_keys
    caller = keys.find_known(first_header(scope, b"authorization"))
    if caller is None:
        return None
    deps: Dependencies = app.state.deps
    # Nearly no key is refused: so this costs the requests of all others nothing.
    is_refused = caller.key_id in deps.request_limits.refused
    error = deps.request_limits.known_refusal(caller) if is_refused else None
    if error is None:
        scope["state"][_KNOWN_CALLER] = caller
        return None
    scope["state"]["caller"], scope["state"]["holder"].workspace_id = caller, caller.workspace_id
    return error, deps.request_limits.refusal_wait_s(caller)


async def authenticate_viewer(request: HttpRequest, deps: Deps) -> str:
    """Return the workspace of a caller who has an API key or the token of a calendar view. Raises as `authenticate`."""
    token = bearer_token(first_header(request.scope, b"authorization"))
    if not token.startswith(TOKEN_PREFIX):
        return await authenticate(request, deps)
    return (await admit_viewer(request, deps, token)).workspace_id


async def admit_viewer(request: HttpRequest, deps: Dependencies, token: str) -> Viewer:
    """Return the calendar view of a token. Raises Unauthorized, TooManyRequests."""
    views: TokenCache[Viewer] = request.app.state.calendar_views
    viewer = await views.find(token)
    await _admit(request, deps, viewer)
    return viewer


async def readmit(request: HttpRequest) -> None:
    """Look up the caller of a request again that has waited. Raises Unauthorized if its token was revoked meanwhile."""
    state, token = request.app.state, request_key(request)
    tokens: TokenCache[Caller] = state.calendar_views if token.startswith(TOKEN_PREFIX) else state.api_keys
    await tokens.find(token)


def request_viewer(request: HttpRequest) -> Viewer | None:
    """Return the calendar view by which a request was admitted; None if it came with an API key."""
    caller = request_caller(request)
    return caller if isinstance(caller, Viewer) else None


async def _admit(request: HttpRequest, deps: Dependencies, caller: Caller) -> None:
    # Not a context variable: Litestar may ask for dependencies in tasks of their own.
    state = request.scope["state"]
    state["caller"] = caller
    state["holder"].workspace_id = caller.workspace_id
    await deps.request_limits.take_request(caller)


WorkspaceId = NamedDependency[str]
"""How a handler asks for the caller's workspace."""
AUTHENTICATED = {"workspace_id": Provide(authenticate)}
"""The dependencies of a controller whose callers need an API key."""
FOR_VIEWERS = {"workspace_id": Provide(authenticate_viewer)}
"""The dependencies of a controller that the tokens of calendar views open, too."""
