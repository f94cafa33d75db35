"""Pinterest's errors, rate limits and ids, its user, boards and tokens."""

import secrets
from abc import ABC
from typing import TypeVar

import msgspec

from sandbox.authorization import ConsentRules, OAuthError, basic_client, names_an_app
from sandbox.fake_platform import FakePlatform, Route, route
from sandbox.ids import Snowflakes
from sandbox.journal import Collection
from sandbox.strict import TrackedParameters
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


_TOKEN_SECONDS, _REFRESH_SECONDS = 2_592_000, 5_184_000
_SCOPES = frozenset(("boards:read", "boards:write", "pins:read", "pins:write", "user_accounts:read"))


TOKEN_SECONDS, REFRESH_SECONDS = 2_592_000, 5_184_000


class FakePinterest(FakePlatform, ABC):
    """State and methods that all of Pinterest's routes share, and the routes of the user, boards and tokens."""

    # Pinterest documents neither PKCE nor how long a code is valid.
    consent = ConsentRules("/oauth/", _SCOPES, code_seconds=600, pkce="none", scope_separator=",")
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

    def redeem(self, request: Request, form: TrackedParameters) -> Answer:
        """Exchange a code. Apps made before 2025-09-25 must ask for refresh tokens that can be renewed without end."""
        form.get("continuous_refresh")
        try:
            account, scopes = self.authorization_server.redeem(form, basic_client(request), self.world.now())
        except OAuthError as problem:
            status = 401 if problem.code == "invalid_client" else 400
            return error(status, INVALID, problem.description)
        return Answer.json(
            {
                "response_type": "authorization_code",
                "access_token": self.world.accounts.issue(account, _TOKEN_SECONDS),
                "refresh_token": self.world.accounts.issue_refresh(account),
                "token_type": "bearer",
                "expires_in": _TOKEN_SECONDS,
                "refresh_token_expires_in": _REFRESH_SECONDS,
                "refresh_token_expires_at": int(self.world.now()) + _REFRESH_SECONDS,
                "scope": " ".join(scopes),
            }
        )

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

    @route("POST", "/v5/oauth/token", "auth")
    async def renew(self, request: Request) -> Answer:
        """Exchange a refresh token, once, for a new pair; the app names itself by HTTP Basic."""
        form = request.form()
        if not names_an_app(request.header("authorization")):
            return error(401, INVALID, "Authentication failed.")
        if form.get("grant_type") == "authorization_code":
            return self.redeem(request, form)
        if form.get("grant_type") != "refresh_token":
            return error(400, INVALID, "grant_type must be refresh_token")
        renewed = self.world.accounts.rotate(
            self.platform, str(form.get("refresh_token", "")), lifetime=TOKEN_SECONDS, refresh_lifetime=REFRESH_SECONDS
        )
        if renewed is None:
            return error(401, 283, "Your refresh token is invalid or was used before.")
        _, access, refresh = renewed
        return Answer.json(
            {
                "response_type": "refresh_token",
                "access_token": access,
                "refresh_token": refresh,
                "token_type": "bearer",
                "expires_in": TOKEN_SECONDS,
                "refresh_token_expires_in": REFRESH_SECONDS,
                "refresh_token_expires_at": int(self.world.now()) + REFRESH_SECONDS,
                "scope": "boards:read boards:write pins:read pins:write user_accounts:read",
            }
        )


def _page(request: Request, items: list[dict[str, str]]) -> Answer:
    """Return a page of items; a bookmark is the number of the first item of the next page."""
    size, begin = request.query.get("page_size", "25"), request.query.get("bookmark", "0")
    if not size.isdecimal() or not 1 <= int(size) <= 250 or not begin.isdecimal():
        raise refused(400, INVALID, "Invalid request: page_size must be from 1 to 250.")
    end = int(begin) + int(size)
    return Answer.json({"items": items[int(begin) : end], "bookmark": str(end) if end < len(items) else None})
