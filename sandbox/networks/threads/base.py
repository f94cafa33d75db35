"""What Threads' routes share: containers, numbers, and Meta's words for failing."""

import re
import secrets
from abc import ABC

import msgspec

from sandbox.accounts import Account
from sandbox.ids import Scrambled
from sandbox.journal import Shelf
from sandbox.networks.instagram.base import graph_error, missing_object, parameters
from sandbox.posts import Shown
from sandbox.twin import Route, Twin
from sandbox.wire import Answer, RefusedError, Request
from sandbox.world import World

EPOCH_MILLISECONDS = 1_767_225_600_000
"""1 January 2026; the ids last until the middle of 2035."""
FIRST_ID, ID_RANGE = 17_800_000_000_000_000, 300_000_000_000_000
CONTAINER_SECONDS = 86_400
POSTS_PER_DAY, REPLIES_PER_DAY = 250, 1000

_VERSION = re.compile(r"^/v\d+\.\d+(?=/)")


class Container(msgspec.Struct, rename="camel"):
    """Be one container. Times are seconds since 1970; `error` is the code that its status shows."""

    id: str
    account_id: str
    kind: str
    created_at: float
    ready_at: float
    text: str = ""
    is_child: bool = False
    media: list[Shown] = []
    error: str | None = None
    reply_to: str | None = None
    quotes: str | None = None
    note: str | None = None
    post_id: str | None = None

    def status(self, now: float) -> str:
        """Return the status as Threads tells it."""
        if self.post_id is not None:
            return "PUBLISHED"
        if self.error is not None:
            return "ERROR"
        if now - self.created_at >= CONTAINER_SECONDS:
            return "EXPIRED"
        return "FINISHED" if now >= self.ready_at else "IN_PROGRESS"


class ThreadsTwin(Twin, ABC):
    """Hold what all routes share."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.ids = Scrambled(world.now, EPOCH_MILLISECONDS, FIRST_ID, ID_RANGE)
        self.containers: Shelf[Container] = world.shelf("threads", "container", Container)
        self.attempted: set[str] = set()
        """Containers that somebody asked to publish; reading one of them is to confirm, no longer to prepare."""

    def failure(self, status: int, message: str | None = None) -> Answer:
        """Word a failure by its status alone."""
        if status >= 500:
            said = message or "An unexpected error has occurred. Please retry your request later."
            return graph_error(said, 2, is_transient=True, status=status)
        return graph_error(message or "Unknown path components", 2500, status=status)

    def unauthorized(self) -> Answer:
        """Word an unknown or missing token."""
        return graph_error("Invalid OAuth access token - Cannot parse access token", 190)

    def token_expired(self) -> Answer:
        """Word an expired token."""
        return graph_error("Error validating access token: Session has expired.", 190, 463)

    def rate_limited(self, seconds: float) -> Answer:
        """Word a reached limit; Threads names no time."""
        answer = graph_error("(#4) Application request limit reached", 4, is_transient=True, status=429)
        return answer.with_headers({"X-App-Usage": '{"call_count":100,"total_cputime":25,"total_time":25}'})

    def inner_path(self, path: str) -> str:
        """Strip the version; every one is served alike."""
        return _VERSION.sub("", path).rstrip("/") or "/"

    async def serve(self, found: Route, request: Request) -> Answer:
        """Answer with Meta's own headers."""
        try:
            answer = await found.handler(request)
        except RefusedError as error:
            answer = error.answer
        return answer.with_headers({"x-fb-request-id": secrets.token_urlsafe(12)})

    def token(self, request: Request) -> str:
        """Return the token from header, query or body."""
        return request.bearer or str(parameters(request).get("access_token", ""))

    def owner(self, request: Request) -> Account:
        """Return whose request it is; refuses other accounts than the token's own in the path."""
        account = self.account(request)
        if request.params["id"] not in (account.user_id, "me"):
            raise missing_object(request.params["id"], request.method.lower())
        return account


def not_there() -> RefusedError:
    """Say that something does not exist, or not yet; the subcode is unverified."""
    return RefusedError(graph_error("The requested resource does not exist", 24, 4279009))
