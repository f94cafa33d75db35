"""Pinterest's errors, rate limits and ids."""

import secrets
from abc import ABC
from typing import TypeVar

import msgspec

from sandbox.fake_platform import FakePlatform, Route
from sandbox.ids import Snowflakes
from sandbox.journal import Collection
from sandbox.wire import Answer, RefusedError, Request
from sandbox.world import World

EPOCH_MILLISECONDS = 1_570_000_000_000
"""Ids of 18 digits, like Pinterest's; what those are made of is unknown."""
REQUESTS_PER_DAY = 1000
"""The limit with trial access."""

INVALID, UNAUTHORIZED, LACKS_SCOPES, TOO_MANY, NOT_PERMITTED, BOARD_NOT_FOUND, PIN_NOT_FOUND = 1, 2, 3, 8, 29, 40, 50
"""Codes of errors; clients saw 3 and 29 in answers, 8, 40 and 50 are unverified."""

M = TypeVar("M")


class Video(msgspec.Struct, rename="camel"):
    """One registered upload. Times are seconds since 1970; `ready_at` is None until the file has arrived."""

    id: str
    account_id: str
    key: str
    ready_at: float | None = None
    failed: bool = False
    src: str | None = None

    def status(self, now: float) -> str:
        """Return the status as Pinterest reports it."""
        if self.ready_at is None:
            return "registered"
        if now < self.ready_at:
            return "processing"
        return "failed" if self.failed else "succeeded"


def error(status: int, code: int, message: str) -> Answer:
    """Return an error in Pinterest's form."""
    return Answer.json({"code": code, "message": message}, status)


def refused(status: int, code: int, message: str) -> RefusedError:
    """Refuse a request with one of Pinterest's errors."""
    return RefusedError(error(status, code, message))


def read(request: Request, kind: type[M]) -> M:
    """Read and check a JSON body."""
    try:
        return msgspec.json.decode(request.body, type=kind)
    except (msgspec.DecodeError, RecursionError) as problem:
        raise refused(400, INVALID, f"Invalid request: {problem}") from problem


class FakePinterest(FakePlatform, ABC):
    """State and methods that all of Pinterest's routes share."""

    refuses_app_for = frozenset({"publish"})
    renewal_path = "/v5/oauth/token"
    conditions = {  # noqa: RUF012
        "app_inactive": "The app is not activated: everything is refused, reads of the user too.",
        "structured_limits": "Headers tell several limits at a time, as structured fields.",
        "lists_lag": "Lists do not show the pins of the last three minutes.",
        "scopes_missing": "The account's token lacks a scope for everything but reads of the user.",
        "board_forbidden": "The account may not pin to any board.",
        "links_rewritten": "Links are shown with https and without their query.",
    }

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.ids = Snowflakes(world.now, EPOCH_MILLISECONDS)
        self.videos: Collection[Video] = world.collection("pinterest", "video", Video)

    def app_refused(self) -> Answer:
        """Return the response to an app with trial access, which may not make pins; reads and uploads still work."""
        message = "Apps with Trial access may not create Pins in production. Use the API Sandbox instead."
        return error(403, NOT_PERMITTED, message)

    def failure(self, status: int, message: str | None = None) -> Answer:
        """Return the response to a failure, by its status alone."""
        return error(status, 0, message or "Something went wrong on our end. Sorry about that.")

    def refused_content(self) -> Answer:
        """Return the response to a post that does not pass validation."""
        return error(400, 1, "Invalid request: the title is too long.")

    def unauthorized(self) -> Answer:
        """Return the response to an unknown or missing token."""
        return error(401, UNAUTHORIZED, "Authentication failed.")

    def rate_limited(self, seconds: float) -> Answer:
        """Return the response to a reached limit."""
        answer = error(429, TOO_MANY, "You have exceeded your rate limit. Try again later.")
        reset = str(-int(-seconds // 1))
        if self.holds("structured_limits"):
            # As measured in July 2026.
            reset = f'{reset}, {reset};w=1;name="safety_net_app_id_user_id", 60;w=60;name="org_write"'
        return answer.with_headers({"x-ratelimit-remaining": "0", "x-ratelimit-reset": reset})

    async def serve(self, route: Route, request: Request) -> Answer:
        """Count the request against the day, and add Pinterest's headers to the answer."""
        account = self.world.accounts.by_token(self.platform, request.bearer)
        who = account.account_id if account else ""
        window = self.world.windows.take((self.platform, who), REQUESTS_PER_DAY, 86_400)
        try:
            if self.holds("app_inactive", account):
                raise refused(401, LACKS_SCOPES, "Authentication failed: consumer type is not supported.")
            answer = await route.handler(request) if window.allowed else self.rate_limited(60)
        except RefusedError as problem:
            answer = problem.answer
        return answer.with_headers({"x-pinterest-rid": str(secrets.randbits(53))})
