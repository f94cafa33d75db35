"""The search for a pin among those of its board."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from platforms.base import Finding, PublishContext, Published
from platforms.errors import ErrorKind, PlatformError, require_same, unreadable
from platforms.http.answers import FirstItems, ListAt
from platforms.http.untrusted import moment
from platforms.http.wire import segment
from platforms.pinterest.connection import PinterestConnection, call
from platforms.pinterest.rules import RULES
from platforms.pinterest.settings import PinterestSettings
from platforms.steps.matching import Likeness, MatchingPost, likeness, verdict

PAGE, MOST_PAGES = 100, 5
"""Pins per page, and pages. Whether the newest pins come first is unverified, so an older pin ends no search."""


def published(pin_id: str) -> Published:
    """Return the published pin with its id and its address."""
    return Published(pin_id, RULES.post_id.page(pin_id))


async def find(
    connection: PinterestConnection, context: PublishContext[PinterestSettings], sent_at: datetime
) -> Finding:
    """Look on the board for the pin among those made since shortly before `sent_at`. Raises PlatformError."""
    query: dict[str, str | int] = {"page_size": PAGE}
    listed: list[MatchingPost] = []
    path, is_cut = f"/v5/boards/{segment(context.draft.settings.board_id)}/pins", False
    for _ in range(MOST_PAGES):
        page = await call(connection, "GET", path, params=query, listed=ListAt(("items",)))
        pins = page.get("items")
        if not isinstance(pins, list):
            raise unreadable("Pinterest")
        for pin in pins:
            require_same("Pinterest", pin.get("board_id"), context.draft.settings.board_id)
        likenesses = ((pin, _likeness(pin, context)) for pin in pins)
        listed += (MatchingPost(published(str(pin["id"])), _made_at(pin), like) for pin, like in likenesses if like)
        if is_cut := isinstance(pins, FirstItems):
            query["page_size"] = max(1, len(pins) // 2)
            continue
        if not page.get("bookmark"):
            return verdict(context, listed, since=sent_at)
        query["bookmark"] = str(page["bookmark"])
    return verdict(context, listed, since=sent_at, is_whole=False, is_cut=is_cut)


def _likeness(pin: dict[str, Any], context: PublishContext[PinterestSettings]) -> Likeness:
    settings = context.draft.settings
    if _place(pin.get("link")) != _place(settings.link):
        return Likeness.OTHER
    return min(likeness(pin.get("title"), settings.title), likeness(pin.get("description"), context.draft.text))


def _made_at(pin: dict[str, Any]) -> datetime:
    try:
        made_at = moment(pin.get("created_at"))
    except ValueError as error:
        raise PlatformError(
            ErrorKind.TRANSIENT, "Pinterest does not say when a pin was made.", code="no_time"
        ) from error
    # Pinterest writes its times without a time zone.
    return made_at if made_at.tzinfo else made_at.replace(tzinfo=UTC)


def _place(link: str | None) -> tuple[str, str]:
    """Return host and path of a link. Whether Pinterest keeps its scheme and query as they were sent is unproven."""
    parts = urlsplit(link or "")
    return (parts.hostname or "").removeprefix("www."), parts.path.rstrip("/")
