"""Pinterest's errors, rate limits and ids, its user, boards and tokens."""

import secrets
from abc import ABC

import msgspec

from sandbox.accounts import Account
from sandbox.authorization import ConsentRules, OAuthError
from sandbox.fake_platform import Route, route
from sandbox.journal import Collection, Snowflakes
from sandbox.tokens import RefreshError, TokenPlatform, TokenRules
from sandbox.wire import Answer, RefusedError, Request, TrackedParameters
from sandbox.world import World

EPOCH_MILLISECONDS = 1_570_000_000_000
"""Ids of 18 digits, like Pinterest's; what those are made of is unknown."""
REQUESTS_PER_DAY = 1000
"""The limit with trial access."""

INVALID, UNAUTHORIZED, LACKS_SCOPES, TOO_MANY, NOT_PERMITTED, BOARD_NOT_FOUND, PIN_NOT_FOUND = 1, 2, 3, 8, 29, 40, 50
"""Codes of errors; clients saw 3 and 29 in answers, 8, 40 and 50 are unverified."""


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


REFRESH_SECONDS = 5_184_000
_SCOPES = frozenset(("boards:read", "boards:write", "pins:read", "pins:write", "user_accounts:read"))


class FakePinterest(TokenPlatform, ABC):
    """State and methods that all of Pinterest's routes share, and the routes of the user, boards and tokens."""

    # Pinterest documents neither PKCE nor how long a code is valid.
    consent = ConsentRules("/oauth/", _SCOPES, code_seconds=600, pkce="none", scope_separator=",")
    refuses_app_for = frozenset({"publish"})
    tokens = TokenRules(
        "/v5/oauth/token",
        2_592_000,
        refresh="rotates",
        refresh_seconds=REFRESH_SECONDS,
        basic=True,
        refresh_refusal="Your refresh token is invalid or was used before.",
        kind="bearer",
    )
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

    def malformed(self, reason: str) -> Answer:
        """Return the response to a body that does not fit the schema."""
        return error(400, INVALID, f"Invalid request: {reason}")

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

    def gate(self, route: Route, request: Request) -> dict[str, str]:
        """Count the request against the day."""
        account = self.sender(request)
        if self.holds("app_inactive", account):
            raise refused(401, LACKS_SCOPES, "Authentication failed: consumer type is not supported.")
        if not self.count(account, REQUESTS_PER_DAY, 86_400).allowed:
            raise RefusedError(self.rate_limited(60))
        return {}

    def signature(self) -> dict[str, str]:
        """Return the id of the request."""
        return {"x-pinterest-rid": str(secrets.randbits(53))}

    def oauth_refused(self, problem: OAuthError) -> Answer:
        """Return the response of the token endpoint, in the form of all of Pinterest's errors."""
        if isinstance(problem, RefreshError):
            return error(401, 283, problem.description)
        return error(401 if problem.code == "invalid_client" else 400, INVALID, problem.description)

    def client(self, request: Request, form: TrackedParameters) -> tuple[str, str]:
        """Return the app. Those made before 2025-09-25 must ask for refresh tokens that can be renewed without end."""
        form.get("continuous_refresh")
        return super().client(request, form)

    def token_details(self, account: Account, grant: str) -> dict[str, object]:
        """Return how long refresh tokens are valid, and what was exchanged."""
        ends = int(self.world.now()) + REFRESH_SECONDS
        lifetimes = {"refresh_token_expires_in": REFRESH_SECONDS, "refresh_token_expires_at": ends}
        return {"response_type": grant, **lifetimes}

    @route("GET", "/v5/user_account", "auth")
    async def me(self, request: Request) -> Answer:
        """Return the account that the token belongs to."""
        account = self.account(request)
        return Answer.json({"id": account.user_id, "username": account.username, "account_type": "BUSINESS"})

    @route("GET", "/v5/boards", "auth")
    async def boards(self, request: Request) -> Answer:
        """List the account's boards; pins may be sent to any other board too."""
        account = self.account(request)
        names = ("Sandbox", "Recipes", "Knots")
        boards = [{"id": f"{5 + at}{account.user_id}", "name": name} for at, name in enumerate(names)]
        return _page(request, [board | {"privacy": "PUBLIC"} for board in boards])

    @route("GET", "/v5/boards/{id}/sections", "auth")
    async def sections(self, request: Request) -> Answer:
        """List the sections of a board of the account: every board has the same two."""
        account, board = self.account(request), request.params["id"]
        if self.holds("scopes_missing", account):
            raise refused(401, LACKS_SCOPES, "Authentication failed: the token lacks boards:read.")
        if board[1:] != account.user_id or board[0] not in "567":
            raise refused(404, BOARD_NOT_FOUND, "Board not found.")
        return _page(request, [{"id": f"{board}{at}", "name": name} for at, name in enumerate(("Easy", "Hard"))])


def _page(request: Request, items: list[dict[str, str]]) -> Answer:
    """Return a page of items; a bookmark is the number of the first item of the next page."""
    size, begin = request.query.get("page_size", "25"), request.query.get("bookmark", "0")
    if not size.isdecimal() or not 1 <= int(size) <= 250 or not begin.isdecimal():
        raise refused(400, INVALID, "Invalid request: page_size must be from 1 to 250.")
    end = int(begin) + int(size)
    return Answer.json({"items": items[int(begin) : end], "bookmark": str(end) if end < len(items) else None})
