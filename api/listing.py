"""Read what a list request asks for, and the cursor that leads from page to page."""

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from litestar import Request

from api.query import parse_query
from api.suggest import did_you_mean
from domain.errors import InvalidRequest, Problem
from domain.post import PostStatus
from domain.schedule import parse_bound
from platforms.registry import networks
from store.posts import Filter

DEFAULT_LIMIT = 20
MAX_LIMIT = 100
PARAMETERS = ("status", "platform", "limit", "cursor", "fromDate", "toDate", "tag", "accountId")
_ID = re.compile(r"post_[0-9A-Za-z]{1,64}")
_LONGEST_CURSOR = 200
_NO_CURSOR = "must be a cursor from an earlier answer"
T = TypeVar("T")


def cursor_after(last_id: str | int) -> str:
    """Return the cursor of the page that follows the post or attempt of this id."""
    return base64.urlsafe_b64encode(json.dumps({"id": last_id}, separators=(",", ":")).encode()).rstrip(b"=").decode()


def read_cursor(text: str) -> str:
    """Return the id of the post that a page starts after. Raises ValueError."""
    post_id = _id_in(text)
    if not isinstance(post_id, str) or not _ID.fullmatch(post_id):
        raise ValueError(_NO_CURSOR)
    return post_id


def _read_attempts_cursor(text: str) -> int:
    attempt_id = _id_in(text)
    if not isinstance(attempt_id, int) or not 0 < attempt_id < 2**63:
        raise ValueError(_NO_CURSOR)
    return attempt_id


def _id_in(text: str) -> object:
    if len(text) > _LONGEST_CURSOR:
        raise ValueError(_NO_CURSOR)
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        content = json.loads(raw)
    except (binascii.Error, ValueError, RecursionError) as error:
        raise ValueError(_NO_CURSOR) from error
    return content.get("id") if isinstance(content, dict) else None


def read_list_query(request: Request[Any, Any, Any]) -> tuple[Filter, int]:
    """Return what to list and how much of it. Raises InvalidRequest with every problem."""
    query, beside = parse_query(request, PARAMETERS)
    problems: list[Problem] = []
    take = partial(_take, query, problems)
    status = take("status", _status)
    platform = take("platform", _platform)
    limit = take("limit", _limit)
    before_id = take("cursor", read_cursor)
    created_from = take("fromDate", lambda text: _bound(text, end=False))
    created_to = take("toDate", lambda text: _bound(text, end=True))
    if created_from and created_to and created_from > created_to:
        problems.append(Problem("fromDate is after toDate", "invalid_field_value", "fromDate"))
    if problems or beside:
        raise InvalidRequest([*problems, *beside])
    wanted = Filter(
        status=status,
        platform=platform,
        account_id=query.get("accountId"),
        tag=query.get("tag"),
        created_from=created_from,
        created_to=created_to,
        before_id=before_id,
    )
    return wanted, limit or DEFAULT_LIMIT


def read_attempts_query(request: Request[Any, Any, Any]) -> tuple[int, int]:
    """Return after which attempt a page of them begins, and how many it may hold. Raises InvalidRequest."""
    query, beside = parse_query(request, ("limit", "cursor"))
    problems: list[Problem] = []
    limit = _take(query, problems, "limit", _limit)
    after_id = _take(query, problems, "cursor", _read_attempts_cursor)
    if problems or beside:
        raise InvalidRequest([*problems, *beside])
    return after_id or 0, limit or MAX_LIMIT


def _take(query: Mapping[str, str], problems: list[Problem], name: str, convert: Callable[[str], T]) -> T | None:
    """Return a parameter's value; if it has none that can be read, None, with the problem noted."""
    if name not in query:
        return None
    try:
        return convert(query[name])
    except ValueError as error:
        problems.append(Problem(f"{name} {error}", "invalid_field_value", name))
        return None


def _status(text: str) -> PostStatus:
    try:
        return PostStatus(text)
    except ValueError:
        raise ValueError(f"must be one of {', '.join(PostStatus)}{did_you_mean(text, PostStatus)}") from None


def _platform(text: str) -> str:
    if text not in networks():
        raise ValueError(f"must be one of the networks {', '.join(networks())}{did_you_mean(text, networks())}")
    return text


def _limit(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text) or not 1 <= int(text) <= MAX_LIMIT:
        raise ValueError(f"must be a whole number from 1 to {MAX_LIMIT}")
    return int(text)


def _bound(text: str, *, end: bool) -> datetime:
    try:
        return parse_bound(text, end=end)
    except (ValueError, OverflowError):
        hint = "2026-01-31 or 2026-01-31T09:30:00Z (in a query, + is written %2B)"
        raise ValueError(f"must be an ISO 8601 date or date and time such as {hint}") from None
