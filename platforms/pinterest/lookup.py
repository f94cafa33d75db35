"""The search for a pin among those of its board."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from platforms.base import Absent, Finding, PublishContext, Published, Unknown
from platforms.errors import ErrorKind, PlatformError
from platforms.http.untrusted import moment
from platforms.http.wire import segment
from platforms.pinterest.connection import PinterestConnection, call
from platforms.pinterest.rules import RULES
from platforms.pinterest.settings import PinterestSettings
from platforms.steps.matching import MatchingPost, earliest_unclaimed, has_same_words

PAGE, MOST_PAGES = 100, 5
"""Pins per page, and pages. Whether the newest pins come first is unverified, so an older pin ends no search."""


def published(pin_id: str) -> Published:
    """Return the published pin with its id and its address."""
    return Published(pin_id, RULES.post_id.page(pin_id))


async def find(
    connection: PinterestConnection, context: PublishContext[PinterestSettings], sent_at: datetime
) -> Finding:
    """Look on the board for an equal pin, made since shortly before `sent_at`. Raises PlatformError."""
    query: dict[str, str | int] = {"page_size": PAGE}
    alike: list[MatchingPost] = []
    for _ in range(MOST_PAGES):
        page = await call(
            connection, "GET", f"/v5/boards/{segment(context.draft.settings.board_id)}/pins", params=query
        )
        pins = page.get("items")
        if not isinstance(pins, list):
            raise PlatformError(
                ErrorKind.TRANSIENT, "Pinterest's list of pins cannot be read.", code="unreadable_answer"
            )
        same = (pin for pin in pins if _has_same_content(pin, context))
        alike += (MatchingPost(published(str(pin["id"])), _made_at(pin)) for pin in same)
        if not page.get("bookmark"):
            return earliest_unclaimed(context, alike, since=sent_at) or Absent()
        query["bookmark"] = str(page["bookmark"])
    return earliest_unclaimed(context, alike, since=sent_at) or Unknown()


def _has_same_content(pin: dict[str, Any], context: PublishContext[PinterestSettings]) -> bool:
    settings = context.draft.settings
    return (
        has_same_words(pin.get("title"), settings.title)
        and has_same_words(pin.get("description"), context.draft.text)
        and _place(pin.get("link")) == _place(settings.link)
    )


def _made_at(pin: dict[str, Any]) -> datetime:
    try:
        made = moment(pin.get("created_at"))
    except ValueError as error:
        raise PlatformError(
            ErrorKind.TRANSIENT, "Pinterest does not say when a pin was made.", code="no_time"
        ) from error
    # Pinterest writes its times without a time zone.
    return made if made.tzinfo else made.replace(tzinfo=UTC)


def _place(link: str | None) -> tuple[str, str]:
    """Return host and path of a link. Whether Pinterest keeps its scheme and query as they were sent is unproven."""
    parts = urlsplit(link or "")
    return (parts.hostname or "").removeprefix("www."), parts.path.rstrip("/")
