"""The interfaces that only some platforms have, a class for each: a platform inherits those that it has."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, Generic

from domain.request_limits import Quota
from platforms.base import C, Connection, Finding, Handles, PublishContext, Published, S


class OwnServers(ABC, Generic[C]):
    """A platform of which each account has a server, that its credentials name."""

    @abstractmethod
    def address(self, credentials: C) -> str:
        """Return the base URL of an account's server.

        The URL is as the account's owner wrote it, so the caller must check it against the hosts that the operator
        allows before it connects. A base URL set by the operator takes precedence.
        """


class ChoosesKey(ABC, Generic[S]):
    """A platform that lets us choose the key that identifies a post."""

    @abstractmethod
    async def assign_key(self, context: PublishContext[S]) -> None:
        """Choose the key. Sends no request.

        The transaction that begins the send saves it, so that the post can be confirmed if the response is lost.
        """


class ReportsQuota(ABC, Generic[C]):
    """A platform that reports how many posts an account may still publish."""

    @abstractmethod
    async def quota(self, connection: Connection[C]) -> Quota:
        """Ask how many posts the account may still publish; `limit` is the number for the longest window of the rules.

        Raises PlatformError.
        """


class Editable(ABC, Generic[S, C]):
    """A platform whose published posts can be edited, for `edit_window` if a post's own time is not known."""

    edit_window: ClassVar[timedelta]

    @abstractmethod
    async def edit(self, connection: Connection[C], published: Published, text: str, handles: Handles) -> Published:
        """Replace the text of a published post by one request; return the new version.

        `handles` are those with which the post was published; empty if they are lost.

        Raises PlatformError, kind `unconfirmed` if the edit may have had its effect.
        """

    @abstractmethod
    async def confirm_edit(self, connection: Connection[C], published: Published, text: str) -> Finding:
        """Find out whether an unconfirmed edit was made."""


MOST_CHOICES = 1_000
"""Values that are listed of one setting; our choice."""
_LONGEST_VALUE, _LONGEST_LABEL = 100, 200


@dataclass(frozen=True, slots=True)
class Choice:
    """A value of a setting, and its name for people."""

    value: str
    label: str


@dataclass(frozen=True, slots=True)
class Choices:
    """The values of a setting; `more` says that there are others, which are not listed."""

    items: tuple[Choice, ...]
    more: bool = False


@dataclass(frozen=True, slots=True)
class ListedSetting:
    """A setting whose values can be listed.

    `within` is the setting whose value they depend on, and `scope` the permission that listing them needs.
    """

    within: str | None = None
    scope: str | None = None


class ListsChoices(ABC, Generic[C]):
    """A platform that can list values of some settings."""

    listed: ClassVar[Mapping[str, ListedSetting]]
    """These settings, by their names as clients write them."""

    @abstractmethod
    async def choices(self, connection: Connection[C], name: str, within: str) -> Choices:
        """Ask for the values of a setting that the account may use; changes nothing. Raises PlatformError.

        `within`: the value of the setting that they depend on; empty if there is none.
        """


def bounded(pairs: Iterable[tuple[object, object]], *, more: bool = False) -> Choices:
    """Return values and their names as far as they can be used; what a platform sends is not trusted."""
    items = [
        Choice(str(value), str(label or value)[:_LONGEST_LABEL])
        for value, label in pairs
        if isinstance(value, str | int) and 0 < len(str(value)) <= _LONGEST_VALUE
    ]
    return Choices(tuple(items[:MOST_CHOICES]), more or len(items) > MOST_CHOICES)
