"""The choice of the index from which a list of posts is read.

A list is read in its order from the index of that order: by status if statuses are asked for. Of a million posts only a
few may match the conditions that this index does not cover. So the entries of the other indexes that cover a part of
the conditions are counted first, up to `WINDOW` for each index, or `MAX_CHECKED` if no post must be read to check an
entry:

- If one has fewer, it contains all posts of the list: all of its entries are read, whatever the order.
- Otherwise, if an index is in the list's order, its first entries are read. A page that they fill is the first page.
- If no such index fills the page, and one has fewer than `MAX_SCANNED`, all of its entries are read.
- Otherwise the index of the list's order is read until the page is full. That happens if very many posts match each
  condition, and few of the first ones match all of them.

The indexes of posts contain all times of a list: the id, which begins with the time of creation, `scheduled_for` and
`updated_at`. So two conditions on times are checked for thousands of entries without reading a post.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    and_,
    exists,
    func,
    literal_column,
    or_,
    select,
    true,
    tuple_,
    union,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncSession

from domain.ids import first_id, last_id
from domain.post import PostStatus, TargetStatus
from store.models import Post, PostTag, Target

WINDOW = 1_000
"""The number of posts that are read for a page. A thousand posts are found by their ids in some 3 ms."""
MAX_CHECKED = 8_000
"""The number of entries whose times are checked for a page: some 2 ms, because no post is read."""
MAX_SCANNED = 20_000
"""The number of entries that are read if no index in the list's order has filled the page with its first ones."""


class Order(StrEnum):
    """The order of a list. Posts without a `scheduledFor` are not in the list that is sorted by it."""

    CREATED = "createdAt"
    """Newest first."""
    SCHEDULED = "scheduledFor"
    """Soonest first."""
    UPDATED = "updatedAt"
    """The longest unchanged first."""


_COLUMNS = {Order.CREATED: "id", Order.SCHEDULED: "scheduled_for", Order.UPDATED: "updated_at"}


@dataclass(frozen=True, slots=True)
class Position:
    """The position of a post in a list: its id and, unless the list is sorted by that, its sort key."""

    id: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Filter:
    """The conditions of a list. Times are inclusive; `after` is the end of the previous page.

    A post is in the list if it has one of the statuses, or a target with one of the target statuses. It must have all
    of the tags.
    """

    statuses: tuple[PostStatus, ...] = ()
    target_statuses: tuple[TargetStatus, ...] = ()
    platform: str | None = None
    account_id: str | None = None
    external_id: str | None = None
    tags: tuple[str, ...] = ()
    created_from: datetime | None = None
    created_to: datetime | None = None
    scheduled_from: datetime | None = None
    scheduled_to: datetime | None = None
    updated_since: datetime | None = None
    order: Order = Order.CREATED
    after: Position | None = None
    now: datetime = field(default_factory=lambda: datetime.now(UTC), repr=False)
    """A scheduled post that is due by this time counts as one that is being published (`domain.post.status_shown`)."""


@dataclass(frozen=True, slots=True)
class IndexScan:
    """The entries of an index, which include all posts of a list. `ordered`: they are in the list's order."""

    entries: Select[Any]
    """The ids of posts; with `has_times`, also their times."""
    ordered: bool
    has_times: bool = False
    covers: bool = False
    """Whether the entries contain all that the conditions of the list need."""


async def find(session: AsyncSession, workspace_id: str, wanted: Filter, count: int) -> list[Row[Any]]:
    """Return the `id`, `answer_bytes` and `sort_key` of the first `count` posts of a list, in its order."""
    scans = list(_scans(workspace_id, wanted))
    if scans:
        few = MAX_CHECKED if all(scan.covers for scan in scans) else WINDOW
        narrowest = await _narrowest(session, scans, few)
        if narrowest:
            return await _rows(session, scan_query(narrowest, workspace_id, wanted, count, few))
        for scan in scans:
            if scan.ordered and len(found := await _first_rows(session, scan, workspace_id, wanted, count)) == count:
                return found
        narrowest = await _narrowest(session, scans, MAX_SCANNED)
        if narrowest:
            return await _rows(session, scan_query(narrowest, workspace_id, wanted, count, MAX_SCANNED))
    return await _rows(session, ordered_query(workspace_id, wanted, count))


async def _narrowest(session: AsyncSession, scans: list[IndexScan], most: int) -> IndexScan | None:
    """Return the scan with the fewest entries; None if all have `most` of them or more."""
    counts = (select(func.count()).select_from(_some(scan, most).subquery()).scalar_subquery() for scan in scans)
    sizes = (await session.execute(select(*counts))).one()
    fewest, scan = min(zip(sizes, scans, strict=True), key=lambda pair: pair[0])
    return scan if fewest < most else None


def _some(scan: IndexScan, most: int) -> Select[Any]:
    # The entries of several statuses need not be merged to be counted. Those of targets are in order as they are.
    return (scan.entries.order_by(None) if scan.has_times else scan.entries).limit(most)


async def _first_rows(
    session: AsyncSession, scan: IndexScan, workspace_id: str, wanted: Filter, count: int
) -> list[Row[Any]]:
    """Return the posts of a list among the first entries of a scan in its order."""
    most = MAX_CHECKED if scan.has_times else WINDOW
    return await _rows(session, scan_query(scan, workspace_id, wanted, count, most, WINDOW))


async def _rows(session: AsyncSession, query: Select[Any]) -> list[Row[Any]]:
    return list((await session.execute(query)).all())


def scan_query(
    scan: IndexScan,
    workspace_id: str,
    wanted: Filter,
    count: int,
    most: int = WINDOW,
    most_posts: int | None = None,
) -> Select[Any]:
    """Return the query for the first posts of a list among the first `most` entries of a scan.

    Times are checked in the entries, if these have them. Of the remaining ones, up to `most_posts` posts are read.

    OFFSET 0 makes PostgreSQL look each post up by its id, in the order of the entries. Otherwise the planner would join
    the entries with all posts that it expects to match the conditions; for the beginning of a page its estimate is far
    too low.
    """
    read = scan.entries.limit(most).subquery()
    # An order that is not stated here would be lost to the planner, and all entries would be sorted.
    entries = select(read).order_by(*_order(wanted.order, read.c) if scan.ordered or scan.has_times else ())
    if scan.has_times:
        entries = entries.where(*itertools.chain.from_iterable(_times(wanted, order, read.c) for order in Order))
    if scan.covers:
        # Of the entries that match, only the page is looked up.
        most_posts = count
    matching = entries.limit(most_posts).subquery()
    posts = select(Post.id, Post.answer_bytes, _column(wanted.order).label("sort_key")).where(Post.id == matching.c.id)
    found = posts.where(*_conditions(workspace_id, wanted), *_of_statuses(wanted)).offset(0).lateral()
    page = select(found).select_from(matching.join(found, true())).limit(count)
    if scan.ordered or scan.has_times:
        return page.order_by(*_order(wanted.order, matching.c))
    return page.order_by(*_by_sort_key(wanted.order, found.c))


def ordered_query(workspace_id: str, wanted: Filter, count: int) -> Select[Any]:
    """Return the query for the first posts of a list that reads the index of its order."""
    choices = [_first(choice, workspace_id, wanted, count) for choice in _choices(workspace_id, wanted)]
    # A post with two matching targets is found twice.
    joined = union_all(*choices) if not wanted.target_statuses else union(*choices)
    found = joined.subquery() if len(choices) > 1 else choices[0].subquery()
    return select(found).order_by(*_by_sort_key(wanted.order, found.c)).limit(count)


# -- scans -----------------------------------------------------------------------------------------------------------


def _scans(workspace_id: str, wanted: Filter) -> Iterator[IndexScan]:
    """Yield the indexes that cover a part of the conditions; none if that of the list's order covers all."""
    if wanted.external_id is not None:
        # The index of external ids leads to the only possible post.
        return
    newest_first = wanted.order is Order.CREATED
    parts = [*_of_targets(workspace_id, wanted), *_of_tags(workspace_id, wanted)]
    for ids in parts:
        yield IndexScan(ids, ordered=newest_first)
    ranges = {
        Order.SCHEDULED: (wanted.scheduled_from, wanted.scheduled_to),
        Order.UPDATED: (wanted.updated_since, None),
        Order.CREATED: (wanted.created_from, wanted.created_to),
    }
    others = [order for order, bounds in ranges.items() if order is not wanted.order and any(bounds)]
    stated = bool(wanted.statuses or wanted.target_statuses)
    if not parts and not others and (newest_first or not wanted.target_statuses):
        return
    for order in Order:
        knows = any(ranges[order]) or (stated if order is Order.CREATED else order is wanted.order)
        if knows and (order is Order.CREATED or not wanted.target_statuses):
            entries = _by_status(workspace_id, wanted, order)
            yield IndexScan(entries, ordered=wanted.order is order, has_times=True, covers=not parts)


def _of_targets(workspace_id: str, wanted: Filter) -> Iterator[Select[Any]]:
    for column, value in ((Target.platform, wanted.platform), (Target.account_id, wanted.account_id)):
        if value:
            ids = select(Target.post_id.label("id")).where(Target.workspace_id == workspace_id, column == value)
            yield ids.where(*_within(Target.post_id, wanted)).distinct().order_by(Target.post_id.desc())


def _of_tags(workspace_id: str, wanted: Filter) -> Iterator[Select[Any]]:
    for tag in wanted.tags:
        ids = select(PostTag.post_id.label("id")).where(PostTag.workspace_id == workspace_id, PostTag.tag == tag)
        yield ids.where(*_within(PostTag.post_id, wanted)).order_by(PostTag.post_id.desc())


def _by_status(workspace_id: str, wanted: Filter, order: Order) -> Select[Any]:
    """Return the ids and times of posts by their status and by the time that an order sorts by, in that order."""
    choices = []
    for choice in _choices(workspace_id, wanted, order):
        # Without the size, which not every index contains.
        entries = choice.with_only_columns(Post.id, Post.scheduled_for, Post.updated_at)
        narrowed = entries.where(*_times(wanted, order)).order_by(*_order(order)).limit(MAX_SCANNED)
        choices.append(select(narrowed.subquery()))
    joined = (union if wanted.target_statuses else union_all)(*choices).subquery()
    return select(joined).order_by(*_order(order, joined.c))


def _choices(workspace_id: str, wanted: Filter, order: Order | None = None) -> Iterator[Select[Any]]:
    """Yield a query for each requested status whose first posts, in an order, an index has."""
    order = order or wanted.order
    posts = select(Post.id, Post.answer_bytes, _column(order).label("sort_key")).where(
        Post.workspace_id == workspace_id
    )
    statuses = wanted.statuses
    if not statuses and not wanted.target_statuses:
        if order is Order.CREATED:
            yield posts
            return
        statuses = tuple(PostStatus)
    for status in statuses:
        yield posts.where(*_has_status(status, wanted))
    if _separates_overdue(wanted) and PostStatus.PUBLISHING in wanted.statuses:
        yield posts.where(Post.id.in_(_overdue(workspace_id, wanted.now)))
    for target_status in wanted.target_statuses:
        yield posts.where(Post.id.in_(_with_target(target_status).where(Target.workspace_id == workspace_id)))


def _separates_overdue(wanted: Filter) -> bool:
    """Return whether a list depends on which scheduled posts are overdue: not if it has both statuses."""
    return (PostStatus.SCHEDULED in wanted.statuses) is not (PostStatus.PUBLISHING in wanted.statuses)


def _has_status(status: PostStatus, wanted: Filter) -> Iterator[ColumnElement[bool]]:
    yield Post.status == status.value
    if status is PostStatus.SCHEDULED and _separates_overdue(wanted):
        # Nearly all are not overdue. The expression keeps the planner from searching for them in the index by time.
        yield func.coalesce(Post.scheduled_for, literal_column("'infinity'::timestamptz")) > wanted.now


def _overdue(workspace_id: str, now: datetime) -> Select[Any]:
    """Return the ids of the scheduled posts that are overdue, which are shown as publishing, from the index by time.

    OFFSET 0 keeps the planner from searching for them among all scheduled posts: usually none is overdue.
    """
    due = select(Post.id).where(Post.workspace_id == workspace_id, Post.status == PostStatus.SCHEDULED.value)
    return due.where(Post.scheduled_for <= now).offset(0)


def _with_target(status: TargetStatus) -> Select[Any]:
    # The status is a literal, because the index is partial and the planner must see that it applies.
    return select(Target.post_id).where(Target.status == literal_column(f"'{status.value}'"))


def _first(choice: Select[Any], workspace_id: str, wanted: Filter, count: int) -> Select[Any]:
    return select(
        choice.where(*_conditions(workspace_id, wanted)).order_by(*_order(wanted.order)).limit(count).subquery()
    )


def _column(order: Order, columns: Any = Post) -> Any:
    """Return the column that an order sorts by, of the posts or of an index's entries."""
    return getattr(columns, _COLUMNS[order])


def _order(order: Order, columns: Any = Post) -> tuple[ColumnElement[Any], ...]:
    return (columns.id.desc(),) if order is Order.CREATED else (_column(order, columns).asc(), columns.id.asc())


def _by_sort_key(order: Order, columns: Any) -> tuple[ColumnElement[Any], ...]:
    return (columns.sort_key.desc(),) if order is Order.CREATED else (columns.sort_key, columns.id)


# -- conditions ------------------------------------------------------------------------------------------------------


def _conditions(workspace_id: str, wanted: Filter) -> Iterator[ColumnElement[bool]]:
    """Yield the conditions of a list, except its statuses."""
    if wanted.platform or wanted.account_id:
        given = ((Target.platform, wanted.platform), (Target.account_id, wanted.account_id))
        ours = exists().where(Target.post_id == Post.id, Target.workspace_id == workspace_id)
        yield ours.where(*(column == value for column, value in given if value))
    if wanted.external_id is not None:
        yield Post.external_id == wanted.external_id
    if wanted.tags:
        yield Post.tags.contains(list(wanted.tags))
    for order in Order:
        yield from _times(wanted, order)


def _of_statuses(wanted: Filter) -> Iterator[ColumnElement[bool]]:
    if wanted.statuses or wanted.target_statuses:
        yield or_(
            *(and_(*_has_status(status, wanted)) for status in wanted.statuses),
            *(
                [_is_overdue(wanted.now)]
                if _separates_overdue(wanted) and PostStatus.PUBLISHING in wanted.statuses
                else []
            ),
            *(Post.id.in_(_with_target(status).where(Target.post_id == Post.id)) for status in wanted.target_statuses),
        )


def _is_overdue(now: datetime) -> ColumnElement[bool]:
    return and_(Post.status == PostStatus.SCHEDULED.value, Post.scheduled_for <= now)


def _times(wanted: Filter, order: Order, columns: Any = Post) -> Iterator[ColumnElement[bool]]:
    """Yield the conditions on the time that an order sorts by; in the list's order also the beginning of the page."""
    if order is Order.CREATED:
        yield from _within(columns.id, wanted)
        return
    bounds = {
        Order.SCHEDULED: (wanted.scheduled_from, wanted.scheduled_to),
        Order.UPDATED: (wanted.updated_since, None),
    }
    first, last = bounds[order]
    column = _column(order, columns)
    if first:
        yield column >= first
    if last:
        yield column <= last
    if order is Order.SCHEDULED and (wanted.order is order or first or last):
        yield column.is_not(None)
    if wanted.after is not None and wanted.order is order:
        yield tuple_(column, columns.id) > tuple_(wanted.after.at, wanted.after.id)


def _within(post_id: Any, wanted: Filter) -> Iterator[ColumnElement[bool]]:
    """Yield the conditions on the time of creation, which is a part of the id, and the beginning of the page."""
    if wanted.created_from:
        yield post_id >= first_id("post", wanted.created_from)
    if wanted.created_to:
        yield post_id <= last_id("post", wanted.created_to)
    if wanted.after is not None and wanted.order is Order.CREATED:
        yield post_id < wanted.after.id
