"""Reddit's page of consent, and what it trades codes for."""

from sandbox.authorization import Consent, Problem, basic_client
from sandbox.networks.reddit.base import RedditTwin
from sandbox.strict import Noted
from sandbox.twin import route
from sandbox.wire import Answer, Request

_SCOPES = frozenset(("identity", "submit", "read", "flair", "history", "edit"))


class ConsentRoutes(RedditTwin):
    """Serve the page of consent; the token endpoint calls `redeem`."""

    # The state is required, and only duration=permanent brings a refresh token. Source: r2/controllers/oauth2.py.
    consent = Consent(_SCOPES, code_seconds=600, pkce="none", takes=("duration",), state_required=True)

    @route("GET", "/api/v1/authorize", "auth")
    async def authorize(self, request: Request) -> Answer:
        """Ask a person for consent."""
        return self.consents.ask(request, self.world.now())

    @route("POST", "/api/v1/authorize", "auth")
    async def decide(self, request: Request) -> Answer:
        """Take the person's decision."""
        return self.consents.decide(request, self.world.now())

    def redeem(self, request: Request, form: Noted) -> Answer:
        """Trade a code; errors come with status 200."""
        try:
            account, scopes = self.consents.redeem(form, basic_client(request), self.world.now())
        except Problem as problem:
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
