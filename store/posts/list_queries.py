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

The queries of lists with the same conditions differ in values only. They are built once: building them took longer than
PostgreSQL needs for most lists, and left objects to the garbage collector, which then stopped the process.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Row,
    Select,
    and_,
    any_,
    bindparam,
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

from domain.post import PostStatus, TargetStatus
from store.models import ImportedPost, Post, PostTag, Target
from store.posts.list_filters import PARAMETERS, Filter, Order, Shape, shape_and_values, tag_parameter

WINDOW = 1_000
"""The number of posts that are read for a page. A thousand posts are found by their ids in some 3 ms."""
MAX_CHECKED = 8_000
"""The number of entries whose times are checked for a page: some 2 ms, because no post is read."""
MAX_SCANNED = 20_000
"""The number of entries that are read if no index in the list's order has filled the page with its first ones."""


_COLUMNS = {Order.CREATED: "id", Order.SCHEDULED: "scheduled_for", Order.UPDATED: "updated_at"}
_BOUNDS = {
    Order.SCHEDULED: ("scheduled_from", "scheduled_to"),
    Order.UPDATED: ("updated_since", ""),
    Order.CREATED: ("first_id", "last_id"),
}
"""The parameters that limit the time of each order; an empty name is none."""
_KEPT = 200
"""The number of queries of each kind that are kept: clients choose the shapes of their lists."""


@dataclass(frozen=True, slots=True)
class IndexScan:
    """The entries of an index, which include all posts of a list. `ordered`: they are in the list's order."""

    entries: Select[Any]
    """The ids of posts; with `has_times`, also their times."""
    ordered: bool
    has_times: bool = False
    covers: bool = False
    """Whether the entries contain all that the conditions of the list need."""


async def find(session: AsyncSession, workspace_id: str, conditions: Filter, count: int) -> list[Row[Any]]:
    """Return the `id`, `answer_bytes` and `sort_key` of the first `count` posts of a list, in its order."""
    shape, values = shape_and_values(workspace_id, conditions, count)

    async def rows(query: Select[Any]) -> list[Row[Any]]:
        return list((await session.execute(query, values)).all())

    async def narrowest(most: int) -> int | None:
        """Return the number of the scan with the fewest entries; None if all have `most` of them or more."""
        (sizes,) = await rows(sizes_query(shape, most))
        fewest = min(sizes)
        return tuple(sizes).index(fewest) if fewest < most else None

    if scans := index_scans(shape):
        few = MAX_CHECKED if all(scan.covers for scan in scans) else WINDOW
        if (number := await narrowest(few)) is not None:
            return await rows(scan_query(shape, number, few))
        for number, scan in enumerate(scans):
            most = MAX_CHECKED if scan.has_times else WINDOW
            if scan.ordered and len(page := await rows(scan_query(shape, number, most, WINDOW))) == count:
                return page
        if (number := await narrowest(MAX_SCANNED)) is not None:
            return await rows(scan_query(shape, number, MAX_SCANNED))
    return await rows(ordered_query(shape))


@lru_cache(_KEPT)
def index_scans(shape: Shape) -> tuple[IndexScan, ...]:
    """Return the scans of the indexes that cover a part of the conditions."""
    return tuple(_scans(shape))


@lru_cache(_KEPT)
def sizes_query(shape: Shape, most: int) -> Select[Any]:
    """Return the query for the number of each scan's entries, up to `most`."""
    counts = (
        select(func.count()).select_from(_some(scan, most).subquery()).scalar_subquery() for scan in index_scans(shape)
    )
    return select(*counts)


def _some(scan: IndexScan, most: int) -> Select[Any]:
    # The entries of several statuses need not be merged to be counted. Those of targets are in order as they are.
    return (scan.entries.order_by(None) if scan.has_times else scan.entries).limit(most)


@lru_cache(_KEPT)
def scan_query(shape: Shape, number: int, most: int, most_posts: int | None = None) -> Select[Any]:
    """Return the query for the first posts of a list among the first `most` entries of one of its scans.

    Times are checked in the entries, if these have them. Of the remaining ones, up to `most_posts` posts are read.

    OFFSET 0 makes PostgreSQL look each post up by its id, in the order of the entries. Otherwise the planner would join
    the entries with all posts that it expects to match the conditions; for the beginning of a page its estimate is far
    too low.
    """
    scan = index_scans(shape)[number]
    read = scan.entries.limit(most).subquery()
    # An order that is not stated here would be lost to the planner, and all entries would be sorted.
    entries = select(read).order_by(*_order(shape.order, read.c) if scan.ordered or scan.has_times else ())
    if scan.has_times:
        entries = entries.where(*itertools.chain.from_iterable(_times(shape, order, read.c) for order in Order))
    # If the entries show which posts match, only the page is looked up.
    matching = entries.limit(PARAMETERS["count"] if scan.covers else most_posts).subquery()
    posts = select(Post.id, Post.answer_bytes, _column(shape.order).label("sort_key")).where(Post.id == matching.c.id)
    matches = posts.where(*_conditions(shape), *_of_statuses(shape)).offset(0).lateral()
    page = select(matches).select_from(matching.join(matches, true())).limit(PARAMETERS["count"])
    if scan.ordered or scan.has_times:
        return page.order_by(*_order(shape.order, matching.c))
    return page.order_by(*_by_sort_key(shape.order, matches.c))


@lru_cache(_KEPT)
def ordered_query(shape: Shape) -> Select[Any]:
    """Return the query for the first posts of a list that reads the index of its order."""
    choices = [_first(choice, shape) for choice in _choices(shape)]
    # A post with two matching targets is found twice.
    joined = union_all(*choices) if not shape.target_statuses else union(*choices)
    matches = joined.subquery() if len(choices) > 1 else choices[0].subquery()
    return select(matches).order_by(*_by_sort_key(shape.order, matches.c)).limit(PARAMETERS["count"])


def matching_posts(shape: Shape) -> Select[str, str, datetime | None]:
    """Return the query for the ids, statuses and scheduled times of all posts of a list, in no order."""
    ours = Post.workspace_id == PARAMETERS["workspace_id"]
    posts = select(Post.id, Post.status, Post.scheduled_for)
    return posts.where(ours, *_conditions(shape), *_of_statuses(shape))


# -- scans -----------------------------------------------------------------------------------------------------------


def _scans(shape: Shape) -> Iterator[IndexScan]:
    """Yield the indexes that cover a part of the conditions; none if that of the list's order covers all."""
    if not shape.parameters.isdisjoint({"external_id", "platform_post_ids"}):
        # The index of these ids leads to the only possible posts.
        return
    newest_first = shape.order is Order.CREATED
    parts = [IndexScan(ids, ordered=newest_first) for ids in _by_ids(shape)]
    if "campaign_id" in shape.parameters:
        parts.append(IndexScan(_of_campaign(shape), ordered=newest_first, has_times=True))
    yield from parts
    ranges = {order: not shape.parameters.isdisjoint(bounds) for order, bounds in _BOUNDS.items()}
    others = [order for order, is_given in ranges.items() if order is not shape.order and is_given]
    stated = bool(shape.statuses or shape.target_statuses)
    if not parts and not others and (newest_first or not shape.target_statuses):
        return
    for order in Order:
        knows = ranges[order] or (stated if order is Order.CREATED else order is shape.order)
        if knows and (order is Order.CREATED or not shape.target_statuses):
            entries = _by_status(shape, order)
            yield IndexScan(entries, ordered=shape.order is order, has_times=True, covers=not parts)


def _by_ids(shape: Shape) -> Iterator[Select[Any]]:
    """Yield the ids of posts, the newest first, from each index of ids by another condition of the list."""
    sources: list[tuple[Any, Any, BindParameter[Any], Any]] = [
        (Target.post_id, column, PARAMETERS[column.key], Target.workspace_id)
        for column in (Target.platform, Target.account_id)
        if column.key in shape.parameters
    ]
    tags = (bindparam(tag_parameter(number), type_=PostTag.tag.type) for number in range(shape.tags))
    sources += [(PostTag.post_id, PostTag.tag, tag, PostTag.workspace_id) for tag in tags]
    if "series_id" in shape.parameters:
        # Sorted from the index of its occurrences: a series has few posts.
        sources.append((Post.id, Post.series_id, PARAMETERS["series_id"], Post.workspace_id))
    if "import_id" in shape.parameters:
        sources.append((ImportedPost.post_id, ImportedPost.import_id, PARAMETERS["import_id"], None))
    for post_id, column, value, workspace in sources:
        ids = select(post_id.label("id")).where(column == value, *_within(post_id, shape)).order_by(post_id.desc())
        if workspace is not None:
            ids = ids.where(workspace == PARAMETERS["workspace_id"])
        yield ids.distinct() if workspace is Target.workspace_id else ids


def _of_campaign(shape: Shape) -> Select[Any]:
    columns: list[Any] = [Post.id, Post.scheduled_for, Post.updated_at]
    its_own = (Post.workspace_id == PARAMETERS["workspace_id"], Post.campaign_id == PARAMETERS["campaign_id"])
    return select(*columns).where(*its_own, *_within(Post.id, shape)).order_by(Post.id.desc())


def _by_status(shape: Shape, order: Order) -> Select[Any]:
    """Return the ids and times of posts by their status and by the time that an order sorts by, in that order."""
    choices = []
    for choice in _choices(shape, order):
        # Without the size, which not every index contains.
        entries = choice.with_only_columns(Post.id, Post.scheduled_for, Post.updated_at)
        narrowed = entries.where(*_times(shape, order)).order_by(*_order(order)).limit(MAX_SCANNED)
        choices.append(select(narrowed.subquery()))
    joined = (union if shape.target_statuses else union_all)(*choices).subquery()
    return select(joined).order_by(*_order(order, joined.c))


def _choices(shape: Shape, order: Order | None = None) -> Iterator[Select[Any]]:
    """Yield a query for each requested status whose first posts, in an order, an index has."""
    order = order or shape.order
    posts = select(Post.id, Post.answer_bytes, _column(order).label("sort_key")).where(
        Post.workspace_id == PARAMETERS["workspace_id"]
    )
    statuses = shape.statuses
    if not statuses and not shape.target_statuses:
        if order is Order.CREATED:
            yield posts
            return
        statuses = tuple(PostStatus)
    for status in statuses:
        yield posts.where(*_has_status(status, shape))
    if _separates_overdue(shape):
        yield posts.where(Post.id.in_(_overdue(shape)))
    for target_status in shape.target_statuses:
        yield posts.where(
            Post.id.in_(_with_target(target_status).where(Target.workspace_id == PARAMETERS["workspace_id"]))
        )


def _separates_overdue(shape: Shape) -> bool:
    """Return whether a list depends on which scheduled posts are overdue: not if it has both statuses."""
    return (PostStatus.SCHEDULED in shape.statuses) is not (PostStatus.PUBLISHING in shape.statuses)


def _has_status(status: PostStatus, shape: Shape) -> Iterator[ColumnElement[bool]]:
    yield Post.status == status.value
    if status is PostStatus.SCHEDULED and _separates_overdue(shape):
        # Nearly all are not overdue. The expression keeps the planner from searching for them in the index by time.
        yield func.coalesce(Post.scheduled_for, literal_column("'infinity'::timestamptz")) > PARAMETERS["now"]


def _overdue(shape: Shape) -> Select[Any]:
    """Return the ids of the scheduled posts of a list whose own time has passed, from the index by time.

    OFFSET 0 keeps the planner from searching for them among all scheduled posts: usually none is overdue.
    """
    due = select(Post.id).where(
        Post.workspace_id == PARAMETERS["workspace_id"], Post.status == PostStatus.SCHEDULED.value
    )
    return due.where(_is_overdue(shape)).offset(0)


def _with_target(status: TargetStatus) -> Select[Any]:
    # The status is a literal, because the index is partial and the planner must see that it applies.
    return select(Target.post_id).where(Target.status == literal_column(f"'{status.value}'"))


def _first(choice: Select[Any], shape: Shape) -> Select[Any]:
    return select(
        choice.where(*_conditions(shape)).order_by(*_order(shape.order)).limit(PARAMETERS["count"]).subquery()
    )


def _column(order: Order, columns: Any = Post) -> Any:
    """Return the column that an order sorts by, of the posts or of an index's entries."""
    return getattr(columns, _COLUMNS[order])


def _order(order: Order, columns: Any = Post) -> tuple[ColumnElement[Any], ...]:
    return (columns.id.desc(),) if order is Order.CREATED else (_column(order, columns).asc(), columns.id.asc())


def _by_sort_key(order: Order, columns: Any) -> tuple[ColumnElement[Any], ...]:
    return (columns.sort_key.desc(),) if order is Order.CREATED else (columns.sort_key, columns.id)


# -- conditions ------------------------------------------------------------------------------------------------------


def _conditions(shape: Shape) -> Iterator[ColumnElement[bool]]:
    """Yield the conditions of a list, except its statuses."""
    ours = [column for column in (Target.platform, Target.account_id) if column.key in shape.parameters]
    if ours:
        targets = exists().where(Target.post_id == Post.id, Target.workspace_id == PARAMETERS["workspace_id"])
        yield targets.where(*(column == PARAMETERS[column.key] for column in ours))
    if "external_id" in shape.parameters:
        yield Post.external_id == PARAMETERS["external_id"]
    plans = Post.campaign_id, Post.series_id
    yield from (column == PARAMETERS[column.key] for column in plans if column.key in shape.parameters)
    if "platform_post_ids" in shape.parameters:
        public = select(Target.post_id).where(Target.workspace_id == PARAMETERS["workspace_id"])
        yield Post.id.in_(public.where(Target.platform_post_id == any_(PARAMETERS["platform_post_ids"])))
    if "import_id" in shape.parameters:
        imported = select(ImportedPost.post_id).where(ImportedPost.import_id == PARAMETERS["import_id"])
        yield Post.id.in_(imported)
    if shape.tags:
        yield Post.tags.contains(PARAMETERS["tags"])
    for order in Order:
        yield from _times(shape, order)


def _of_statuses(shape: Shape) -> Iterator[ColumnElement[bool]]:
    if shape.statuses or shape.target_statuses:
        yield or_(
            *(and_(*_has_status(status, shape)) for status in shape.statuses),
            *([_is_overdue(shape)] if _separates_overdue(shape) else []),
            *(Post.id.in_(_with_target(status).where(Target.post_id == Post.id)) for status in shape.target_statuses),
        )


def _is_overdue(shape: Shape) -> ColumnElement[bool]:
    """Return the condition for a scheduled post whose own time has passed: it is due, or only later after a pause."""
    is_due = (
        Post.due_at <= PARAMETERS["now"] if PostStatus.PUBLISHING in shape.statuses else Post.due_at > PARAMETERS["now"]
    )
    return and_(Post.status == PostStatus.SCHEDULED.value, Post.scheduled_for <= PARAMETERS["now"], is_due)


def _times(shape: Shape, order: Order, columns: Any = Post) -> Iterator[ColumnElement[bool]]:
    """Yield the conditions on the time that an order sorts by; in the list's order also the beginning of the page."""
    if order is Order.CREATED:
        yield from _within(columns.id, shape)
        return
    first, last = _BOUNDS[order]
    column = _column(order, columns)
    if first in shape.parameters:
        yield column >= PARAMETERS[first]
    if last in shape.parameters:
        yield column <= PARAMETERS[last]
    if order is Order.SCHEDULED and (shape.order is order or not shape.parameters.isdisjoint(_BOUNDS[order])):
        yield column.is_not(None)
    if "after_id" in shape.parameters and shape.order is order:
        yield tuple_(column, columns.id) > tuple_(PARAMETERS["after_at"], PARAMETERS["after_id"])


def _within(post_id: Any, shape: Shape) -> Iterator[ColumnElement[bool]]:
    """Yield the conditions on the time of creation, which is a part of the id, and the beginning of the page."""
    if "first_id" in shape.parameters:
        yield post_id >= PARAMETERS["first_id"]
    if "last_id" in shape.parameters:
        yield post_id <= PARAMETERS["last_id"]
    if "after_id" in shape.parameters and shape.order is Order.CREATED:
        yield post_id < PARAMETERS["after_id"]
