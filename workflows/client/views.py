"""Lists of posts' workflows that operators need, as queries of Temporal's visibility store and links to its Web UI."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import quote

from domain.plan import WaitsFor
from domain.post import LATE_AFTER, PostStatus
from domain.schedule import rfc3339
from workflows.search_attributes import CAMPAIGN, DUE_AT, POST_STATUS, TAGS, WAITS_FOR, WORKSPACE

_OPEN = 'ExecutionStatus = "Running"'
"""Closed runs keep the search attributes that they ended with."""
_SOON = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class ListView:
    """A list of posts for operators."""

    name: str
    query: str

    def link(self, ui_url: str, namespace: str) -> str:
        """Return the address of the list in the Web UI."""
        return (
            f"{ui_url.rstrip('/')}/namespaces/{quote(namespace, safe='')}/workflows?query={quote(self.query, safe='')}"
        )


def views(
    now: datetime, workspace_id: str | None = None, tag: str | None = None, campaign_id: str | None = None
) -> Iterator[ListView]:
    """Yield the lists as of a time, for one workspace, one tag or one campaign if given.

    Queries have no "now": those for late posts, or posts that are due soon, hold for the time at which they are made.
    """
    parts = [_OPEN]
    if workspace_id is not None:
        parts.append(_is(WORKSPACE.name, workspace_id))
    if tag is not None:
        parts.append(_is(TAGS.name, tag))
    if campaign_id is not None:
        parts.append(_is(CAMPAIGN.name, campaign_id))
    waiting = _among(POST_STATUS.name, PostStatus.SCHEDULED, PostStatus.PUBLISHING)
    for name, *conditions in (
        ("late", waiting, f"{DUE_AT.name} < {_time(now - LATE_AFTER)}"),
        ("wait for their account", _is(WAITS_FOR.name, WaitsFor.ACCOUNT)),
        ("wait for their platform", _among(WAITS_FOR.name, WaitsFor.PLATFORM, WaitsFor.RATE_LIMIT)),
        ("wait for a lost answer", _is(WAITS_FOR.name, WaitsFor.ANSWER)),
        ("wait for a person", _is(WAITS_FOR.name, WaitsFor.PERSON)),
        ("wait for the operator", _is(WAITS_FOR.name, WaitsFor.OPERATOR)),
        ("wait for a pause", _is(WAITS_FOR.name, WaitsFor.PAUSE)),
        ("failed, open for a retry", _among(POST_STATUS.name, PostStatus.FAILED, PostStatus.PARTIAL)),
        (
            "due within the hour",
            _is(POST_STATUS.name, PostStatus.SCHEDULED),
            f"{DUE_AT.name} BETWEEN {_time(now)} AND {_time(now + _SOON)}",
        ),
        ("all that are open",),
    ):
        yield ListView(name, " AND ".join([*parts, *conditions]))


def _is(attribute: str, value: str) -> str:
    return f"{attribute} = {_quoted(value)}"


def _among(attribute: str, *values: str) -> str:
    return f"{attribute} IN ({', '.join(map(_quoted, values))})"


def _time(moment: datetime) -> str:
    return _quoted(rfc3339(moment.replace(microsecond=0)))


def _quoted(value: str) -> str:
    """Return a value as a literal of a query. Raises ValueError if no query can contain it."""
    if set(value) & set("\"'\\"):
        raise ValueError(f"{value!r} cannot be searched for: it has quotes or a backslash")
    return f'"{value}"'
