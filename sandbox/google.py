"""Google's consent and codes, which its platforms share."""

from abc import ABC

from sandbox.authorization import ConsentRules, OAuthError
from sandbox.fake_platform import FakePlatform, route
from sandbox.strict import TrackedParameters
from sandbox.wire import Answer, Request

TOKEN_SECONDS = 3599


def consent(*scopes: str) -> ConsentRules:
    """Return Google's rules of consent: people may untick single scopes. How long a code is valid is not documented."""
    known = frozenset(f"https://www.googleapis.com/auth/{scope}" for scope in scopes)
    return ConsentRules(
        "/o/oauth2/v2/auth",
        known,
        code_seconds=600,
        declinable=True,
        optional_parameters=("access_type", "prompt", "login_hint"),
    )


class GoogleConsent(FakePlatform, ABC):
    """The page of consent, and the exchange of codes."""

    @route("POST", "/revoke", "auth")
    async def revoke(self, request: Request) -> Answer:
        """End all that the person has granted the app, by any of the tokens; the app names itself in no way."""
        form = request.form()
        for name in ("client_id", "client_secret"):
            form.get(name)
        token = str(form.get("token", ""))
        if self.world.accounts.revoke_for_app(self.platform, token, all_of_it=True) is None:
            return Answer.json({"error": "invalid_token", "error_description": "Token expired or revoked"}, 400)
        return Answer.json({})

    def redeem(self, form: TrackedParameters) -> Answer:
        """Exchange a code for tokens."""
        client = str(form.get("client_id", "")), str(form.get("client_secret", ""))
        try:
            account, scopes = self.authorization_server.redeem(form, client, self.world.now())
        except OAuthError as problem:
            status = 401 if problem.code == "invalid_client" else 400
            return Answer.json({"error": problem.code, "error_description": problem.description}, status)
        return Answer.json(
            {
                "access_token": self.world.accounts.issue(account, TOKEN_SECONDS),
                "expires_in": TOKEN_SECONDS,
                "refresh_token": self.world.accounts.issue_refresh(account),
                "scope": " ".join(scopes),
                "token_type": "Bearer",
            }
        )
