"""Settings whose values a platform can list for an account: boards, channels, flairs, playlists, locations."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar

from pydantic import BaseModel

from platforms.base import Connection

C = TypeVar("C", bound=BaseModel)
"""A platform's credentials."""

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
