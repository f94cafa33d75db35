"""Lists of posts, page by page, in an order that an index has.

Each status is asked for by itself and a page is put together from the first of each: so a page costs the same whether
a status is that of all posts or of few.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Select, exists, func, literal_column, or_, select, tuple_, union, union_all
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute, selectinload

from domain.bounds import LARGEST_ANSWER
from domain.post import PostStatus, TargetStatus
from store.models import Post, Target


class Order(StrEnum):
    """What a list is sorted by. Posts without a `scheduledFor` are not in the list that is sorted by it."""

    CREATED = "createdAt"
    """Newest first."""
    SCHEDULED = "scheduledFor"
    """Soonest first."""
    UPDATED = "updatedAt"
    """The longest unchanged first."""


_COLUMNS: dict[Order, InstrumentedAttribute[Any]] = {
    Order.CREATED: Post.id,
    Order.SCHEDULED: Post.scheduled_for,
    Order.UPDATED: Post.updated_at,
}


@dataclass(frozen=True, slots=True)
class Place:
    """The place of a post in a list: its id and, unless the list is sorted by that, what it is sorted by."""

    id: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Filter:
    """What narrows a list. Times are inclusive; `after` is where the last page ended.

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
    after: Place | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Posts with their targets, in the order of the list, and whether there are more."""

    posts: list[Post]
    more: bool


def place_of(post: Post, order: Order) -> Place:
    """Return where a post stands in a list."""
    return Place(post.id, None if order is Order.CREATED else getattr(post, _COLUMNS[order].key))


async def list_posts(session: AsyncSession, workspace_id: str, wanted: Filter, limit: int) -> Page:
    """Return up to `limit` posts, but no more than an answer of LARGEST_ANSWER bytes holds.

    Content is read of those only that are returned.
    """
    rows = (await session.execute(page_query(workspace_id, wanted, limit).options(selectinload(Post.targets)))).all()
    return Page([row.Post for row in rows], more=bool(rows) and len(rows) < rows[0].everything)


def page_query(workspace_id: str, wanted: Filter, limit: int) -> Select[Any]:
    """Return the query for a page: its posts, each with how many there are from there on, up to `limit` + 1."""
    newest_first = wanted.order is Order.CREATED
    page = _found(workspace_id, wanted, limit + 1).subquery()
    order = (page.c.place.desc(),) if newest_first else (page.c.place, page.c.id)
    counted = select(
        page.c.id,
        func.sum(page.c.answer_bytes).over(order_by=order).label("sizes"),
        func.row_number().over(order_by=order).label("number"),
        func.count().over().label("everything"),
    ).subquery()
    return (
        select(Post, counted.c.everything)
        .join(counted, counted.c.id == Post.id)
        .where(or_(counted.c.number == 1, counted.c.sizes <= LARGEST_ANSWER), counted.c.number <= limit)
        .order_by(counted.c.number)
    )


async def find_ids(session: AsyncSession, workspace_id: str, wanted: Filter, limit: int) -> list[str]:
    """Return the ids of up to `limit` posts, in the order of the list."""
    return [row.id for row in await session.execute(_found(workspace_id, wanted, limit))]


async def statuses_of(session: AsyncSession, workspace_id: str, post_ids: Sequence[str]) -> dict[str, str]:
    """Return the statuses of those of the posts that exist in the workspace, by id."""
    query = select(Post.id, Post.status).where(Post.workspace_id == workspace_id, Post.id.in_(post_ids))
    return {row.id: row.status for row in await session.execute(query)}


def _found(workspace_id: str, wanted: Filter, count: int) -> Select[Any]:
    """Return the query for the first `count` posts of a list: their id, size and place, in its order."""
    choices = [_first(choice, wanted, count) for choice in _choices(workspace_id, wanted)]
    # A post with two targets that are asked for is found twice.
    joined = union_all(*choices) if not wanted.target_statuses else union(*choices)
    found = joined.subquery() if len(choices) > 1 else choices[0].subquery()
    order = (found.c.place.desc(),) if wanted.order is Order.CREATED else (found.c.place, found.c.id)
    return select(found).order_by(*order).limit(count)


def _choices(workspace_id: str, wanted: Filter) -> Iterator[Select[Any]]:
    """Yield a query for each status that is asked for, of which an index has the first posts in the list's order."""
    column = _COLUMNS[wanted.order]
    posts = select(Post.id, Post.answer_bytes, column.label("place")).where(Post.workspace_id == workspace_id)
    statuses = wanted.statuses
    if not statuses and not wanted.target_statuses:
        if wanted.order is Order.CREATED:
            yield posts
            return
        statuses = tuple(PostStatus)
    for status in statuses:
        yield posts.where(Post.status == status.value)
    for target_status in wanted.target_statuses:
        # Written out, because the index holds these statuses only.
        found = select(Target.post_id).where(
            Target.workspace_id == workspace_id, Target.status == literal_column(f"'{target_status.value}'")
        )
        yield posts.where(Post.id.in_(found))


def _first(choice: Select[Any], wanted: Filter, count: int) -> Select[Any]:
    column = _COLUMNS[wanted.order]
    order = (Post.id.desc(),) if wanted.order is Order.CREATED else (column, Post.id)
    return select(choice.where(*_conditions(wanted)).order_by(*order).limit(count).subquery())


def _conditions(wanted: Filter) -> Iterator[ColumnElement[bool]]:
    if wanted.platform or wanted.account_id:
        given = ((Target.platform, wanted.platform), (Target.account_id, wanted.account_id))
        yield exists().where(Target.post_id == Post.id, *(column == value for column, value in given if value))
    if wanted.external_id is not None:
        yield Post.external_id == wanted.external_id
    if wanted.tags:
        yield Post.tags.contains(list(wanted.tags))
    bounds = (
        (Post.created_at, wanted.created_from, wanted.created_to),
        (Post.scheduled_for, wanted.scheduled_from, wanted.scheduled_to),
        (Post.updated_at, wanted.updated_since, None),
    )
    for column, first, last in bounds:
        if first:
            yield column >= first
        if last:
            yield column <= last
    if wanted.order is Order.SCHEDULED:
        yield Post.scheduled_for.is_not(None)
    if wanted.after is not None:
        yield _beyond(wanted.after, wanted.order)


def _beyond(place: Place, order: Order) -> ColumnElement[bool]:
    if order is Order.CREATED:
        return Post.id < place.id
    return tuple_(_COLUMNS[order], Post.id) > tuple_(place.at, place.id)
