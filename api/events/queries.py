"""The query of a request for events, and the cursor by which a client continues."""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Literal

from api.http.cursors import NO_CURSOR, decode_cursor, encode_cursor
from api.http.headers import HttpRequest
from api.http.query import MAX_LIMIT, convert_parameter, parse_choice, parse_limit, parse_lists
from domain.errors import InvalidRequest, Problem
from domain.webhooks import EventType
from store.events import FeedPosition

_LARGEST = {"x": 2**64, "s": 2**63, "t": 2**35}
"""The numbers of a cursor are below these: PostgreSQL's, and seconds until the year 3058."""


@dataclass(frozen=True, slots=True)
class FeedCursor:
    """A place in a feed, and when it was read."""

    position: FeedPosition
    at: datetime


@dataclass(frozen=True, slots=True)
class FeedQuery:
    """The events that a client asks for: from the oldest on if `after` is None; `types` is None for all."""

    after: FeedCursor | Literal["now"] | None
    types: list[str] | None
    limit: int


def read_feed_query(request: HttpRequest) -> FeedQuery:
    """Return the query of a request for events. Raises InvalidRequest."""
    lists, problems = parse_lists(request)
    query = {name: values[0] for name, values in lists.items()}
    limit = convert_parameter(query, problems, "limit", parse_limit)
    after = convert_parameter(query, problems, "after", _read_after)
    types = [_read_type(text, problems) for text in lists.get("type", ())]
    if problems:
        raise InvalidRequest(problems)
    return FeedQuery(after, [str(kind) for kind in types] or None, limit or MAX_LIMIT)


def _read_type(text: str, problems: list[Problem]) -> EventType | None:
    return convert_parameter({"type": text}, problems, "type", partial(parse_choice, EventType))


def _read_after(text: str) -> FeedCursor | Literal["now"]:
    return "now" if text == "now" else read_cursor(text)


def write_cursor(position: FeedPosition, at: datetime) -> str:
    """Return the cursor of a place that was read at a time."""
    return encode_cursor({"x": position.xid, "s": position.seq, "t": int(at.timestamp())})


def read_cursor(text: str) -> FeedCursor:
    """Return what a cursor says. Raises ValueError."""
    content = decode_cursor(text)
    xid, seq, seconds = (_number(content.get(name), below) for name, below in _LARGEST.items())
    return FeedCursor(FeedPosition(xid, seq), datetime.fromtimestamp(seconds, UTC))


def _number(value: object, below: int) -> int:
    if type(value) is not int or not 0 <= value < below:
        raise ValueError(NO_CURSOR)
    return value
