"""The settings and limits of a workspace: bounds, retention, calendar views, connect pages, deletion."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from domain.uploads import MEDIA_KEPT

MAX_TEXT = 100_000
"""Characters of any string in a body. The longest text that a platform takes, Facebook's, has 63,206."""

MAX_NAME = 255
"""Characters of a name in a JSON object."""

MAX_VALUES = 20_000
"""Values of a body, nested ones included: 100 targets with 200 each."""

MAX_ITEMS = 100
"""Of media, targets and tags each; far above what any platform takes."""

MAX_MEDIA = 1_000
"""Media of a post in all: its own, those of its targets and those of threads."""

LARGEST_ANSWER = 4 * 1024 * 1024
"""Bytes of an answer: of one post, or of a page of them."""

LARGEST_POST = 3 * 1024 * 1024
"""Bytes of the answer with a post that is accepted. Edits, whose earlier texts are kept, may add the rest."""

MOST_ACCOUNTS = 1_000
"""Accounts that a workspace may connect by default; our choice."""


class ViewDetail(StrEnum):
    """The part of each post that a view shows."""

    CONTENT = "content"
    """All that the calendar shows."""
    TITLE = "title"
    """The first line of its text, its platforms and its status; no accounts, no warnings, no reasons of pauses."""
    BUSY = "busy"
    """Its time and its status."""


MOST_VIEWS = 100
"""Calendar views of a workspace."""


LONGEST_NAME = 80
"""Characters, as of the operator's name."""
LARGEST_LOGO = 32 * 1024
"""Bytes: the picture is a part of the page, so that no other host is asked."""
LARGEST_SIDE = 512
"""Pixels of each side, so that a small file does not become a large picture in a browser."""
_BEGINNING = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"


@dataclass(frozen=True, slots=True)
class ConnectPage:
    """The workspace as people see it; None for its own name, and for no picture."""

    name: str | None
    logo: bytes | None


def is_logo(content: bytes) -> bool:
    """Return whether a file is a PNG of a small size. No other type is taken: SVG may contain scripts."""
    width, height = content[16:20], content[20:24]
    sides = (int.from_bytes(width), int.from_bytes(height))
    return (
        content.startswith(_BEGINNING) and len(content) <= LARGEST_LOGO and 0 < min(sides) <= max(sides) <= LARGEST_SIDE
    )


class DeletionStep(StrEnum):
    """A step of a deletion, in the order in which they are taken. Each may be repeated."""

    POSTS = "posts"
    UPLOADS = "uploads"
    ACCOUNTS = "accounts"
    ROWS = "rows"
    REVOCATIONS = "revocations"
    REQUESTS = "requests"
    """Requests that were accepted before it began are waited for."""
    WORKFLOWS = "workflows"
    DONE = "done"


class SelectionBy(StrEnum):
    """The party that asks a person which of several accounts to connect, if this service receives the redirect."""

    PAGE = "page"
    """A page of this service."""
    CALLER = "caller"
    """The API's caller."""


AUDIT_KEPT = timedelta(days=365)
LEAST_DAYS = 30
"""Days for which every settled post is kept, whatever is set: it may still be retried; our choice."""
MOST_DAYS = 36_500


@dataclass(frozen=True, slots=True)
class Retention:
    """For how long a worker keeps what it deletes."""

    audit: timedelta = AUDIT_KEPT
    media: timedelta = MEDIA_KEPT
    posts_days: int = 0
    """Days for which settled posts are kept of workspaces without a number of their own; 0 means for ever."""


def checked_days(days: int) -> int:
    """Return the days for which posts are kept; 0 is for ever. Raises ValueError if they are too few or too many."""
    if days != 0 and not LEAST_DAYS <= days <= MOST_DAYS:
        raise ValueError(f"must be 0, which keeps posts for ever, or {LEAST_DAYS} to {MOST_DAYS}")
    return days
