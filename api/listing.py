"""Read what a list request asks for, and the cursor that leads from page to page."""

import base64
import binascii
import json
import re
from collections.abc import Callable
from datetime import datetime
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
T = TypeVar("T")


def cursor_after(post_id: str) -> str:
    """Return the cursor of the page that follows this post."""
    return base64.urlsafe_b64encode(json.dumps({"id": post_id}, separators=(",", ":")).encode()).rstrip(b"=").decode()


def read_cursor(text: str) -> str:
    """Return the id a page starts after. Raises ValueError."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        content = json.loads(raw)
    except (binascii.Error, ValueError, RecursionError) as error:
        raise ValueError("must be a cursor from an earlier answer") from error
    post_id = content.get("id") if isinstance(content, dict) else None
    if not isinstance(post_id, str) or not _ID.fullmatch(post_id):
        raise ValueError("must be a cursor from an earlier answer")
    return post_id


def read_list_query(request: Request[Any, Any, Any]) -> tuple[Filter, int]:
    """Return what to list and how much of it. Raises InvalidRequest with every problem."""
    query, beside = parse_query(request, PARAMETERS)
    problems: list[Problem] = []

    def take(name: str, convert: Callable[[str], T]) -> T | None:
        if name not in query:
            return None
        try:
            return convert(query[name])
        except ValueError as error:
            problems.append(Problem(f"{name} {error}", "invalid_field_value", name))
            return None

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
