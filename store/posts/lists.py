"""Posts as responses show them, one or page by page; a page costs some index entries, however many posts there are.

`store.posts.list_queries` chooses the index from which a page is read. Content is read only for the posts of the page.
"""

from collections import namedtuple
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import accumulate, takewhile
from typing import Any, cast

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.post import PostStatus, status_shown
from domain.workspaces import LARGEST_ANSWER
from store.database import Database
from store.models import Post
from store.posts.list_filters import Filter, Order, Position
from store.posts.list_queries import find

_OfPost = namedtuple(  # noqa: PYI024 callers know it as Post
    "_OfPost",
    "id workflow_id status content media_items tags timezone scheduled_for due_at external_id campaign_id series_id "
    "occurrence planned_for skip_reason queue_id after_post_id after_delay after_on_failure tiktok_settings "
    "facebook_settings publish_within published_at created_at updated_at targets",
)
_OfTarget = namedtuple(  # noqa: PYI024 callers know it as Target
    "_OfTarget",
    "platform account_id custom_content custom_media settings status confirming edited_content platform_post_id "
    "platform_post_url published_at warning media_changes edit_history error error_code error_category retryable "
    "next_attempt_at hold_reason preflight_code",
)
"""The columns of posts and targets that responses show; None for an empty list or object.

A list is read into such rows, which callers know as `Post`: a model costs four times as much as its row.
"""
_EMPTY = {
    "media_items": "'[]'",
    "media_changes": "'[]'",
    "edit_history": "'[]'",
    "settings": "'{}'",
    "tiktok_settings": "'{}'",
    "facebook_settings": "'{}'",
}
"""JSON that nearly every row has in these columns. It is read as NULL, which need not be parsed."""


def _columns(table: str, row: Any) -> str:
    """Return the columns of a table for a row of this type, in its order."""
    names = [name for name in row._fields if name != "targets"]
    return ", ".join(
        f"nullif({table}.{name}, {_EMPTY[name]})" if name in _EMPTY else f"{table}.{name}" for name in names
    )


# One row for a post, however many targets it has, so that its content is sent once.
_SHOWN = f"""
{_columns("posts", _OfPost)},
ARRAY(SELECT ROW({_columns("targets", _OfTarget)}) FROM targets
      WHERE targets.post_id = posts.id ORDER BY targets.position)
"""  # noqa: S608 our own columns' names
_POST = f"SELECT {_SHOWN} FROM posts WHERE posts.id = $1 AND posts.workspace_id = $2"  # noqa: S608 the same


_POSTS = f"SELECT {_SHOWN} FROM posts WHERE posts.id = ANY($1) AND posts.workspace_id = $2"  # noqa: S608 the same
_BEYOND_ALL_IDS = "~"
_NEWEST = f"""
WITH page AS (
  SELECT id, answer_bytes FROM posts WHERE workspace_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3 + 1
), counted AS (
  SELECT id, sum(answer_bytes) OVER newest AS bytes, row_number() OVER newest AS number, count(*) OVER () AS everything
  FROM page WINDOW newest AS (ORDER BY id DESC)
)
SELECT counted.everything, {_SHOWN} FROM counted JOIN posts USING (id)
WHERE counted.number <= $3 AND (counted.number = 1 OR counted.bytes <= $4)
ORDER BY counted.number
"""  # noqa: S608 the same


async def read_shown_post(database: Database, workspace_id: str, post_id: str) -> Post | None:
    """Return a post of the workspace with its targets, all at one instant; None if there is none."""
    row = await database.row(_POST, post_id, workspace_id)
    return _shown(row) if row else None


async def read_shown_posts(database: Database, workspace_id: str, post_ids: Sequence[str]) -> list[Post]:
    """Return the posts that are in the workspace, in the order of the ids."""
    by_id = {post.id: post for post in map(_shown, await database.rows(_POSTS, post_ids, workspace_id))}
    return [by_id[post_id] for post_id in post_ids if post_id in by_id]


async def read_newest_posts(
    database: Database, workspace_id: str, after: str | None, limit: int, most_bytes: int
) -> tuple[list[Post], bool]:
    """Return up to `limit` posts before the id `after`, newest first, and whether there are more.

    Together they have at most `most_bytes` by `Post.answer_bytes`; one is returned however large it is.
    """
    rows = await database.rows(_NEWEST, workspace_id, after or _BEYOND_ALL_IDS, limit, most_bytes)
    return [_shown(values) for _, *values in rows], bool(rows) and len(rows) < rows[0]["everything"]


def _shown(values: Any) -> Post:
    *own, targets = values
    return cast("Post", _OfPost._make((*own, [_OfTarget._make(target) for target in targets])))


@dataclass(frozen=True, slots=True)
class Page:
    """Posts with their targets, in the order of the list."""

    posts: list[Post]
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
