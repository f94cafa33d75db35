"""Read what a list request asks for, and the cursor that leads from page to page."""

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import partial
from typing import Any, TypeVar

from litestar import Request

from api.http.query import parse_lists, parse_query
from api.http.suggest import did_you_mean, suggest_zone
from domain.account_health import Health
from domain.errors import InvalidRequest, Problem
from domain.post import PostStatus, TargetStatus
from domain.schedule import parse_bound
from domain.zones import UnknownZone, zone_named
from platforms.registry import platforms
from store.posts.history import HistoryPosition
from store.posts.list_filters import Filter, Order, Position

DEFAULT_LIMIT = 20
MAX_LIMIT = 100
PARAMETERS = (
    "status",
    "platform",
    "limit",
    "cursor",
    "fromDate",
    "toDate",
    "tag",
    "accountId",
    "externalId",
    "scheduledFrom",
    "scheduledTo",
    "updatedSince",
    "timezone",
    "sort",
)
_ID = re.compile(r"post_[0-9A-Za-z]{1,64}")
_LONGEST_CURSOR = 200
_NO_CURSOR = "must be a cursor from an earlier answer to the same question"
T = TypeVar("T")


def cursor_after(last: Position | int) -> str:
    """Return the cursor of the page that follows a post or an attempt."""
    if isinstance(last, int):
        return _cursor({"id": last})
    return _cursor({"id": last.id} | ({} if last.at is None else {"at": last.at.astimezone(UTC).isoformat()}))


def _cursor(content: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(content, separators=(",", ":")).encode()).rstrip(b"=").decode()


def read_cursor(text: str, order: Order = Order.CREATED) -> Position:
    """Return the position in a list that a page starts after. Raises ValueError."""
    content = _content(text)
    post_id, at = content.get("id"), content.get("at")
    if not isinstance(post_id, str) or not _ID.fullmatch(post_id) or (at is None) != (order is Order.CREATED):
        raise ValueError(_NO_CURSOR)
    return Position(post_id, None if at is None else _moment(at))


def _moment(text: object) -> datetime:
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError as error:
        raise ValueError(_NO_CURSOR) from error
    if moment.tzinfo is None or moment.utcoffset():
        raise ValueError(_NO_CURSOR)
    return moment


def _read_attempts_cursor(text: str) -> int:
    attempt_id = _content(text).get("id")
    if not isinstance(attempt_id, int) or not 0 < attempt_id < 2**63:
        raise ValueError(_NO_CURSOR)
    return attempt_id


def _content(text: str) -> dict[str, Any]:
    if len(text) > _LONGEST_CURSOR:
        raise ValueError(_NO_CURSOR)
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        content = json.loads(raw)
    except (binascii.Error, ValueError, RecursionError) as error:
        raise ValueError(_NO_CURSOR) from error
    return content if isinstance(content, dict) else {}


def read_list_query(request: Request[Any, Any, Any]) -> tuple[Filter, int]:
    """Return what to list and how much of it. Raises InvalidRequest with every problem."""
    lists, of_query = parse_lists(request, PARAMETERS, {"status", "tag"})
    query = {name: ",".join(values) for name, values in lists.items() if name != "tag"}
    problems: list[Problem] = []
    take = partial(_take, query, problems)
    statuses = take("status", _statuses) or ((), ())
    platform = take("platform", _platform)
    limit = take("limit", _limit)
    order = take("sort", _order) or _default_order(query)
    after = take("cursor", lambda text: read_cursor(text, order))
    zone = take("timezone", _zone) or UTC
    bounds = {name: take(name, partial(_bound, zone=zone, end=name in {"toDate", "scheduledTo"})) for name in _BOUNDS}
    for first, last in (("fromDate", "toDate"), ("scheduledFrom", "scheduledTo")):
        if (begin := bounds[first]) and (end := bounds[last]) and begin > end:
            problems.append(Problem(f"{first} is after {last}", "invalid_field_value", first))
    if problems or of_query:
        raise InvalidRequest([*problems, *of_query])
    wanted = Filter(
        statuses=statuses[0],
        target_statuses=statuses[1],
        platform=platform,
        account_id=query.get("accountId"),
        external_id=query.get("externalId"),
        tags=tuple(dict.fromkeys(lists.get("tag", []))),
        **{field: bounds[name] for name, field in _BOUNDS.items()},
        order=order,
        after=after,
        now=datetime.now(UTC),
    )
    return wanted, limit or DEFAULT_LIMIT


_BOUNDS = {
    "fromDate": "created_from",
    "toDate": "created_to",
    "scheduledFrom": "scheduled_from",
    "scheduledTo": "scheduled_to",
    "updatedSince": "updated_since",
}
"""Parameters that hold a date or a time, by the fields of a Filter."""


def _default_order(query: Mapping[str, str]) -> Order:
    """Return the order in which a client reads the list that it narrows by these times."""
    if "scheduledFrom" in query or "scheduledTo" in query:
        return Order.SCHEDULED
    return Order.UPDATED if "updatedSince" in query else Order.CREATED


def read_attempts_query(request: Request[Any, Any, Any]) -> tuple[int, int]:
    """Return after which attempt a page of them begins, and how many it may hold. Raises InvalidRequest."""
    query, of_query = parse_query(request, ("limit", "cursor"))
    problems: list[Problem] = []
    limit = _take(query, problems, "limit", _limit)
    after_id = _take(query, problems, "cursor", _read_attempts_cursor)
    if problems or of_query:
        raise InvalidRequest([*problems, *of_query])
    return after_id or 0, limit or MAX_LIMIT


def history_cursor(last: HistoryPosition) -> str:
    """Return the cursor of the page of a history that follows a line."""
    return _cursor({"id": f"{last.source}.{last.id}", "at": last.at.astimezone(UTC).isoformat()})


def _read_history_cursor(text: str) -> HistoryPosition:
    content = _content(text)
    match = re.fullmatch(r"([0-9])\.([0-9]{1,18})", str(content.get("id")))
    if match is None:
        raise ValueError(_NO_CURSOR)
    return HistoryPosition(_moment(content.get("at")), int(match[1]), int(match[2]))


def read_history_query(request: Request[Any, Any, Any]) -> tuple[HistoryPosition | None, int]:
    """Return after which entry a page of a history begins, and how many it may hold. Raises InvalidRequest."""
    query, of_query = parse_query(request, ("limit", "cursor"))
    problems: list[Problem] = []
    limit = _take(query, problems, "limit", _limit)
    after = _take(query, problems, "cursor", _read_history_cursor)
    if problems or of_query:
        raise InvalidRequest([*problems, *of_query])
    return after, limit or MAX_LIMIT


@dataclass(frozen=True, slots=True)
class AccountsQuery:
    """The filters of a list of accounts."""

    platform: str | None
    health: Health | None
    after: str
    limit: int


def accounts_cursor(account_id: str) -> str:
    """Return the cursor of the page of accounts that follows one."""
    return _cursor({"id": account_id})


def read_accounts_query(request: Request[Any, Any, Any], *, by_health: bool = False) -> AccountsQuery:
    """Return what a list of accounts is to hold. Raises InvalidRequest with every problem."""
    query, of_query = parse_query(request, ("platform", *(["health"] if by_health else []), "limit", "cursor"))
    problems: list[Problem] = []
    take = partial(_take, query, problems)
    platform, health = take("platform", _platform), take("health", _health)
    after, limit = take("cursor", _read_accounts_cursor), take("limit", _limit)
    if problems or of_query:
        raise InvalidRequest([*problems, *of_query])
    return AccountsQuery(platform, health, after or "", limit or MAX_LIMIT)


def _read_accounts_cursor(text: str) -> str:
    account_id = _content(text).get("id")
    if not isinstance(account_id, str) or not 0 < len(account_id) <= _LONGEST_CURSOR or not account_id.isprintable():
        raise ValueError(_NO_CURSOR)
    return account_id


def _health(text: str) -> Health:
    try:
        return Health(text)
    except ValueError:
        raise ValueError(f"must be one of {', '.join(Health)}{did_you_mean(text, Health)}") from None


def _take(query: Mapping[str, str], problems: list[Problem], name: str, convert: Callable[[str], T]) -> T | None:
    """Return a parameter's value; if it has none that can be read, None, with the problem noted."""
    if name not in query:
        return None
    try:
        return convert(query[name])
    except ValueError as error:
        problems.append(Problem(f"{name} {error}", "invalid_field_value", name))
        return None


TARGET_STATUSES = (TargetStatus.HELD, TargetStatus.UNCONFIRMED)
"""What may be asked for beside the statuses of posts: a post with such a target may need a person."""


def _statuses(text: str) -> tuple[tuple[PostStatus, ...], tuple[TargetStatus, ...]]:
    known = [*PostStatus, *TARGET_STATUSES]
    named = list(dict.fromkeys(text.split(",")))
    for name in named:
        if name not in known:
            raise ValueError(f"must be one or more of {', '.join(known)}{did_you_mean(name, known)}")
    posts = tuple(status for status in PostStatus if status in named)
    return posts, tuple(status for status in TARGET_STATUSES if status in named)


def _order(text: str) -> Order:
    try:
        return Order(text)
    except ValueError:
        raise ValueError(f"must be one of {', '.join(Order)}{did_you_mean(text, Order)}") from None


def _zone(text: str) -> tzinfo:
    try:
        return zone_named(text)
    except UnknownZone:
        raise ValueError(f"must be an IANA time zone such as Europe/Berlin{suggest_zone(text)}") from None


def _platform(text: str) -> str:
    if text not in platforms():
        raise ValueError(f"must be one of the platforms {', '.join(platforms())}{did_you_mean(text, platforms())}")
    return text


def _limit(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text) or not 1 <= int(text) <= MAX_LIMIT:
        raise ValueError(f"must be a whole number from 1 to {MAX_LIMIT}")
    return int(text)


def _bound(text: str, *, zone: tzinfo, end: bool) -> datetime:
    try:
        return parse_bound(text, end=end, zone=zone)
    except (ValueError, OverflowError):
        hint = "2026-01-31 or 2026-01-31T09:30:00Z (in a query, + is written %2B)"
        raise ValueError(f"must be an ISO 8601 date or date and time such as {hint}") from None
