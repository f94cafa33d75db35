"""A Mastodon server's apps, which anybody may register, and its page of consent."""

import secrets

from sandbox.authorization import App, Consent, Problem
from sandbox.fake_platform import route
from sandbox.platforms.mastodon.base import FakeMastodon, unprocessable, values_of
from sandbox.wire import Answer, Request

_SCOPES = frozenset(("read", "write", "read:accounts", "read:statuses", "write:statuses", "write:media", "profile"))


class ConsentRoutes(FakeMastodon):
    """Serve apps, the page of consent and tokens, which have no end and no refresh token."""

    consent = Consent("/oauth/authorize", _SCOPES, code_seconds=600, takes=("force_login", "lang"))

    @route("POST", "/api/v1/apps", "auth")
    async def register(self, request: Request) -> Answer:
        """Register an app for the addresses and scopes that it names."""
        given = values_of(request)
        given.get("website")
        addresses, name = given.get("redirect_uris", ""), given.get("client_name")
        known = addresses if isinstance(addresses, list) else str(addresses).split("\n")
        scopes = str(given.get("scopes", "read")).split()
        if not name or not all(known) or set(scopes) - _SCOPES:
            raise unprocessable("Validation failed: Redirect URI must be an absolute URI.")
        app = App(self.platform, secrets.token_urlsafe(32), secrets.token_urlsafe(32), known, scopes)
        self.world.authorizations.register(app)
        keys = {"client_id": app.client_id, "client_secret": app.client_secret, "client_secret_expires_at": 0}
        return Answer.json({"id": "1", "name": name, "website": None, "redirect_uris": known, "scopes": scopes, **keys})

    @route("POST", "/oauth/token", "auth")
    async def redeem(self, request: Request) -> Answer:
        """Trade a code."""
        form = request.form()
        client = str(form.get("client_id", "")), str(form.get("client_secret", ""))
        if form.get("grant_type") != "authorization_code":
            return _refused("unsupported_grant_type", "The authorization grant type is not supported.")
        try:
            account, scopes = self.consents.redeem(form, client, self.world.now())
        except Problem as problem:
            return _refused(problem.code, problem.description)
        token = {"access_token": self.world.accounts.issue(account), "token_type": "Bearer"}
        return Answer.json({**token, "scope": " ".join(scopes), "created_at": int(self.world.now())})


def _refused(error: str, description: str) -> Answer:
    body = {"error": error, "error_description": description}
    return Answer.json(body, 401 if error == "invalid_client" else 400)
