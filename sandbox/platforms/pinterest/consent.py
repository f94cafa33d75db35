"""Pinterest's page of consent, and the exchange of codes."""

from sandbox.authorization import ConsentRules, OAuthError, basic_client
from sandbox.platforms.pinterest.base import INVALID, FakePinterest, error
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
