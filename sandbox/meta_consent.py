"""The codes and tokens that Instagram and Threads issue alike: short-lived ones, and long-lived ones to renew."""

from abc import ABC
from typing import ClassVar

from sandbox.authorization import PLAY_APP, PLAY_SECRET, OAuthError
from sandbox.fake_platform import route
from sandbox.graph import FakeGraph, parameters, refused
from sandbox.wire import Answer, Request

LONG_SECONDS = 5_184_000


class LongLivedTokens(FakeGraph, ABC):
    """The page of consent, the exchange of codes, and that for long-lived tokens."""

    conditions = {  # noqa: RUF012
        **FakeGraph.conditions,
        "publishes_and_refuses": "What is published is refused with 2207051, and is public.",
    }
    exchange_grant: ClassVar[str]
    """The grant_type of the exchange for a long-lived token."""
    refresh_grant: ClassVar[str]
    """The grant_type of the renewal of a long-lived token."""

    @route("POST", "/oauth/access_token", "auth")
    async def redeem(self, request: Request) -> Answer:
        """Exchange a code for a token that is valid for an hour."""
        form = request.form()
        client = str(form.get("client_id", "")), str(form.get("client_secret", ""))
        if form.get("grant_type") != "authorization_code":
            return self.refused_code("Invalid grant_type")
        try:
            account, scopes = self.authorization_server.redeem(form, client, self.world.now())
        except OAuthError as problem:
            if problem.code == "invalid_client":
                return self.refused_code("Error validating client secret.")
            return self.refused_code("Matching code was not found or was already used.")
        token = self.world.accounts.issue(account)
        return self.short_lived({"access_token": token, "user_id": account.user_id}, scopes)

    @route("GET", "/access_token", "auth")
    async def exchange(self, request: Request) -> Answer:
        """Exchange a token for one that is valid for 60 days; token and secret are in the query."""
        account, values = self.account(request), parameters(request)
        values.get("access_token")
        if values.get("grant_type") != self.exchange_grant:
            raise refused("Invalid grant_type", 100)
        app = self.world.apps_and_codes.app(self.platform, PLAY_APP)
        if values.get("client_secret") != (app.client_secret if app else PLAY_SECRET):
            raise refused("Error validating client secret.", 1)
        token = self.world.accounts.issue(account)
        return Answer.json({"access_token": token, "token_type": "bearer", "expires_in": LONG_SECONDS})

    @route("GET", "/refresh_access_token", "auth")
    async def renew(self, request: Request) -> Answer:
        """Exchange a valid token for one that is valid for 60 more days."""
        account = self.account(request)
        if parameters(request).get("grant_type") != self.refresh_grant:
            raise refused("Invalid grant_type", 100)
        return Answer.json(self.renewed(self.world.accounts.issue(account, LONG_SECONDS)))

    def renewed(self, token: str) -> dict[str, object]:
        """Return the answer to a renewal."""
        return {"access_token": token, "token_type": "bearer", "expires_in": LONG_SECONDS}

    def short_lived(self, token: dict[str, str], scopes: list[str]) -> Answer:
        """Return the answer with a token that is valid for an hour."""
        return Answer.json(token)

    def refused_code(self, words: str) -> Answer:
        """Refuse a code; the format is not that of the Graph API."""
        return Answer.json({"error_type": "OAuthException", "code": 400, "error_message": words}, 400)
