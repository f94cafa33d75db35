"""Grants, and the lifetimes and the renewal of their tokens: each platform's rules as data."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, ClassVar, Generic

from pydantic import SecretStr

from platforms.base import C, Connection
from platforms.http.untrusted import moment, number

LONGEST_LIFETIME = timedelta(days=3660)
"""The longest token lifetime that is accepted; a reported longer one is cut to this."""
MOST_SCOPES, LONGEST_SCOPE = 100, 200


class Reuse(StrEnum):
    """The effect of sending a refresh token a second time."""

    HARMLESS = "harmless"
    """It works as often as it is sent."""
    REFUSED = "refused"
    """It is refused, and the tokens that it was traded for stay valid."""
    ENDS_GRANT = "ends_grant"
    """The platform treats it as stolen and ends all tokens of the grant: the account must be reconnected."""


@dataclass(frozen=True, slots=True)
class TokenRules:
    """The rules of a platform's tokens. Lifetimes in a response always take precedence over these numbers."""

    lifetime: timedelta
    """How long an access token is valid."""
    reuse: Reuse
    grace: timedelta = timedelta(0)
    """How long a used refresh token still yields the same new tokens."""
    lead: timedelta = timedelta(0)
    """A token is renewed before it is used if less than this remains of it, or less than half of its lifetime."""
    refresh_lifetime: timedelta | None = None
    """How long a refresh token is valid if it is not used; None if it has no known end."""
    renew_after: timedelta | None = None
    """How long after a renewal, or after connecting, the next is due even if nothing uses the token."""
    renews_itself: bool = False
    """Whether an access token is renewed by itself, without a refresh token. Once it has ended it cannot be renewed."""
    first_renewal: timedelta | None = None
    """If set, how long after connecting the first renewal is due, because the given token may be of any age."""

    @property
    def rotates(self) -> bool:
        """Return whether a refresh token may be used only once, so that a lost response loses the account."""
        return self.reuse is not Reuse.HARMLESS and not self.grace


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """The values that a response reports of new tokens; None for each that it does not report."""

    expires_at: datetime | None = None
    """When the access token ends, in UTC."""
    refresh_expires_at: datetime | None = None
    """When the refresh token ends, in UTC."""
    scopes: tuple[str, ...] | None = None
    """The permissions that were granted, sorted."""


@dataclass(frozen=True, slots=True)
class Renewed(Generic[C]):
    """New credentials. `lifetimes` is None if they were changed but their tokens were not renewed."""

    credentials: C
    lifetimes: Lifetimes | None


class Renews(ABC, Generic[C]):
    """A platform whose tokens can be renewed without their owner."""

    tokens: ClassVar[TokenRules]
    other_tokens: ClassVar[tuple[TokenRules, ...]] = ()
    """The rules of further kinds of tokens that the platform issues; `rules_for` chooses among them."""

    def rules_for(self, credentials: C) -> TokenRules:
        """Return the rules of the tokens that credentials hold."""
        return self.tokens

    def can_renew(self, credentials: C) -> bool:
        """Return whether the credentials hold what renews them: a refresh token, if the platform needs one."""
        return self.tokens.renews_itself or getattr(credentials, "refresh_token", None) is not None

    @abstractmethod
    async def renew(self, connection: Connection[C]) -> Renewed[C]:
        """Exchange the connection's credentials for new ones by one request, or by several of which one has an effect.

        Raises PlatformError, kind `auth` only if the platform refuses this account's own tokens. An app that it does
        not know, a limit and a failure of its own have other kinds.
        """


def reported_lifetimes(answer: Mapping[str, Any]) -> Lifetimes:
    """Return what a token endpoint's response reports: `expires_in` and similar fields in seconds from now.

    Scopes are split at commas and blanks. `refresh_expires_in` is TikTok's name, `refresh_token_expires_in` that of
    LinkedIn, Google and Pinterest, `permissions` that of Instagram.
    """
    now = datetime.now(UTC)
    refresh = _after(now, answer.get("refresh_token_expires_in", answer.get("refresh_expires_in")))
    return Lifetimes(
        _after(now, answer.get("expires_in")),
        refresh or _moment(answer.get("refresh_token_expires_at")),
        _scopes(answer.get("scope", answer.get("permissions"))),
    )


def _after(now: datetime, seconds: object) -> datetime | None:
    length = number(seconds)
    return None if length is None or length <= 0 else now + min(timedelta(seconds=min(length, 1e9)), LONGEST_LIFETIME)


def _moment(reported: object) -> datetime | None:
    try:
        return moment(reported)
    except ValueError:
        return None


def _scopes(reported: object) -> tuple[str, ...] | None:
    words = " ".join(map(str, reported[:MOST_SCOPES])) if isinstance(reported, list) else reported
    if not isinstance(words, str):
        return None
    scopes = {word[:LONGEST_SCOPE] for word in words.replace(",", " ").split() if word.isprintable()}
    return tuple(sorted(scopes)[:MOST_SCOPES])


@dataclass(frozen=True, slots=True)
class Grant:
    """The result of an authorization. `scopes` is None if the platform does not report what was granted."""

    access_token: SecretStr
    refresh_token: SecretStr | None = None
    scopes: frozenset[str] | None = None
    lifetimes: Lifetimes = field(default_factory=Lifetimes)
    more: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """What the platform sent besides the tokens, if its candidates need it; JSON."""

    def dump(self) -> dict[str, Any]:
        """Return it as JSON with its secrets in clear; only the vault may be given this."""
        return {
            "access_token": self.access_token.get_secret_value(),
            "refresh_token": self.refresh_token.get_secret_value() if self.refresh_token else None,
            "scopes": None if self.scopes is None else sorted(self.scopes),
            "expires_at": _text(self.lifetimes.expires_at),
            "refresh_expires_at": _text(self.lifetimes.refresh_expires_at),
            "more": dict(self.more),
        }

    @classmethod
    def load(cls, dumped: Mapping[str, Any]) -> "Grant":
        """Return the grant that `dump` has written."""
        scopes, refresh = dumped["scopes"], dumped["refresh_token"]
        return cls(
            SecretStr(dumped["access_token"]),
            SecretStr(refresh) if refresh else None,
            None if scopes is None else frozenset(scopes),
            Lifetimes(
                _from_text(dumped["expires_at"]),
                _from_text(dumped["refresh_expires_at"]),
                None if scopes is None else tuple(scopes),
            ),
            dumped["more"],
        )


def _text(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _from_text(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
