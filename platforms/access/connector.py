"""The ways in which people connect accounts of the platforms.

Each platform that supports this has a `CONNECTOR` in its `access` module. A connector builds addresses and reads
responses. It knows neither the database nor the states of connections.
"""

import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from importlib.util import find_spec
from typing import Any, ClassVar, Generic

from platforms.base import AnyPlatform, C, Connection, Identity
from platforms.errors import shield
from platforms.http.untrusted import moment, number
from platforms.registry import platforms


@dataclass(frozen=True, slots=True)
class Inspection:
    """The report of a platform that accepts an account's tokens."""

    scopes: tuple[str, ...] | None = None
    """The permissions that are granted, sorted; None if the platform does not report them."""
    expires_at: datetime | None = None
    """When the access token ends; None if the platform does not report it, or if the token has no end."""
    missing: tuple[str, ...] = ()
    """Permissions that this account lacks and needs to publish, although the tokens have them for other accounts."""
    notes: tuple[str, ...] = ()
    """Messages for people about problems that do not stop publishing."""


def reported_end(value: object) -> datetime | None:
    """Return when a token ends, given a reported value; None for 0, which means no end, and for an unreadable value."""
    if not number(value):
        return None
    try:
        return moment(value)
    except ValueError:
        return None


Connect = Callable[[Any], Connection[Any]]
"""Opens a connection to the platform with credentials that do not belong to an account yet."""

_STEPS = (
    "inspect",
    "exchange",
    "candidates",
    "revoke",
    "find_server",
    "register",
    "push",
    "as_stored",
    "invite",
    "inbox",
    "may_connect",
    "remove_code_post",
)
"""The methods of connectors that read responses of servers."""


@dataclass(frozen=True, slots=True)
class Candidate(Generic[C]):
    """A page, channel, location or profile that one authorization lets this service publish to."""

    id: str
    name: str
    kind: str
    credentials: C = field(repr=False)
    username: str | None = None
    reason: str | None = None
    """Why it cannot be selected; None if it can."""
    identity: Identity | None = None
    """What `Platform.whoami` returned for it, if it was called already."""


@dataclass(frozen=True, slots=True)
class RemovalAdvice:
    """The sentences for a person whose account is removed here: the access at the platform stays, or a part of it."""

    to_remove: str
    """How the access is ended there."""
    remains: str | None = None
    """What remains even after the tokens were revoked, and what to do about it; None if nothing does."""


class Connector(ABC, Generic[C]):
    """The way in which people connect accounts of one platform, and in which these are checked."""

    name: ClassVar[str]
    options: ClassVar[Mapping[str, Sequence[str]]] = {}
    """What a client may choose when it begins: the allowed values of each option, the default first."""
    check_interval: ClassVar[timedelta] = timedelta(minutes=1)
    """How often the account's state may be checked at the platform on demand; our choice."""
    settings_page: ClassVar[str] = "the account's settings"
    """Where a person removes this service's access at the platform, as part of a sentence. Unverified: the platforms
    name these pages in their help, and change them."""

    def __init_subclass__(cls, **options: Any) -> None:
        """Make every step of the connector raise PlatformError for a response of an unexpected shape."""
        super().__init_subclass__(**options)
        shield(cls, _STEPS)

    @property
    def platform(self) -> AnyPlatform:
        """Return the platform that it belongs to."""
        return platforms()[self.name]

    @property
    def label(self) -> str:
        """Return the platform's name for people."""
        return self.platform.label

    @property
    def unneeded_scopes(self) -> frozenset[str]:
        """Return the permissions that are asked for and that an account can publish without."""
        return frozenset()

    @property
    def needs_app(self) -> bool:
        """Return whether people need the operator's app to connect accounts; if not, they may give a bot's token."""
        return not self.platform.app.has_bot

    async def inspect(self, connection: Connection[C]) -> Inspection:
        """Check the account's state, changing nothing. Raises PlatformError, `auth` if its tokens are not accepted."""
        await self.platform.whoami(connection)
        return Inspection()

    def removal_advice(self, credentials: C | None) -> RemovalAdvice:
        """Return what a person can do at the platform to end the access; None are credentials that cannot be read."""
        return RemovalAdvice(f"To end it there, too, remove the app in {self.settings_page}.")


class AccountAliases(ABC, Generic[C]):
    """Accounts with further user ids: each authorization makes a webhook, whose id names the account, too."""

    @abstractmethod
    def aliases(self, credentials: C) -> Collection[str]:
        """Return further user ids under which other accounts may use the same access."""

    @abstractmethod
    async def as_stored(self, connect: Connect, candidate: Candidate[C], stored: C) -> Candidate[C]:
        """Return the candidate as the account that has the `stored` credentials, if it may replace it; else unchanged.

        Called if an account is reconnected.
        """


@cache
def connectors() -> dict[str, Connector[Any]]:
    """Return the connector of each platform that has one."""
    modules = {name: f"platforms.{name}.access" for name in platforms()}
    present = {name: importlib.import_module(module) for name, module in modules.items() if find_spec(module)}
    return {name: module.CONNECTOR for name, module in present.items() if hasattr(module, "CONNECTOR")}
