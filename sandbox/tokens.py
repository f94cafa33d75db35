"""The token endpoints of the platforms: codes and refresh tokens are exchanged, tokens are revoked.

The differences between platforms are data (`TokenRules`), a few more fields of an answer, and the words of refusals.
"""

import re
from abc import ABC
from dataclasses import dataclass
from typing import ClassVar, Literal

from sandbox.accounts import Account
from sandbox.authorization import OAuthError, basic_client
from sandbox.fake_platform import FakePlatform, Route
from sandbox.wire import Answer, Request, TrackedParameters


@dataclass(frozen=True, slots=True)
class TokenRules:
    """A platform's rules for its token endpoint. Times are in seconds."""

    path: str
    seconds: int | None = None
    """How long access tokens are valid; None if they do not end."""
    refresh: Literal["none", "stays", "rotates"] = "none"
    """Whether there are refresh tokens, and whether one can be used more than once."""
    refresh_seconds: int | None = None
    refresh_scope: str | None = None
    """The scope without which a code yields no refresh token."""
    repeats_refresh: bool = True
    """Whether the answer to a renewal has the refresh token."""
    replay_ends_grant: bool = False
    """Whether a used refresh token that is sent again ends all tokens of the consent."""
    basic: bool = False
    """Whether apps name themselves by HTTP Basic instead of in the form."""
    unnamed_app: str | None = "invalid_client"
    """The error for an app that does not name itself; None if it need not in order to renew a token."""
    refresh_refusal: str = "Token has been expired or revoked."
    kind: str = "Bearer"
    """The type of its access tokens."""
    scope_separator: str = " "
    revoke_path: str | None = None
    revokes_all: bool = False
    """Whether revoking a token revokes all tokens of its account."""


class RefreshError(OAuthError):
    """The refusal of a refresh token."""

    def __init__(self, description: str) -> None:
        super().__init__("invalid_grant", description)


class TokenPlatform(FakePlatform, ABC):
    """A platform with a token endpoint."""

    tokens: ClassVar[TokenRules]

    def __init_subclass__(cls) -> None:
        """Name the path at which the platform renews tokens."""
        super().__init_subclass__()
        if hasattr(cls, "tokens") and cls.tokens.refresh != "none":
            cls.renewal_path = cls.tokens.path

    def token_details(self, account: Account, grant: str) -> dict[str, object]:
        """Return what the platform says of the tokens for a grant, in addition to the fields of RFC 6749."""
        return {}

    def revoked(self, *, known: bool) -> Answer:
        """Return the answer to a revocation; most platforms answer alike if they do not know the token."""
        return Answer.json({})

    def client(self, request: Request, form: TrackedParameters) -> tuple[str, str]:
        """Return the id and secret by which an app names itself, empty ones if it does not."""
        if self.tokens.basic:
            return basic_client(request)
        name = self.consent.client_id if self.consent else "client_id"
        return str(form.get(name, "")), str(form.get("client_secret", ""))

    def _routes(self) -> list[Route]:
        routes, rules = super()._routes(), self.tokens
        routes.append(Route("POST", rules.path, re.compile(re.escape(rules.path)), self._give_tokens, "auth"))
        if rules.revoke_path:
            pattern = re.compile(re.escape(rules.revoke_path))
            routes.append(Route("POST", rules.revoke_path, pattern, self._revoke, "auth"))
        return routes

    async def _give_tokens(self, request: Request) -> Answer:
        try:
            return Answer.json(self._exchange(request, request.texts()))
        except OAuthError as problem:
            return self.oauth_refused(problem)

    def _exchange(self, request: Request, form: TrackedParameters) -> dict[str, object]:
        """Return the answer to a code or a refresh token. Raises OAuthError."""
        rules, accounts, refresh = self.tokens, self.world.accounts, None
        client = self.client(request, form)
        if not client[0] and rules.unnamed_app:
            raise OAuthError(rules.unnamed_app, "The app does not name itself.")
        match form.get("grant_type"):
            case "authorization_code":
                account, scopes = self.authorization_server.redeem(form, client, self.world.now())
                access = accounts.issue(account, rules.seconds)
                if rules.refresh != "none" and rules.refresh_scope in (None, *scopes):
                    refresh = accounts.issue_refresh(account)
            case "refresh_token" if rules.refresh != "none":
                account, access, renewed = self._renew(str(form.get("refresh_token", "")))
                scopes = account.scopes or sorted(self.consent.scopes if self.consent else ())
                refresh = renewed if rules.repeats_refresh else None
            case _:
                raise OAuthError("unsupported_grant_type", "The authorization grant type is not supported.")
        scope = rules.scope_separator.join(scopes)
        answer = {"access_token": access, "token_type": rules.kind, "scope": scope}
        more = {"expires_in": rules.seconds, "refresh_token": refresh}
        details = self.token_details(account, str(form.get("grant_type")))
        return {**answer, **{name: value for name, value in more.items() if value}, **details}

    def _renew(self, token: str) -> tuple[Account, str, str]:
        """Return the account of a refresh token, a new access token, and the refresh token to use next."""
        rules, accounts = self.tokens, self.world.accounts
        if rules.refresh == "rotates":
            rotated = accounts.rotate(
                self.platform,
                token,
                lifetime=rules.seconds,
                refresh_lifetime=rules.refresh_seconds,
                replay_ends_grant=rules.replay_ends_grant,
            )
            if rotated is not None:
                return rotated
        elif (account := accounts.by_refresh_token(self.platform, token)) is not None:
            return account, accounts.issue(account, rules.seconds), token
        raise RefreshError(rules.refresh_refusal)

    async def _revoke(self, request: Request) -> Answer:
        form = request.texts()
        token, client = str(form.get("token", "")), self.client(request, form)
        try:
            known = self.authorization_server.revoke(token, client, all_of_it=self.tokens.revokes_all)
        except OAuthError as problem:
            return self.oauth_refused(problem)
        return self.revoked(known=known)
