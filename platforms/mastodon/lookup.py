"""The search for a post among the account's newest statuses, which its server has converted to HTML."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from datetime import datetime
from enum import Enum, auto
from typing import Any
from urllib.parse import quote

from domain.loop_share import loop_share
from platforms.base import Absent, Finding, Published, Unknown
from platforms.errors import ErrorKind, PlatformError, require_same
from platforms.http.answers import FirstItems
from platforms.http.untrusted import moment
from platforms.http.wire import segment
from platforms.mastodon.access import MastodonConnection, MastodonContext, read, read_limits, read_list, require_id
from platforms.mastodon.limits import DEFAULTS, ServerLimits
from platforms.mastodon.media import media_ids
from platforms.mastodon.rules import MastodonSettings, SentText, comparable, is_of_snac, read_shown_text, words
from platforms.steps.matching import (
    CLOCKS_APART,
    GROWTH_OF_TEXT,
    Likeness,
    MatchingPost,
    earliest_unclaimed,
    is_too_long,
    likeness,
)

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


AFTER = "after"
"""The newest status before the first send, in the handles: "" if there was none, null if unknown."""


_KINDS_OF_SNAC = {"unlisted": "public", "direct": "private"}
"""How snac shows kinds of visibility that its API does not distinguish, although it does. Source: snac 2.75."""


class Similarity(Enum):
    """The similarity of a status to the sent text. Servers change texts as they like, and few document how."""

    OURS = auto()
    SAME_TEXT = auto()
    """Ours, unless another status says the same."""
    RESEMBLES = auto()
    """It may be ours: too similar to send the post again, but not enough to call it ours."""
    OTHER = auto()


async def save_newest(connection: MastodonConnection, context: MastodonContext) -> None:
    """Save once, before the first send, the newest status: it and older ones cannot be ours, even if they are equal."""
    if AFTER in context.handles:
        return
    try:
        newest = await read_list(connection, account_path(connection), 1, limit="1", exclude_reblogs="true")
        context.handles[AFTER] = require_id(newest[0]) if newest else ""
    except PlatformError:
        # Then the time of the attempt must decide. The token may permit writing only.
        context.handles[AFTER] = None
    await context.save(context.handles)


async def find(connection: MastodonConnection, context: MastodonContext, sent_at: datetime) -> Finding:
    """Look for the post among the statuses that are newer than its first send."""
    if AFTER not in context.handles:
        return Absent()
    search = _Search(connection, context, sent_at)
    since = {"since_id": context.handles[AFTER]} if context.handles[AFTER] else {}
    async for page in pages(connection, account_path(connection), exclude_reblogs="true", **since):
        require_own(connection, page)
        # A page may be short because a server removes what the account may not see. The last page is one with nothing
        # new.
        if not await search.take(page):
            break
    else:
        return search.match() or Unknown()
    if search.is_cut:
        return search.match() or Unknown(is_cut=True)
    if search.match() or not may_be_left_out(context.draft.settings):
        return search.verdict()
    server = await _server(connection)
    return search.verdict() if server.lists_all else await _elsewhere(search, server)


async def _server(connection: MastodonConnection) -> ServerLimits:
    """Return what is known of the server; the defaults if it does not identify itself."""
    try:
        return await read_limits(connection)
    except PlatformError:
        return DEFAULTS


async def _elsewhere(search: "_Search", server: ServerLimits) -> Finding:
    """Look for a reply or a private post in its thread and in the home timeline: some servers show it only there.

    It is absent if neither shows it, and if one of two conditions holds: either shows another status of the same kind,
    or the server is known to show all statuses in the home timeline.
    """
    connection, settings = search.connection, search.context.draft.settings
    shows_kind = server.shows_all_at_home or any(is_of_kind(status, settings) for status in await newest(connection))
    await search.take_own(await thread(connection, settings))
    is_cut = False
    async for page in home(connection):
        is_cut = isinstance(page, FirstItems)
        own = await search.take_own(page)
        shows_kind |= any(is_of_kind(status, settings) for status in own)
        if not page or search.is_before(page[-1]):
            is_cut = False
            break
    else:
        shows_kind = False
    verdict = search.verdict()
    return Unknown(is_cut=is_cut) if isinstance(verdict, Absent) and (is_cut or not shows_kind) else verdict


class _Search:
    """The search for one post in an account's list of statuses."""

    def __init__(self, connection: MastodonConnection, context: MastodonContext, sent_at: datetime) -> None:
        self.connection = connection
        self.context = context
        self._sent_at = sent_at
        self._sent = SentText(context.draft.text)
        self.is_cut = False
        """Whether the list ends before its end, with statuses that may be newer than ours."""
        self._seen: set[str] = set()
        self._ours: list[MatchingPost] = []
        self._likely: dict[Similarity, list[dict[str, Any]]] = {Similarity.SAME_TEXT: [], Similarity.RESEMBLES: []}

    async def take(self, page: list[dict[str, Any]]) -> bool:
        """Compare the statuses of a page, newest first; return whether older ones may still be ours."""
        self.is_cut = isinstance(page, FirstItems)
        fresh = [status for status in page if require_id(status) not in self._seen]
        self._seen |= {require_id(status) for status in fresh}
        for status in fresh:
            if self._is_older(status):
                self.is_cut = False
                return False
            await asyncio.sleep(0)
            await self._examine(status)
        return bool(fresh)

    async def take_own(self, statuses: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Compare the statuses of an unordered list that are new enough and the account's own; return all its own."""
        own = [status for status in statuses if is_own(self.connection, status)]
        for status in own:
            if require_id(status) not in self._seen and not self.is_before(status):
                self._seen.add(require_id(status))
                await asyncio.sleep(0)
                await self._examine(status)
        return own

    async def _examine(self, status: dict[str, Any]) -> None:
        # A boost of a post is listed as a status without text of its own.
        boosted = status.get("reblog")
        shown: dict[str, Any] = boosted if isinstance(boosted, dict) else status
        similarity = await _similarity(shown, self.context, self._sent, shown_raw_text(shown))
        if similarity in self._likely and shown_raw_text(shown) is None:
            raw = await read_raw_text(self.connection, shown)
            similarity = await _similarity(shown, self.context, self._sent, raw)
        if similarity is Similarity.OURS:
            made_at = _created(shown) or self._sent_at
            self._ours.append(MatchingPost(published(self.connection, self.context, shown), made_at))
        elif similarity in self._likely and require_id(shown) not in self.context.taken:
            self._likely[similarity].append(shown)

    def match(self) -> Published | None:
        """Return the post that is surely ours."""
        return earliest_unclaimed(self.context, reversed(self._ours))

    def verdict(self) -> Finding:
        """Return the result for the whole list."""
        if ours := self.match():
            return ours
        if len(same := self._likely[Similarity.SAME_TEXT]) == 1:
            return published(self.connection, self.context, same[0])
        if any(self._likely.values()):
            return Unknown()
        return Absent()

    def is_before(self, status: dict[str, Any]) -> bool:
        """Return whether a status was made before the first send, as far as the two clocks agree."""
        made_at = _created(status)
        return made_at is not None and made_at < self._sent_at - CLOCKS_APART

    def _is_older(self, status: dict[str, Any]) -> bool:
        """Return whether a status, and so all after it in the list, existed before the first send."""
        if (after := self.context.handles[AFTER]) is not None:
            return bool(require_id(status) == after)
        return self.is_before(status)


def published(
    connection: MastodonConnection,
    context: MastodonContext,
    status: dict[str, Any],
    *,
    public: bool = False,
) -> Published:
    """Return the published post, with a warning for what the server lacks; a private one may have no own address."""
    status_id = require_id(status, public=public)
    require_own(connection, [status], public=public)
    url = status.get("url") or status.get("uri")
    acct = connection.account.username.partition("@")[0]
    address = str(url) if url else f"{connection.wire.base_url}/@{acct}/{status_id}"
    return Published(status_id, address, warning=" ".join(_missing(context.draft.settings, status)) or None)


def _missing(settings: MastodonSettings, status: dict[str, Any]) -> Iterator[str]:
    shown, asked = status.get("visibility"), settings.visibility
    if (
        asked
        and shown
        and shown != asked
        and not (is_of_snac(require_id(status)) and _KINDS_OF_SNAC.get(asked) == shown)
    ):
        yield f"The server made the post {shown} instead of {asked}."
    if settings.poll and status.get("poll", {}) is None:
        yield "The server published the post without its poll."
    if settings.in_reply_to_id and not status.get("in_reply_to_id"):
        yield "The server published the post, but not as an answer."
    if settings.quoted_status_id and not status.get("quote"):
        yield "The server published the post without its quote."


def shown_raw_text(status: dict[str, Any]) -> str | None:
    """Return the text as it was sent, if a server shows it with the HTML: snac, GoToSocial and Akkoma do."""
    of_akkoma = (status.get("akkoma") or {}).get("source") if isinstance(status.get("akkoma"), dict) else None
    text = of_akkoma.get("content") if isinstance(of_akkoma, dict) else status.get("text")
    return text if isinstance(text, str) and text else None


async def read_raw_text(connection: MastodonConnection, status: dict[str, Any]) -> str | None:
    """Ask a server for the text as it was sent; None if it does not return it."""
    try:
        text = (await read(connection, f"/api/v1/statuses/{quote(require_id(status), safe='')}/source")).get("text")
    except PlatformError:
        return None
    return text if isinstance(text, str) and text else None


async def _similarity(
    status: dict[str, Any], context: MastodonContext, sent: SentText, raw: str | None = None
) -> Similarity:
    draft = context.draft
    shown = [
        str(attachment.get("id"))
        for attachment in status.get("media_attachments") or []
        if isinstance(attachment, dict)
    ]
    ours = media_ids(context.handles) if draft.media else []
    if set(shown) & set(ours):
        return Similarity.OURS
    answered = status.get("in_reply_to_id")
    if answered and str(answered) != draft.settings.in_reply_to_id:
        return Similarity.OTHER
    if raw is not None:
        # If a server shows more media, that proves nothing: some servers add the pictures that a text links to.
        same = raw.strip() == draft.text.strip() and len(shown) >= len(ours)
        return Similarity.OURS if same else Similarity.OTHER
    content = str(status.get("content") or "")
    if is_too_long(content, draft.text):
        return Similarity.OTHER
    # Comparing blocks the event loop, and the server decides how much there is to compare.
    async with loop_share(len(content)) as turn:
        text = await read_shown_text(content, draft.text, turn)
        if is_too_long(text, draft.text, GROWTH_OF_TEXT):
            return Similarity.OTHER
        same = comparable(text) == sent.comparable
        if same and not shown and not ours:
            return Similarity.OURS
        await turn.pause()
        its_words = words(text)
        same = same or (bool(its_words) and its_words in sent.words)
        # If a server shows more or fewer media, that proves nothing: some make them of the pictures in a text.
        if same and len(shown) == len(ours):
            return Similarity.SAME_TEXT
        await turn.pause()
        resembles = bool(its_words) and likeness(text, draft.text) is not Likeness.OTHER
        return Similarity.RESEMBLES if same or resembles else Similarity.OTHER


def _created(status: dict[str, Any]) -> datetime | None:
    try:
        return moment(status["created_at"])
    except (KeyError, ValueError):
        return None
