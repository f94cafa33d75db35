"""X's "who am I" and its token endpoint."""

from sandbox.authorization import ConsentRules, OAuthError, basic_client
from sandbox.fake_platform import route
from sandbox.platforms.twitter.base import FakeX
from sandbox.strict import TrackedParameters
from sandbox.wire import Answer, Request

TOKEN_SECONDS = 7200
SCOPE = "tweet.read tweet.write users.read media.write offline.access"


class UserRoutes(FakeX):
    """The routes GET /2/users/me, the page of consent and POST /2/oauth2/token."""

    consent = ConsentRules(
        "/i/oauth2/authorize", frozenset(SCOPE.split()), code_seconds=30, pkce="required", state_required=True
    )

    @route("GET", "/2/users/me", "auth")
    async def me(self, request: Request) -> Answer:
        """Return the account that the token belongs to."""
        account = self.account(request)
        data: dict[str, object] = {"id": account.user_id, "name": account.username, "username": account.username}
        more: dict[str, object] = {
            "verified": account.premium,
            "verified_type": "blue" if account.premium else "none",
            "subscription_type": "Premium" if account.premium else "None",
        }
        fields = request.query.get("user.fields", "").split(",")
        return Answer.json({"data": data | {name: value for name, value in more.items() if name in fields}})

    @route("POST", "/2/oauth2/token", "auth")
    async def renew(self, request: Request) -> Answer:
        """Exchange a refresh token, once, for a new pair."""
        form = request.form()
        if form.get("grant_type") == "authorization_code":
            return self._redeem(request, form)
        if form.get("grant_type") != "refresh_token":
            return _refused("unsupported_grant_type", "Only refresh_token is known here.")
        renewed = self.world.accounts.rotate(
            self.platform, str(form.get("refresh_token", "")), lifetime=TOKEN_SECONDS, replay_ends_grant=True
        )
        if renewed is None:
            return _refused("invalid_request", "Value passed for the token was invalid.")
        _, access_token, refresh_token = renewed
        return Answer.json(
            {
                "token_type": "bearer",
                "expires_in": TOKEN_SECONDS,
                "access_token": access_token,
                "scope": SCOPE,
                "refresh_token": refresh_token,
            }
        )

    @route("POST", "/2/oauth2/revoke", "auth")
    async def revoke(self, request: Request) -> Answer:
        """Revoke a token; an unknown one gets the same answer."""
        form = request.form()
        try:
            self.authorization_server.revoke(str(form.get("token", "")), basic_client(request))
        except OAuthError:
            refusal = {"error": "unauthorized_client", "error_description": "Missing valid authorization header"}
            return Answer.json(refusal, 401)
        return Answer.json({"revoked": True})

    def _redeem(self, request: Request, form: TrackedParameters) -> Answer:
        """Exchange a code for tokens; without the scope offline.access there is no refresh token."""
        try:
            account, scopes = self.authorization_server.redeem(form, basic_client(request), self.world.now())
        except OAuthError as problem:
            if problem.code == "invalid_client":
                refusal = {"error": "unauthorized_client", "error_description": "Missing valid authorization header"}
                return Answer.json(refusal, 401)
            return _refused("invalid_request", "Value passed for the authorization code was invalid.")
        refresh = {"refresh_token": self.world.accounts.issue_refresh(account)} if "offline.access" in scopes else {}
        access = {
            "token_type": "bearer",
            "expires_in": TOKEN_SECONDS,
            "access_token": self.world.accounts.issue(account, TOKEN_SECONDS),
        }
        return Answer.json({**access, "scope": " ".join(scopes), **refresh})


def _refused(error: str, description: str) -> Answer:
    return Answer.json({"error": error, "error_description": description}, 400)
