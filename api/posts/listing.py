"""The parameters of lists of posts, attempts and history entries, and the cursors of their next pages."""

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import TypeVar

from api.http.cursors import NO_CURSOR, decode_cursor, decode_time, encode_cursor, encode_time
from api.http.headers import HttpRequest
from api.http.operation import Json, served_operation
from api.http.parameters import PLATFORM_REF, cursor, query
from api.http.query import (
    MAX_LIMIT,
    convert_parameter,
    parse_choice,
    parse_limit,
    parse_lists,
)
from api.posts.filters import LONGEST_ADDRESS, MOMENT, TARGET_STATUSES, read_filter
from domain.errors import InvalidRequest, Problem
from domain.post import PostStatus
from store.posts.counts import Grouping
from store.posts.history import HistoryPosition
from store.posts.list_filters import Filter, Order, Position

DEFAULT_LIMIT = 20


def _moment(name: str, description: str, example: str) -> Json:
    return query(name, f"{description} {MOMENT}", {"type": "string"}, example)


FILTERS: tuple[Json, ...] = (
    {
        **query(
            "status",
            "Only posts in one of these statuses, or with a target that is `held` or `unconfirmed` if these are named. "
            "Several are separated by commas.",
            {"type": "array", "items": {"type": "string", "enum": [*PostStatus, *TARGET_STATUSES]}},
            ["failed", "partial", "held"],
        ),
        "style": "form",
        "explode": False,
    },
    query("platform", "Only posts with a target there.", PLATFORM_REF, "instagram"),
    query(
        "externalId", "Only the post with this id of yours.", {"type": "string", "minLength": 1}, "campaign-7/row-12"
    ),
    query(
        "campaignId",
        "Only posts of this campaign.",
        {"type": "string", "minLength": 1},
        "cmp_019bc10e51307c4f8d2b7f3a6c0e9d41",
    ),
    query(
        "seriesId",
        "Only posts of this series.",
        {"type": "string", "minLength": 1},
        "ser_019bc10e51307c4f8d2b7f3a6c0e9d41",
    ),
    query(
        "importId",
        "Only posts that this import has created or changed; for 30 days.",
        {"type": "string", "minLength": 1},
        "imp_019bc10f27c07a7d4e9a54c1d9e3f0a1",
    ),
    query(
        "platformPostId",
        "Only posts that are public under this id on a platform, or at this address.",
        {"type": "string", "minLength": 1, "maxLength": LONGEST_ADDRESS},
        "https://x.com/acme/status/1234567890",
    ),
    query("accountId", "Only posts with this account.", {"type": "string", "minLength": 1}, "ig_123"),
    {
        **query(
            "tag",
            "Only posts with this tag; given several times, only posts with all of them.",
            {"type": "array", "items": {"type": "string", "minLength": 1}},
            ["marketing"],
        ),
        "style": "form",
        "explode": True,
    },
    _moment("scheduledFrom", "Only posts scheduled for then or later.", "2030-12-03"),
    _moment("scheduledTo", "Only posts scheduled for then or earlier.", "2030-12-03"),
    _moment("fromDate", "Only posts created then or later; `scheduledFrom` is for the due time.", "2026-01-01"),
    _moment("toDate", "Only posts created then or earlier.", "2026-01-31T23:59:59Z"),
    _moment(
        "updatedSince",
        "Only posts that changed then or later. To poll, send the time of your last request minus one minute: a change "
        "can be read some time after its `updatedAt`.",
        "2026-01-15T10:00:00Z",
    ),
    query(
        "timezone",
        "The IANA time zone of dates and of times without an offset.",
        {"type": "string", "default": "UTC"},
        "Europe/Berlin",
    ),
)
"""The conditions that select posts."""
LIST: tuple[Json, ...] = (
    *FILTERS,
    query(
        "sort",
        "`createdAt`: newest first. `scheduledFor`: soonest first; posts without a time are left out. `updatedAt`: the "
        "longest unchanged first. The default is `scheduledFor` if `scheduledFrom` or `scheduledTo` is given, "
        "`updatedAt` if `updatedSince` is given, else `createdAt`.",
        {"type": "string", "enum": list(Order)},
        "scheduledFor",
    ),
    query(
        "limit",
        "The most posts to return.",
        {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
        20,
    ),
    cursor(),
)

COUNTS: tuple[Json, ...] = (
    {
        **query(
            "by",
            "Count the posts of each status, of each platform, or of each day of `scheduledFor` or `createdAt`. "
            "Several are separated by commas.",
            {"type": "array", "items": {"type": "string", "enum": list(Grouping)}, "default": [Grouping.STATUS]},
            ["status", "scheduledFor"],
        ),
        "style": "form",
        "explode": False,
    },
    *FILTERS,
)


_FIRST = ("status", "platform", "limit", "cursor")
"""The parameters whose problems are listed before those of the others."""
_ID = re.compile(r"post_[0-9A-Za-z]{1,64}")
T = TypeVar("T")


def cursor_after(last: Position | int) -> str:
    """Return the cursor of the page that follows a post or an attempt."""
    if isinstance(last, int):
        return encode_cursor({"id": last})
    return encode_cursor({"id": last.id} | ({} if last.at is None else {"at": encode_time(last.at)}))


def read_cursor(text: str, order: Order = Order.CREATED) -> Position:
    """Return the position in a list that a page starts after. Raises ValueError."""
    content = decode_cursor(text)
    post_id, at = content.get("id"), content.get("at")
    if not isinstance(post_id, str) or not _ID.fullmatch(post_id) or (at is None) != (order is Order.CREATED):
        raise ValueError(NO_CURSOR)
    return Position(post_id, None if at is None else decode_time(at))


def read_number(text: str) -> int:
    """Return the number that a cursor holds. Raises ValueError."""
    number = decode_cursor(text).get("id")
    if not isinstance(number, int) or not 0 < number < 2**63:
        raise ValueError(NO_CURSOR)
    return number


def read_list_query(request: HttpRequest) -> tuple[Filter, int]:
    """Return the filters and the limit of a list. Raises InvalidRequest with every problem."""
    lists, query_problems = parse_lists(request)
    query = {name: values[0] for name, values in lists.items()}
    problems: list[Problem] = []
    conditions = read_filter(split_statuses(lists), problems)
    take = partial(convert_parameter, query, problems)
    limit = take("limit", parse_limit)
    order = take("sort", partial(parse_choice, Order)) or _default_order(query)
    after = take("cursor", lambda text: read_cursor(text, order))
    if problems or query_problems:
        names = [*_FIRST, *served_operation(request).query]
        problems.sort(key=lambda problem: names.index(problem.param or ""))
        raise InvalidRequest([*problems, *query_problems])
    return replace(conditions, order=order, after=after), limit or DEFAULT_LIMIT


def split_statuses(lists: Mapping[str, list[str]]) -> Mapping[str, list[str]]:
    """Return the parameters of a query with their values, those of `status` one by one."""
    if "status" not in lists:
        return lists
    return {**lists, "status": ",".join(lists["status"]).split(",")}


def _default_order(query: Mapping[str, str]) -> Order:
    """Return the order in which a client reads the list that it narrows by these times."""
    if "scheduledFrom" in query or "scheduledTo" in query:
        return Order.SCHEDULED
    return Order.UPDATED if "updatedSince" in query else Order.CREATED


def history_cursor(last: HistoryPosition) -> str:
    """Return the cursor of the page of a history that follows a line."""
    return encode_cursor({"id": f"{last.source}.{last.id}", "at": encode_time(last.at)})


def read_history_cursor(text: str) -> HistoryPosition:
    """Return the place that a cursor names. Raises ValueError."""
    content = decode_cursor(text)
    match = re.fullmatch(r"([0-9])\.([0-9]{1,18})", str(content.get("id")))
    if match is None:
        raise ValueError(NO_CURSOR)
    return HistoryPosition(decode_time(content.get("at")), int(match[1]), int(match[2]))
