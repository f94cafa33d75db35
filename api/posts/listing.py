"""Read the queries of lists of posts, attempts and history entries, and write the cursors of their next pages."""

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import TypeVar

from api.http.cursors import NO_CURSOR, decode_cursor, decode_time, encode_cursor, encode_time
from api.http.headers import HttpRequest
from api.http.operation import served_operation
from api.http.query import (
    convert_parameter,
    parse_choice,
    parse_limit,
    parse_lists,
    read_page,
)
from api.posts.filters import read_filter
from domain.errors import InvalidRequest, Problem
from store.posts.history import HistoryPosition
from store.posts.list_filters import Filter, Order, Position

DEFAULT_LIMIT = 20
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


def _read_number(text: str) -> int:
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


def _read_history_cursor(text: str) -> HistoryPosition:
    content = decode_cursor(text)
    match = re.fullmatch(r"([0-9])\.([0-9]{1,18})", str(content.get("id")))
    if match is None:
        raise ValueError(NO_CURSOR)
    return HistoryPosition(decode_time(content.get("at")), int(match[1]), int(match[2]))


def read_numbered_query(request: HttpRequest) -> tuple[int, int]:
    """Return after which entry a page of numbered ones begins, 0 for the first, and how many it may hold.

    Raises InvalidRequest.
    """
    after_id, limit = read_page(request, _read_number)
    return after_id or 0, limit


def read_history_query(request: HttpRequest) -> tuple[HistoryPosition | None, int]:
    """Return after which entry a page of a history begins, and how many it may hold. Raises InvalidRequest."""
    return read_page(request, _read_history_cursor)
