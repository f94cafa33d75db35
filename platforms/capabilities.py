"""The interfaces that only some platforms have, a class for each: a platform inherits those that it has."""

from abc import ABC, abstractmethod
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
