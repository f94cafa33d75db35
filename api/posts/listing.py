"""The conditions that select posts, in queries and in bodies, and the parameters and cursors of lists of posts."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, tzinfo
from functools import partial
from typing import TypeVar

from api.http.headers import HttpRequest
from api.http.moments import read_moment
from api.http.operation import Json, served_operation
from api.http.parameters import PLATFORM_REF, cursor, query
from api.http.query import (
    MAX_LIMIT,
    NO_CURSOR,
    convert_parameter,
    decode_cursor,
    decode_time,
    encode_cursor,
    encode_time,
    parse_choice,
    parse_limit,
    parse_lists,
    parse_platform,
)
from api.http.suggest import did_you_mean, unknown_zone
from domain.errors import InvalidRequest, Problem
from domain.post import PostStatus, TargetStatus
from domain.schedule import UnknownZone, zone_named
from platforms.registry import platforms
from store.posts.counts import Grouping
from store.posts.history import HistoryPosition
from store.posts.list_filters import Filter, Order, Position

TARGET_STATUSES = (TargetStatus.HELD, TargetStatus.UNCONFIRMED)
"""Filters beside the statuses of posts: a post with such a target may need a person."""
BOUNDS = ("fromDate", "toDate", "scheduledFrom", "scheduledTo", "updatedSince")
"""The names of conditions that hold a date or a time."""
_ENDS = ("toDate", "scheduledTo")
ZONE = "timezone"
"""The name of the zone of dates and of times without an offset. It selects nothing."""
MOMENT = "An ISO 8601 date, for its whole day, or date and time; without an offset it is `timezone`'s."
"""The form of a date or time of a filter, in words."""
LONGEST_ADDRESS = 2_048
"""Characters of the address of a public post; as long as addresses of media may be."""
_IN_A_QUERY = " (in a query, + is written %2B)"


def read_filter(conditions: Mapping[str, Sequence[str]], problems: list[Problem], path: str = "") -> Filter:
    """Return the filter that conditions make, by their names with all values; adds what is wrong to `problems`.

    `path` is that of the object in a body that holds the conditions.
    """
    first = {path + name: values[0] for name, values in conditions.items() if values}
    take = partial(convert_parameter, first, problems)
    statuses = _statuses(conditions.get("status", ()), problems, f"{path}status")
    platform = take(f"{path}platform", parse_platform)
    zone = first[path + ZONE] if take(path + ZONE, parse_zone) else "UTC"
    hint = "" if path else _IN_A_QUERY
    bounds = {
        name: time.instant
        for name in BOUNDS
        if (where := path + name) in first
        and (time := read_moment(where, first[where], zone, problems, end=name in _ENDS, hint=hint)) is not None
    }
    for begin, end in (("fromDate", "toDate"), ("scheduledFrom", "scheduledTo")):
        if begin in bounds and end in bounds and bounds[begin] > bounds[end]:
            where = path + begin
            problems.append(Problem(f"{where} is after {path}{end}", "invalid_field_value", where))
    return Filter(
        statuses=tuple(status for status in PostStatus if status in statuses),
        target_statuses=tuple(status for status in TARGET_STATUSES if status in statuses),
        platform=platform,
        account_id=first.get(f"{path}accountId"),
        external_id=first.get(f"{path}externalId"),
        campaign_id=first.get(f"{path}campaignId"),
        series_id=first.get(f"{path}seriesId"),
        import_id=first.get(f"{path}importId"),
        platform_post_ids=take(f"{path}platformPostId", _public_ids) or (),
        tags=tuple(dict.fromkeys(conditions.get("tag", ()))),
        created_from=bounds.get("fromDate"),
        created_to=bounds.get("toDate"),
        scheduled_from=bounds.get("scheduledFrom"),
        scheduled_to=bounds.get("scheduledTo"),
        updated_since=bounds.get("updatedSince"),
        now=datetime.now(UTC),
    )


def _public_ids(text: str) -> tuple[str, ...]:
    """Return what platforms may call the post that an id or the address of its page names. Raises ValueError."""
    if len(text) > LONGEST_ADDRESS:
        raise ValueError(f"must have at most {LONGEST_ADDRESS:,} characters")
    ids = {platform.rules.post_id.read(text) for platform in platforms().values()}
    return tuple(sorted({text} | {public_id for public_id in ids if public_id}))


def _statuses(names: Sequence[str], problems: list[Problem], where: str) -> Sequence[str]:
    known = [*PostStatus, *TARGET_STATUSES]
    for name in names:
        if name not in known:
            sentence = f"{where} must be one or more of {', '.join(known)}{did_you_mean(name, known)}"
            problems.append(Problem(sentence, "invalid_field_value", where))
            return ()
    return names


def parse_zone(text: str) -> tzinfo:
    """Return the time zone of this name. Raises ValueError."""
    try:
        return zone_named(text)
    except UnknownZone:
        raise ValueError(unknown_zone(text)) from None


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
