"""Recognise a post among the account's newest statuses, where its server has made HTML of it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from typing import Any

from platforms.alike import Alike, earliest
from platforms.base import Absent, Finding, Published, Sending, Unknown
from platforms.errors import NetworkError
from platforms.mastodon.line import Line, id_of, read_list
from platforms.mastodon.media import media_ids
from platforms.mastodon.settings import MastodonSettings
from platforms.mastodon.text import comparable, readings, resemble, shown_text, words

CLOCKS_APART = timedelta(seconds=60)
"""How far a server's clock may stand behind ours before its own status is not recognised."""
PAGE, MOST_PAGES = 20, 10
"""Statuses a read, what every server gives; an account with more since the attempt is not searched further."""
AFTER = "after"
"""Where the handles name the newest status before the first send: "" where there was none, null where unknown."""


class Likeness(Enum):
    """How much a status is what was sent: servers make of a text what they like, and few say how."""

    OURS = auto()
    SAYS_THE_SAME = auto()
    """Ours, where no other does."""
    RESEMBLES = auto()
    """It may be ours: so much that nothing is sent again, too little to call it ours."""
    OTHER = auto()


async def note_newest(line: Line, sending: Sending[MastodonSettings]) -> None:
    """Note once, before the first send, which statuses cannot be ours: one with the same words may be among them."""
    if AFTER in sending.handles:
        return
    try:
        newest = await read_list(line, _path(line), limit="1", exclude_reblogs="true")
        sending.handles[AFTER] = id_of(newest[0]) if newest else ""
    except NetworkError:
        # Then the time of the attempt must tell; a token may be allowed to write only.
        sending.handles[AFTER] = None
    await sending.save(sending.handles)


async def find(line: Line, sending: Sending[MastodonSettings]) -> Finding:
    """Look for the post among the statuses that are newer than its first send."""
    if sending.started_at is None or AFTER not in sending.handles:
        return Absent()
    likely: dict[Likeness, list[dict[str, Any]]] = {Likeness.SAYS_THE_SAME: [], Likeness.RESEMBLES: []}
    found: list[Alike] = []
    params = {"limit": str(PAGE), "exclude_reblogs": "true"}
    if sending.handles[AFTER]:
        params["since_id"] = sending.handles[AFTER]
    for _ in range(MOST_PAGES):
        page = await read_list(line, _path(line), **params)
        for status in page:
            if _is_older(status, sending):
                return earliest(sending, reversed(found)) or _judged(line, sending, likely)
            likeness = _likeness(status, sending)
            if likeness is Likeness.OURS:
                found.append(Alike(published(line, sending, status), _created(status) or sending.started_at))
            elif likeness in likely and id_of(status) not in sending.taken:
                likely[likeness].append(status)
        # A page may be short because a server takes out of it what the account may not see: only an empty one is last.
        if not page or params.get("max_id") == id_of(page[-1]):
            return earliest(sending, reversed(found)) or _judged(line, sending, likely)
        params["max_id"] = id_of(page[-1])
    return earliest(sending, reversed(found)) or Unknown()


def published(
    line: Line, sending: Sending[MastodonSettings], status: dict[str, Any], *, public: bool = False
) -> Published:
    """Name a status; a private one may have no address of its own. It may lack what its server does not know."""
    status_id = id_of(status, public=public)
    url = status.get("url") or status.get("uri")
    acct = line.account.username.partition("@")[0]
    address = str(url) if url else f"{line.wire.base_url}/@{acct}/{status_id}"
    return Published(status_id, address, warning=" ".join(_missing(sending.draft.settings, status)) or None)


def _missing(settings: MastodonSettings, status: dict[str, Any]) -> Iterator[str]:
    shown = status.get("visibility")
    if settings.visibility and shown and shown != settings.visibility:
        yield f"The server made the post {shown} instead of {settings.visibility}."
    if settings.poll and status.get("poll", {}) is None:
        yield "The server published the post without its poll."
    if settings.in_reply_to_id and not status.get("in_reply_to_id"):
        yield "The server published the post, but not as an answer."
    if settings.quoted_status_id and not status.get("quote"):
        yield "The server published the post without its quote."


def _path(line: Line) -> str:
    return f"/api/v1/accounts/{line.account.user_id.partition('@')[0]}/statuses"


def _judged(line: Line, sending: Sending[MastodonSettings], likely: dict[Likeness, list[dict[str, Any]]]) -> Finding:
    if len(same := likely[Likeness.SAYS_THE_SAME]) == 1:
        return published(line, sending, same[0])
    return Unknown() if any(likely.values()) else Absent()


def _is_older(status: dict[str, Any], sending: Sending[MastodonSettings]) -> bool:
    """Tell whether a status, and so all after it, was there before the first send."""
    if (after := sending.handles[AFTER]) is not None:
        return bool(id_of(status) == after)
    made = _created(status)
    return made is not None and sending.started_at is not None and made < sending.started_at - CLOCKS_APART


def _likeness(status: dict[str, Any], sending: Sending[MastodonSettings]) -> Likeness:
    draft = sending.draft
    shown = [str(each.get("id")) for each in status.get("media_attachments") or [] if isinstance(each, dict)]
    ours = media_ids(sending.handles) if draft.media else []
    if set(shown) & set(ours):
        return Likeness.OURS
    answered = status.get("in_reply_to_id")
    if answered and str(answered) != draft.settings.in_reply_to_id:
        return Likeness.OTHER
    text = shown_text(str(status.get("content") or ""), draft.text)
    same = comparable(text) == comparable(draft.text)
    if same and not shown and not ours:
        return Likeness.OURS
    same = same or (bool(words(text)) and words(text) in map(words, readings(draft.text)))
    # That a server shows more or fewer media proves nothing: some make them of the pictures in a text.
    if same and len(shown) == len(ours):
        return Likeness.SAYS_THE_SAME
    return Likeness.RESEMBLES if same or resemble(text, draft.text) else Likeness.OTHER


def _created(status: dict[str, Any]) -> datetime | None:
    try:
        made = datetime.fromisoformat(str(status["created_at"]))
    except (KeyError, ValueError):
        return None
    return made.replace(tzinfo=made.tzinfo or UTC)
