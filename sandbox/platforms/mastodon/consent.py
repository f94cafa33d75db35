"""A Mastodon server's apps, which can be registered without an account, and its page of consent."""

import secrets
from urllib.parse import urlencode

from sandbox.authorization import App, ConsentRules, OAuthError
from sandbox.fake_platform import route
from sandbox.platforms.mastodon.base import FakeMastodon, body_values, unprocessable
from sandbox.wire import Answer, Request

ISSUER = "https://social.example"
_OLD_SCOPES = frozenset(("read", "write", "follow"))
_SCOPES = frozenset(("read", "write", "read:accounts", "read:statuses", "write:statuses", "write:media", "profile"))


class ConsentRoutes(FakeMastodon):
    """The routes of apps, the page of consent and tokens, which do not expire and have no refresh token."""

    consent = ConsentRules("/oauth/authorize", _SCOPES, code_seconds=600, optional_parameters=("force_login", "lang"))

    @route("POST", "/api/v1/apps", "auth")
    async def register(self, request: Request) -> Answer:
        """Register an app with its redirect addresses and scopes."""
        values = body_values(request)
        values.get("website")
        addresses, name = values.get("redirect_uris", ""), values.get("client_name")
        known = addresses if isinstance(addresses, list) else str(addresses).split("\n")
        scopes = str(values.get("scopes", "read")).split()
        scopes_known = _OLD_SCOPES if self.holds("old_scopes") else _SCOPES
        if not name or not all(known) or set(scopes) - scopes_known:
            raise unprocessable("Validation failed: Redirect URI must be an absolute URI.")
        app = App(self.platform, secrets.token_urlsafe(32), secrets.token_urlsafe(32), known, scopes)
        self.world.apps_and_codes.register(app)
        keys = {"client_id": app.client_id, "client_secret": app.client_secret, "client_secret_expires_at": 0}
        return Answer.json({"id": "1", "name": name, "website": None, "redirect_uris": known, "scopes": scopes, **keys})

    @route("GET", "/.well-known/oauth-authorization-server", "auth")
    async def metadata(self, request: Request) -> Answer:
        """Describe the authorization server; servers before 4.3 do not."""
        if not self.holds("names_issuer"):
            return self.failure(404)
        known = sorted(_OLD_SCOPES if self.holds("old_scopes") else _SCOPES)
        reported = {"issuer": ISSUER, "scopes_supported": known, "code_challenge_methods_supported": ["S256"]}
        return Answer.json({**reported, "authorization_response_iss_parameter_supported": True})

    async def _ask_for_consent(self, request: Request) -> Answer:
        return self._with_issuer(await super()._ask_for_consent(request))

    async def _take_decision(self, request: Request) -> Answer:
        return self._with_issuer(await super()._take_decision(request))

    def _with_issuer(self, answer: Answer) -> Answer:
        if self.holds("names_issuer"):
            issuer = urlencode({"iss": ISSUER}).encode()
            answer.headers = [
                (name, value + b"&" + issuer if name == b"location" else value) for name, value in answer.headers
            ]
        return answer

    @route("POST", "/oauth/token", "auth")
    async def redeem(self, request: Request) -> Answer:
        """Exchange a code for tokens."""
        form = request.form()
        client = str(form.get("client_id", "")), str(form.get("client_secret", ""))
        if form.get("grant_type") != "authorization_code":
            return _refused("unsupported_grant_type", "The authorization grant type is not supported.")
        try:
            account, scopes = self.authorization_server.redeem(form, client, self.world.now())
        except OAuthError as problem:
            return _refused(problem.code, problem.description)
        token = {"access_token": self.world.accounts.issue(account), "token_type": "Bearer"}
        return Answer.json({**token, "scope": " ".join(scopes), "created_at": int(self.world.now())})

    @route("POST", "/oauth/revoke", "auth")
    async def revoke(self, request: Request) -> Answer:
        """Revoke a token for its app; an unknown one gets the same answer."""
        form = request.form()
        client = str(form.get("client_id", "")), str(form.get("client_secret", ""))
        try:
            self.authorization_server.revoke(str(form.get("token", "")), client)
        except OAuthError:
            return _refused("unauthorized_client", "You are not authorized to revoke this token", 403)
        return Answer.json({})


def _refused(error: str, description: str, status: int = 400) -> Answer:
    body = {"error": error, "error_description": description}
    return Answer.json(body, 401 if error == "invalid_client" else status)
