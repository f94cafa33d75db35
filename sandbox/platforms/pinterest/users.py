"""Pinterest's "who am I", its boards and its token endpoint."""

from sandbox.authorization import ConsentRules, OAuthError, basic_client, names_an_app
from sandbox.fake_platform import route
from sandbox.platforms.pinterest.base import BOARD_NOT_FOUND, INVALID, LACKS_SCOPES, FakePinterest, error, refused
from sandbox.strict import TrackedParameters
from sandbox.wire import Answer, Request

_TOKEN_SECONDS, _REFRESH_SECONDS = 2_592_000, 5_184_000
_SCOPES = frozenset(("boards:read", "boards:write", "pins:read", "pins:write", "user_accounts:read"))


class ConsentRoutes(FakePinterest):
    """The route of the page of consent; the token endpoint calls `redeem`."""

    # Pinterest documents neither PKCE nor how long a code is valid.
    consent = ConsentRules("/oauth/", _SCOPES, code_seconds=600, pkce="none", scope_separator=",")

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


TOKEN_SECONDS, REFRESH_SECONDS = 2_592_000, 5_184_000


class UserRoutes(ConsentRoutes):
    """The routes of the user account, boards and tokens."""

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
