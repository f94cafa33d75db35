"""Reddit's page of consent, and the exchange of codes."""

from sandbox.authorization import ConsentRules, OAuthError, basic_client
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
