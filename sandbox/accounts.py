"""The accounts that the platforms of the sandbox know, and their tokens."""

import secrets
import time
from collections.abc import Callable, Iterator

import msgspec

from sandbox.journal import Collection, Journal

TOKENS_KEPT = 50
"""How many access tokens of one account stay valid at the same time; the oldest ends first."""


class DescribedAccount(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """An account as a request to the control side describes it."""

    platform: str
    account_id: str
    user_id: str
    username: str
    access_token: str
    refresh_token: str | None = None
    premium: bool = False
    server: str | None = None
    """The server that the account names, on platforms that have several."""


class IssuedGrant(msgspec.Struct, rename="camel"):
    """One consent of an account's owner, and the tokens that were issued under it, one after the other."""

    access: list[str] = []
    refresh: str | None = None
    used: list[str] = []
    """Refresh tokens that were exchanged for new ones."""
    renewals: int = 0
    replays: int = 0
    """How often a used refresh token was sent again."""
    ended: bool = False
    """Whether the platform has ended all of its tokens because of such a replay."""


class Account(msgspec.Struct, rename="camel"):
    """One account on one platform; `account_id` is the name that the API has for it."""

    platform: str
    account_id: str
    user_id: str
    username: str
    premium: bool = False
    server: str | None = None
    access_tokens: list[str] = []
    refresh_tokens: list[str] = []
    retired_tokens: list[str] = []
    revoked_tokens: list[str] = []
    """Revoked access tokens: they stay invalid even if the control side sends them again."""
    revoked_at: float = 0.0
    """When its owner last revoked all of its tokens, in seconds since 1970."""
    ends: dict[str, float] = {}
    """When tokens end, in seconds since 1970; those that are not listed do not."""
    grants: list[IssuedGrant] = []
    scopes: list[str] = []
    """The scopes that the last consent granted; empty if no consent issued the tokens."""


class Accounts:
    """The accounts, found by token, by their platform's user id and by the API's account id."""

    def __init__(self, journal: Journal, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._collection = Collection(journal, "account", Account)
        self._by_access_token: dict[tuple[str, str], Account] = {}
        self._by_refresh_token: dict[tuple[str, str], Account] = {}
        self._by_user: dict[tuple[str, str], Account] = {}
        for account in self._collection:
            self._index(account)

    def upsert(self, new: DescribedAccount) -> Account:
        """Add an account, or change it.

        Tokens are added to those already known: a stack that starts again sends its first tokens again, and must not
        end the renewed ones that it uses now. A used refresh token stays used.
        """
        account = self._collection.get(f"{new.platform}/{new.account_id}")
        if account is None:
            account = Account(new.platform, new.account_id, new.user_id, new.username)
        account.user_id, account.username, account.premium = new.user_id, new.username, new.premium
        account.server = new.server or account.server
        if new.access_token not in (*account.access_tokens, *account.revoked_tokens):
            account.access_tokens = [*account.access_tokens, new.access_token]
        known = (*account.refresh_tokens, *account.retired_tokens)
        if new.refresh_token is not None and new.refresh_token not in known:
            account.refresh_tokens = [*account.refresh_tokens, new.refresh_token]
            account.grants = [*account.grants, IssuedGrant([new.access_token], new.refresh_token)][-TOKENS_KEPT:]
        return self._keep(account)

    def add(self, account: Account) -> Account:
        """Add an account without tokens of its own, if it is unknown; return the known one."""
        return self.get(account.platform, account.account_id) or self._keep(account)

    def by_token(self, platform: str, token: str) -> Account | None:
        """Return the account that an access token belongs to."""
        return self._by_access_token.get((platform, token))

    def by_refresh_token(self, platform: str, token: str) -> Account | None:
        """Return the account that a refresh token belongs to, if it is still valid."""
        account = self._by_refresh_token.get((platform, token))
        ended = account is not None and account.ends.get(token, self._now() + 1) <= self._now()
        return None if ended else account

    def by_user(self, platform: str, user_id: str) -> Account | None:
        """Return the account with the platform's own user id."""
        return self._by_user.get((platform, user_id))

    def get(self, platform: str, account_id: str) -> Account | None:
        """Return the account that the API knows by this id."""
        return self._collection.get(f"{platform}/{account_id}")

    def has_ended(self, platform: str, token: str) -> bool:
        """Return whether an access token has expired."""
        account = self._by_access_token.get((platform, token))
        return account is not None and account.ends.get(token, self._now() + 1) <= self._now()

    def end_access(self, account: Account) -> None:
        """Expire all of an account's access tokens; its refresh tokens stay valid."""
        account.ends = account.ends | dict.fromkeys(account.access_tokens, self._now())
        self._keep(account)

    def issue(self, account: Account, lifetime: float | None = None) -> str:
        """Issue one more access token, valid for this many seconds; the older ones stay valid."""
        token = secrets.token_urlsafe(48)
        account.access_tokens = [*account.access_tokens, token][-TOKENS_KEPT:]
        known = (*account.access_tokens, *account.refresh_tokens)
        account.ends = {issued_token: ends for issued_token, ends in account.ends.items() if issued_token in known}
        if lifetime is not None:
            account.ends[token] = self._now() + lifetime
        self._keep(account)
        return token

    def issue_refresh(self, account: Account) -> str:
        """Issue one more refresh token, as a new consent does."""
        token = secrets.token_urlsafe(48)
        account.refresh_tokens = [*account.refresh_tokens, token][-TOKENS_KEPT:]
        self._keep(account)
        return token

    def revoke(self, account: Account) -> None:
        """Revoke all of an account's tokens, as its owner can at the platform."""
        self._retire(account, {*account.access_tokens, *account.refresh_tokens})
        account.revoked_at = self._now()
        self._keep(account)

    def revoke_for_app(self, platform: str, token: str, *, all_of_it: bool = False) -> Account | None:
        """Revoke a token for its app, and the tokens of its grant or of its account; return the account."""
        known = self._by_access_token.get((platform, token)) or self._by_refresh_token.get((platform, token))
        if known is None:
            return None
        tokens = {token}
        for grant in known.grants:
            if token in (*grant.access, grant.refresh):
                tokens |= {*grant.access, grant.refresh or ""}
        self._retire(known, {*known.access_tokens, *known.refresh_tokens} if all_of_it else tokens)
        return self._keep(known)

    def move_tokens(self, source: Account, target: Account) -> None:
        """Let the access tokens of one account belong to another."""
        target.access_tokens = [*target.access_tokens, *source.access_tokens]
        source.access_tokens = []
        self._keep(source)
        self._keep(target)

    def granted(self, account: Account, scopes: list[str]) -> None:
        """Record the rights that a consent has granted."""
        account.scopes = scopes
        self._keep(account)

    def token_ends(self, account: Account, token: str) -> float | None:
        """Return when a token ends, in seconds since 1970; None if it does not."""
        return account.ends.get(token)

    def rotate(
        self,
        platform: str,
        refresh_token: str,
        *,
        lifetime: float | None = None,
        refresh_lifetime: float | None = None,
        replay_ends_grant: bool = False,
    ) -> tuple[Account, str, str] | None:
        """Use up a refresh token: return its account, a new access token and a new refresh token, or None.

        The new access token is valid for this many seconds. If `replay_ends_grant` is set, a used refresh token that is
        sent again ends all tokens of the same consent.
        """
        account = self.by_refresh_token(platform, refresh_token)
        if account is None:
            self._replayed(platform, refresh_token, ends_grant=replay_ends_grant)
            return None
        del self._by_refresh_token[platform, refresh_token]
        renewed = secrets.token_urlsafe(48)
        account.refresh_tokens = [token for token in account.refresh_tokens if token != refresh_token] + [renewed]
        account.retired_tokens = [*account.retired_tokens, refresh_token][-TOKENS_KEPT:]
        access = self.issue(account, lifetime)
        if refresh_lifetime is not None:
            account.ends[renewed] = self._now() + refresh_lifetime
        grant = next((grant for grant in account.grants if grant.refresh == refresh_token), None)
        if grant is None:
            grant = IssuedGrant()
            account.grants = [*account.grants, grant][-TOKENS_KEPT:]
        grant.refresh, grant.renewals = renewed, grant.renewals + 1
        grant.used = [*grant.used, refresh_token][-TOKENS_KEPT:]
        grant.access = [*grant.access, access][-TOKENS_KEPT:]
        self._keep(account)
        return account, access, renewed

    def _replayed(self, platform: str, refresh_token: str, *, ends_grant: bool) -> None:
        for account in self:
            for grant in account.grants if account.platform == platform else ():
                if refresh_token in grant.used:
                    grant.replays += 1
                    if ends_grant and not grant.ended:
                        grant.ended = True
                        self._retire(account, {*grant.access, grant.refresh or ""})
                    self._keep(account)

    def _retire(self, account: Account, tokens: set[str]) -> None:
        for token in tokens:
            self._by_access_token.pop((account.platform, token), None)
            self._by_refresh_token.pop((account.platform, token), None)
        account.revoked_tokens = [*account.revoked_tokens, *tokens.intersection(account.access_tokens)][-TOKENS_KEPT:]
        account.retired_tokens = [*account.retired_tokens, *tokens.intersection(account.refresh_tokens)][-TOKENS_KEPT:]
        account.access_tokens = [token for token in account.access_tokens if token not in tokens]
        account.refresh_tokens = [token for token in account.refresh_tokens if token not in tokens]

    def __iter__(self) -> Iterator[Account]:
        return iter(self._collection)

    def _keep(self, account: Account) -> Account:
        self._index(account)
        return self._collection.put(f"{account.platform}/{account.account_id}", account)

    def _index(self, account: Account) -> None:
        self._by_access_token.update({(account.platform, token): account for token in account.access_tokens})
        self._by_refresh_token.update({(account.platform, token): account for token in account.refresh_tokens})
        self._by_user[account.platform, account.user_id] = account
