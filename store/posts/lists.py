"""Lists of posts, page by page; the cost is that of some index entries, however many posts there are.

`store.posts.list_queries` chooses the index from which a page is read. Content is read only for the posts of the page.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import accumulate, takewhile

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.bounds import LARGEST_ANSWER
from domain.post import PostStatus, status_shown
from store.database import Database
from store.models import Post
from store.posts.list_filters import Filter, Order, Position
from store.posts.list_queries import find
from store.posts.shown import ShownPost, read_newest_posts, read_shown_posts


@dataclass(frozen=True, slots=True)
class Page:
    """Posts with their targets, in the order of the list."""

    posts: list[ShownPost]
    last: Position | None
    """The position after which the next page begins; None if this is the last page."""

    @property
    def more(self) -> bool:
        """Return whether there is a next page."""
        return self.last is not None


async def list_posts(database: Database, workspace_id: str, conditions: Filter, limit: int) -> Page:
    """Return up to `limit` posts, at least one, whose response does not exceed LARGEST_ANSWER bytes."""
    if conditions == Filter(after=conditions.after, now=conditions.now):
        # Nearly every list: the newest posts without conditions.
        after = conditions.after.id if conditions.after else None
        posts, more = await read_newest_posts(database, workspace_id, after, limit, LARGEST_ANSWER)
        return Page(posts, Position(posts[-1].id) if more else None)
    async with database.reading() as session:
        rows = await find(session, workspace_id, conditions, limit + 1)
    if not rows:
        return Page([], None)
    sizes = accumulate(row.answer_bytes for row in rows[:limit])
    shown = rows[: max(1, sum(1 for _ in takewhile(lambda size: size <= LARGEST_ANSWER, sizes)))]
    last = shown[-1]
    position = Position(last.id, None if conditions.order is Order.CREATED else last.sort_key)
    # A post may have been deleted in between.
    posts = await read_shown_posts(database, workspace_id, [row.id for row in shown])
    return Page(posts, position if len(shown) < len(rows) else None)


async def find_ids(session: AsyncSession, workspace_id: str, conditions: Filter, limit: int) -> list[str]:
    """Return the ids of up to `limit` posts, in the order of the list."""
    return [row.id for row in await find(session, workspace_id, conditions, limit)]


async def read_statuses(session: AsyncSession, workspace_id: str, post_ids: Sequence[str]) -> dict[str, str]:
    """Return the shown statuses of the posts that exist in the workspace, by id."""
    query = select(Post.id, Post.status, Post.due_at)
    rows = await session.execute(query.where(Post.workspace_id == workspace_id, Post.id.in_(post_ids)))
    now = datetime.now(UTC)
    return {row.id: status_shown(PostStatus(row.status), row.due_at, now) for row in rows}
