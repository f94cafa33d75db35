"""Reddit's "who am I" and its token endpoint, whose refresh tokens stay valid."""

from sandbox.authorization import ConsentRules, OAuthError, basic_client, names_an_app
from sandbox.fake_platform import route
from sandbox.platforms.reddit.base import FakeReddit
from sandbox.strict import TrackedParameters
from sandbox.wire import Answer, Request

_SCOPES = frozenset(("identity", "submit", "read", "flair", "history", "edit"))


class ConsentRoutes(FakeReddit):
    """The route of the page of consent; the token endpoint calls `redeem`."""

    # The state is required, and only duration=permanent yields a refresh token. Source: r2/controllers/oauth2.py.
    consent = ConsentRules(
        "/api/v1/authorize",
        _SCOPES,
        code_seconds=600,
        pkce="none",
        optional_parameters=("duration",),
        state_required=True,
    )

    def redeem(self, request: Request, form: TrackedParameters) -> Answer:
        """Exchange a code for tokens; errors come with status 200."""
        try:
            account, scopes = self.authorization_server.redeem(form, basic_client(request), self.world.now())
        except OAuthError as problem:
            if problem.code == "invalid_client":
                return self.unauthorized()
            return Answer.json({"error": problem.code})
        return Answer.json(
            {
                "access_token": self.world.accounts.issue(account, 86_400),
                "token_type": "bearer",
                "expires_in": 86_400,
                "scope": " ".join(scopes),
                "refresh_token": self.world.accounts.issue_refresh(account),
            }
        )


TOKEN_SECONDS = 86_400


class UserRoutes(ConsentRoutes):
    """The routes of /api/v1."""

    @route("GET", "/api/v1/me", "auth")
    async def me(self, request: Request) -> Answer:
        """Return the account that the token belongs to."""
        account = self.account(request)
        return Answer.json({"id": account.user_id, "name": account.username, "total_karma": 1})

    @route("POST", "/api/v1/access_token", "auth")
    async def renew(self, request: Request) -> Answer:
        """Issue another access token; the app names itself by HTTP Basic, without a secret if it has none."""
        form = request.form()
        if not names_an_app(request.header("authorization")):
            return self.unauthorized()
        if form.get("grant_type") == "authorization_code":
            return self.redeem(request, form)
        if form.get("grant_type") != "refresh_token":
            return Answer.json({"error": "unsupported_grant_type"})
        refresh_token = str(form.get("refresh_token", ""))
        for account in self.world.accounts:
            if account.platform == self.platform and refresh_token in account.refresh_tokens:
                token = {
                    "access_token": self.world.accounts.issue(account, TOKEN_SECONDS),
                    "refresh_token": refresh_token,
                }
                more = {"token_type": "bearer", "expires_in": TOKEN_SECONDS, "scope": "identity submit read history"}
                return Answer.json({**token, **more})
        return Answer.json({"message": "Bad Request", "error": "invalid_grant"}, 400)

    @route("POST", "/api/v1/revoke_token", "auth")
    async def revoke(self, request: Request) -> Answer:
        """Revoke a token; an unknown one gets the same answer."""
        form = request.form()
        try:
            self.authorization_server.revoke(str(form.get("token", "")), basic_client(request))
        except OAuthError:
            return self.unauthorized()
        return Answer(204)
