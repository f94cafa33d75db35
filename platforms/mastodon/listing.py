"""The lists in which a server shows an account's statuses: not every server shows all of them in one list."""

from collections.abc import AsyncIterator, Iterable
from typing import Any

from platforms.errors import ErrorKind, PlatformError, require_same
from platforms.http.answers import FirstItems
from platforms.http.wire import segment
from platforms.mastodon.connection import MastodonConnection, read, read_list, require_id
from platforms.mastodon.settings import MastodonSettings

PAGE, MOST_PAGES = 20, 10
"""Statuses per page, which every server allows, and pages. If there are more since the attempt, the search ends."""
MOST_READ = PAGE * MOST_PAGES
"""Statuses that are read of a page: some servers list all that they have, whatever they are asked for."""
HIDDEN = frozenset({"private", "direct"})

Status = dict[str, Any]


def account_path(connection: MastodonConnection) -> str:
    """Return the path of the account's own list. snac leaves private statuses out of it, Pixelfed replies."""
    return f"/api/v1/accounts/{segment(_author(connection))}/statuses"


async def pages(connection: MastodonConnection, path: str, **params: str) -> AsyncIterator[list[Status]]:
    """Read a list page by page, newest first; an empty page is its end. Raises PlatformError.

    A page that is cut off comes twice if the server answers with it again.
    """
    params = {"limit": str(PAGE), **params}
    for _ in range(MOST_PAGES):
        page = await read_list(connection, path, MOST_READ, **params)
        if not page or require_id(page[-1]) == params.get("max_id"):
            # Some servers ignore the parameters and return the same page forever.
            yield page if isinstance(page, FirstItems) else []
            return
        yield page
        params["max_id"] = require_id(page[-1])


async def newest(connection: MastodonConnection) -> list[Status]:
    """Read the newest statuses of the account, however old they are. Raises PlatformError."""
    return await read_list(connection, account_path(connection), 40, limit="40")


async def thread(connection: MastodonConnection, settings: MastodonSettings) -> list[Status]:
    """Read all replies to the post that this one replies to, in no order; none if it is no reply.

    Raises PlatformError.
    """
    if not settings.in_reply_to_id:
        return []
    try:
        context = await read(connection, f"/api/v1/statuses/{segment(settings.in_reply_to_id)}/context")
    except PlatformError as error:
        if error.kind not in {ErrorKind.REJECTED, ErrorKind.AUTH}:
            raise
        return []
    answers = context.get("descendants")
    return [answer for answer in answers if isinstance(answer, dict)] if isinstance(answers, list) else []


def home(connection: MastodonConnection) -> AsyncIterator[list[Status]]:
    """Read the home timeline, which may have own statuses that the account's list lacks. Raises PlatformError."""
    return pages(connection, "/api/v1/timelines/home")


def may_be_left_out(settings: MastodonSettings) -> bool:
    """Return whether some servers leave such a post out of the account's list, even for its author."""
    return settings.visibility in HIDDEN or settings.in_reply_to_id is not None


def is_of_kind(status: Status, settings: MastodonSettings) -> bool:
    """Return whether a server that leaves out a post with these settings leaves out this status, too."""
    hidden = settings.visibility not in HIDDEN or status.get("visibility") == settings.visibility
    return hidden and (not settings.in_reply_to_id or bool(status.get("in_reply_to_id")))


def is_own(connection: MastodonConnection, status: Status) -> bool:
    """Return whether the account wrote a status."""
    author = status.get("account")
    return isinstance(author, dict) and str(author.get("id")) == _author(connection)


def require_own(connection: MastodonConnection, statuses: Iterable[Status], *, public: bool = False) -> None:
    """Raise PlatformError if another account wrote one of the statuses."""
    for status in statuses:
        author = status.get("account")
        named = author.get("id") if isinstance(author, dict) else None
        require_same(connection.wire.label, named, _author(connection), public=public)


def _author(connection: MastodonConnection) -> str:
    return connection.account.user_id.partition("@")[0]
