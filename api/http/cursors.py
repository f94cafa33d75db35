"""The cursors of lists: where the next page begins, as text that clients send back unread."""

import base64
import binascii
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar

LONGEST_CURSOR = 200
NO_CURSOR = "must be the cursor of an earlier answer to a request with the same other parameters"
"""What is wrong with a cursor that cannot be read, after the parameter's name."""


class _Row(Protocol):
    @property
    def id(self) -> str: ...


R = TypeVar("R", bound=_Row)


def cut_page(rows: Sequence[R], limit: int) -> tuple[Sequence[R], str | None]:
    """Return a page of rows in the order of their ids, one more of which was read, and the cursor of the next page."""
    page = rows[:limit]
    return page, encode_cursor({"id": page[-1].id}) if len(rows) > limit else None


def encode_cursor(content: dict[str, Any]) -> str:
    """Return a cursor that holds some JSON."""
    return base64.urlsafe_b64encode(json.dumps(content, separators=(",", ":")).encode()).rstrip(b"=").decode()


def decode_cursor(text: str) -> dict[str, Any]:
    """Return the JSON of a cursor, an empty object if it holds none. Raises ValueError."""
    if len(text) > LONGEST_CURSOR:
        raise ValueError(NO_CURSOR)
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        content = json.loads(raw)
    except (binascii.Error, ValueError, RecursionError) as error:
        raise ValueError(NO_CURSOR) from error
    return content if isinstance(content, dict) else {}


def encode_time(at: datetime) -> str:
    """Return an aware time as cursors hold it."""
    return at.astimezone(UTC).isoformat()


def decode_time(text: object) -> datetime:
    """Return the time that a cursor holds, in UTC. Raises ValueError."""
    try:
        at = datetime.fromisoformat(str(text))
    except ValueError as error:
        raise ValueError(NO_CURSOR) from error
    if at.tzinfo is None or at.utcoffset():
        raise ValueError(NO_CURSOR)
    return at
