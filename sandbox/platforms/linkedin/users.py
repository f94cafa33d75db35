"""LinkedIn's "who am I", its pages and its token endpoint."""

from sandbox.accounts import Account
from sandbox.authorization import ConsentRules, OAuthError
from sandbox.fake_platform import route
from sandbox.platforms.linkedin.base import PAGE, FakeLinkedIn, lacks
from sandbox.strict import TrackedParameters
from sandbox.wire import Answer, RefusedError, Request

TOKEN_SECONDS = 5_184_000
REFRESH_SECONDS = 31_536_000
SCOPES = frozenset(
    ["openid", "profile", "w_member_social", "r_organization_social", "w_organization_social", "rw_organization_admin"]
)


class UserRoutes(FakeLinkedIn):
    """The routes of userinfo, roles, pages, the page of consent and tokens."""

    # LinkedIn has no PKCE in this flow, and a person cannot untick single scopes.
    consent = ConsentRules(
        "/oauth/v2/authorization", SCOPES, code_seconds=1800, pkce="none", denied_error="user_cancelled_authorize"
    )

    @route("GET", "/v2/userinfo", "auth")
    async def me(self, request: Request) -> Answer:
        """Return the account that the token belongs to."""
        account = self.account(request)
        return Answer.json({"sub": account.user_id, "name": account.username, "locale": "en-US"})

    @route("GET", "/rest/organizationAcls", "auth")
    async def roles(self, request: Request) -> Answer:
        """List the member's roles on pages."""
        account, query = self.account(request), request.query
        start, count = int(query.get("start", "0")), int(query.get("count", "10"))
        member = {"state": "APPROVED", "roleAssignee": f"urn:li:person:{account.user_id}"}
        others = 150 if self.holds("many_roles", account) else 0
        roles = [
            {**member, "role": "ANALYST", "organization": f"urn:li:organization:9{number:09}"}
            for number in range(others)
        ]
        roles += [{**member, "role": role, "organizationTarget": page} for page, role in self.page_roles(account)]
        shown = [entry for entry in roles if query.get("role") in (None, entry["role"])][start : start + count]
        return Answer.json({"elements": shown, "paging": {"start": start, "count": count}})

    @route("GET", "/rest/organizations/{id}", "auth")
    async def page(self, request: Request) -> Answer:
        """Describe a page to its administrators."""
        account = self.account(request)
        if (f"urn:li:organization:{request.params['id']}", "ADMINISTRATOR") not in self.page_roles(account):
            raise RefusedError(lacks("organizations.GET"))
        user_id, name = f"{PAGE}{request.params['id']}", f"{account.username}'s page"
        self.world.accounts.add(Account(self.platform, self.api_account_id(user_id), user_id, name))
        return Answer.json({"id": request.params["id"], "localizedName": name})

    @route("POST", "/oauth/v2/accessToken", "auth")
    async def renew(self, request: Request) -> Answer:
        """Issue another access token; the refresh token and its expiry stay the same."""
        form = request.form()
        if form.get("grant_type") == "authorization_code":
            return self._redeem(form)
        if form.get("grant_type") != "refresh_token" or not form.get("client_id"):
            return Answer.json({"error": "invalid_request", "error_description": "A parameter is missing"}, 400)
        refresh = str(form.get("refresh_token", ""))
        account = self.world.accounts.by_refresh_token(self.platform, refresh)
        if account is None:
            description = "The provided authorization grant or refresh token is invalid, expired or revoked"
            return Answer.json({"error": "invalid_grant", "error_description": description}, 400)
        access = self.world.accounts.issue(account, TOKEN_SECONDS)
        lifetimes = {"expires_in": TOKEN_SECONDS, "refresh_token_expires_in": REFRESH_SECONDS}
        return Answer.json({"access_token": access, "refresh_token": refresh, **lifetimes, "scope": "w_member_social"})

    @route("POST", "/oauth/v2/introspectToken", "auth")
    async def introspect(self, request: Request) -> Answer:
        """Describe an access token. Source: token-introspection of LinkedIn's documentation."""
        form = request.form()
        client = str(form.get("client_id", "")), str(form.get("client_secret", ""))
        token = str(form.get("token", ""))
        try:
            self.authorization_server.known_app(client)
        except OAuthError as problem:
            return Answer.json({"error": problem.code, "error_description": problem.description}, 401)
        account = self.world.accounts.by_token(self.platform, token)
        if account is None:
            return Answer.json({"active": False, "status": "revoked"})
        if self.world.accounts.has_ended(self.platform, token):
            return Answer.json({"active": False, "status": "expired"})
        ends = self.world.accounts.token_ends(account, token) or self.world.now() + TOKEN_SECONDS
        about = {"active": True, "status": "active", "client_id": client[0], "auth_type": "3L"}
        scope = ",".join(account.scopes or sorted(SCOPES))
        return Answer.json({**about, "authorized_at": int(self.world.now()), "expires_at": int(ends), "scope": scope})

    @route("POST", "/oauth/v2/revoke", "auth")
    async def revoke(self, request: Request) -> Answer:
        """Revoke a token; an unknown one gets the same answer. Unverified: LinkedIn does not document it."""
        form = request.form()
        try:
            client = str(form.get("client_id", "")), str(form.get("client_secret", ""))
            self.authorization_server.revoke(str(form.get("token", "")), client)
        except OAuthError as problem:
            return Answer.json({"error": problem.code, "error_description": problem.description}, 401)
        return Answer(200)

    def _redeem(self, form: TrackedParameters) -> Answer:
        """Exchange a code for tokens. Only apps of partners get refresh tokens, so there is none here."""
        client = str(form.get("client_id", "")), str(form.get("client_secret", ""))
        try:
            account, scopes = self.authorization_server.redeem(form, client, self.world.now())
        except OAuthError as problem:
            status = 401 if problem.code == "invalid_client" else 400
            return Answer.json({"error": problem.code, "error_description": problem.description}, status)
        token = {"access_token": self.world.accounts.issue(account, TOKEN_SECONDS), "expires_in": TOKEN_SECONDS}
        return Answer.json({**token, "scope": ",".join(scopes), "token_type": "Bearer"})
