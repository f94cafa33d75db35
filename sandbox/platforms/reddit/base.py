"""Reddit's errors, rate limits and ids."""

import re
from abc import ABC

import msgspec

from sandbox.fake_platform import FakePlatform, Route
from sandbox.journal import Collection
from sandbox.posts import ShownMedia
from sandbox.wire import Answer, RefusedError, Request
from sandbox.world import World

EPOCH_MILLISECONDS = 1_767_225_600_000
FIRST_ID = 3_000_000_000
"""Ids of 7 signs in base 36, like Reddit's of 2026."""
REQUESTS, WINDOW_SECONDS = 1000, 600
"""100 requests a minute, averaged over ten minutes."""
LAG_SECONDS = 3
"""By how many seconds listings lag behind, with --realistic."""

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_AGENT = re.compile(r"[^\s:]+:[^\s:]+:\S+ \(by /u/[\w-]+\)")


class Asset(msgspec.Struct, rename="camel"):
    """One lease of the storage."""

    id: str
    account_id: str
    key: str
    url: str
    content_type: str
    stored: bool = False
    src: str | None = None

    def shown(self) -> ShownMedia:
        """Return the file as posts show it."""
        return ShownMedia("gif" if self.content_type == "image/gif" else "image", self.src)


def refused(code: str, message: str, field: str, *, ratelimit: float | None = None) -> RefusedError:
    """Refuse a request with status 200, as Reddit does."""
    body: dict[str, object] = {"errors": [[code, message, field]]}
    if ratelimit is not None:
        body["ratelimit"] = ratelimit
    return RefusedError(Answer.json({"json": body}))


class FakeReddit(FakePlatform, ABC):
    """State and methods that all of Reddit's routes share."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.assets: Collection[Asset] = world.collection("reddit", "asset", Asset)
        self._last = 0

    def next_id(self) -> str:
        """Return the next id, in base 36."""
        fresh = FIRST_ID + (int(self.world.now() * 1000) - EPOCH_MILLISECONDS) // 10
        self._last = number = max(fresh, self._last + 1)
        digits = ""
        while number:
            number, digit = divmod(number, 36)
            digits = _DIGITS[digit] + digits
        return digits

    def failure(self, status: int, message: str | None = None) -> Answer:
        """Return the response to a failure, by its status alone."""
        return Answer.json({"message": message or "Error", "error": status}, status)

    def refused_content(self) -> Answer:
        """Return the response to a post that does not pass validation."""
        return Answer.json({"json": {"errors": [["TOO_LONG", "this is too long (max: 300)", "title"]]}})

    def unauthorized(self) -> Answer:
        """Return the response to an unknown or missing token."""
        return self.failure(401, "Unauthorized")

    def rate_limited(self, seconds: float) -> Answer:
        """Return the response to a reached limit."""
        reset = -int(-seconds // 1)
        answer = self.failure(429, "Too Many Requests").with_headers(_limits(0, REQUESTS, reset))
        return answer.with_headers({"retry-after": str(reset)})

    async def serve(self, route: Route, request: Request) -> Answer:
        """Refuse apps without a User-Agent, count the request, and report in the headers how many remain."""
        if route.path.startswith("/storage/") or route.path == "/api/v1/authorize":
            return await route.handler(request)
        if not _AGENT.match(request.header("user-agent")):
            return Answer.text("<html><body>whoa there, pardner!</body></html>", 403)
        account = self.world.accounts.by_token(self.platform, request.bearer)
        who = account.account_id if account else ""
        window = self.world.windows.take((self.platform, who), REQUESTS, WINDOW_SECONDS)
        seconds = window.resets_at - self.world.now()
        if not window.allowed:
            return self.rate_limited(seconds)
        try:
            answer = await route.handler(request)
        except RefusedError as problem:
            answer = problem.answer
            request.ignore_unread()
        return answer.with_headers(_limits(window.remaining, window.limit - window.remaining, int(seconds)))


def _limits(remaining: int, used: int, reset: int) -> dict[str, str]:
    return {
        "x-ratelimit-remaining": f"{remaining}.0",
        "x-ratelimit-used": str(used),
        "x-ratelimit-reset": str(reset),
    }
