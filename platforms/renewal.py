"""How a network's tokens live and are renewed: its rules as data, and what a renewal brought."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, ClassVar, Generic

from platforms.base import C, Connection
from platforms.http.untrusted import moment, number

LONGEST_LIFE = timedelta(days=3660)
"""The longest life of a token that is believed; whatever is told beyond it says no more."""
MOST_SCOPES, LONGEST_SCOPE = 100, 200


class Reuse(StrEnum):
    """What happens if a refresh token is sent a second time."""

    HARMLESS = "harmless"
    """It works as often as it is sent."""
    REFUSED = "refused"
    """It is refused, and the tokens that it was traded for live on."""
    ENDS_GRANT = "ends_grant"
    """The network takes it for stolen and ends all tokens of the grant: the account must be reconnected."""


@dataclass(frozen=True, slots=True)
class TokenRules:
    """The rules of a network's tokens. What an answer tells of lives always wins over the figures here."""

    life: timedelta
    """How long an access token lives."""
    reuse: Reuse
    grace: timedelta = timedelta(0)
    """How long a refresh token that was used still yields the same new ones."""
    lead: timedelta = timedelta(0)
    """A token is renewed before it is used if less than this is left of it, or less than half of its life."""
    refresh_life: timedelta | None = None
    """How long a refresh token lives if it is not used; None if it has no known end."""
    renew_after: timedelta | None = None
    """How long after a renewal, or after connecting, the next is due even if nothing uses the token."""
    renews_itself: bool = False
    """Whether an access token is renewed by itself, without a refresh token. Once it has ended it cannot be renewed."""
    first_renewal: timedelta | None = None
    """If set, how long after connecting the first renewal is due: the given token may be of any age."""

    @property
    def rotates(self) -> bool:
        """Return whether a refresh token may be used once only, so that a lost answer loses the account."""
        return self.reuse is not Reuse.HARMLESS and not self.grace


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """What an answer told of new tokens; None for what it did not tell."""

    expires_at: datetime | None = None
    """When the access token ends, in UTC."""
    refresh_expires_at: datetime | None = None
    """When the refresh token ends, in UTC."""
    scopes: tuple[str, ...] | None = None
    """The permissions that were granted, sorted."""


@dataclass(frozen=True, slots=True)
class Renewed(Generic[C]):
    """New credentials. `lifetimes` is None if they were changed and their tokens were not renewed."""

    credentials: C
    lifetimes: Lifetimes | None


class Renews(ABC, Generic[C]):
    """A network whose tokens can be renewed without their owner."""

    tokens: ClassVar[TokenRules]
    other_tokens: ClassVar[tuple[TokenRules, ...]] = ()
    """The rules of further kinds of tokens that the network gives out; `rules_of` tells which are whose."""

    def rules_of(self, credentials: C) -> TokenRules:
        """Return the rules of the tokens that credentials hold."""
        return self.tokens

    def can_renew(self, credentials: C) -> bool:
        """Return whether the credentials hold what renews them: a refresh token, if the network needs one."""
        return self.tokens.renews_itself or getattr(credentials, "refresh_token", None) is not None

    @abstractmethod
    async def renew(self, connection: Connection[C]) -> Renewed[C]:
        """Trade the connection's credentials for new ones by one request, or by several of which one has an effect.

        Raises PlatformError: kind `auth` only if the network refuses this account's own tokens, never for an app that
        it does not know, for a limit or for trouble of its own.
        """


def lifetimes_of(answer: Mapping[str, Any]) -> Lifetimes:
    """Return what a token endpoint's answer tells: `expires_in` and the like in seconds from now.

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
    found = number(seconds)
    return None if found is None or found <= 0 else now + min(timedelta(seconds=min(found, 1e9)), LONGEST_LIFE)


def _moment(told: object) -> datetime | None:
    try:
        return moment(told)
    except ValueError:
        return None


def _scopes(told: object) -> tuple[str, ...] | None:
    words = " ".join(map(str, told[:MOST_SCOPES])) if isinstance(told, list) else told
    if not isinstance(words, str):
        return None
    found = {word[:LONGEST_SCOPE] for word in words.replace(",", " ").split() if word.isprintable()}
    return tuple(sorted(found)[:MOST_SCOPES])
