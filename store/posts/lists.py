"""Posts as responses show them, one or page by page; a page costs some index entries, however many posts there are.

`store.posts.list_queries` chooses the index from which a page is read. Content is read only for the posts of the page.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import accumulate, takewhile
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.post import PostStatus, status_shown
from domain.workspaces import LARGEST_ANSWER
from store.database import Database
from store.models import Post
from store.posts.list_filters import Filter, Order, Position
from store.posts.list_queries import find

JsonList = list[dict[str, Any]]


class ShownTarget(NamedTuple):
    """A target as a response shows it, by the columns of `targets`; None for an empty list or object."""

    platform: str
    account_id: str
    custom_content: str | None
    custom_media: JsonList | None
    settings: dict[str, Any] | None
    status: str
    confirming: bool
    edited_content: str | None
    platform_post_id: str | None
    platform_post_url: str | None
    published_at: datetime | None
    warning: str | None
    media_changes: JsonList | None
    edit_history: JsonList | None
    error: str | None
    error_code: str | None
    error_category: str | None
    retryable: bool | None
    next_attempt_at: datetime | None
    hold_reason: str | None
    preflight_code: str | None


class ShownPost(NamedTuple):
    """A post as a response shows it, by the columns of `posts`; None for an empty list or object."""

    id: str
    workflow_id: str
    status: str
    content: str | None
    media_items: JsonList | None
    tags: list[str]
    timezone: str
    scheduled_for: datetime | None
    due_at: datetime | None
    external_id: str | None
    campaign_id: str | None
    series_id: str | None
    occurrence: str | None
    planned_for: datetime | None
    skip_reason: str | None
    queue_id: str | None
    after_post_id: str | None
    after_delay: str | None
    after_on_failure: str | None
    tiktok_settings: dict[str, Any] | None
    facebook_settings: dict[str, Any] | None
    publish_within: int
    published_at: datetime | None
    created_at: datetime
    updated_at: datetime
    targets: list[ShownTarget]


_EMPTY = {
    "media_items": "'[]'",
    "media_changes": "'[]'",
    "edit_history": "'[]'",
    "settings": "'{}'",
    "tiktok_settings": "'{}'",
    "facebook_settings": "'{}'",
}
"""JSON that nearly every row has in these columns. It is read as NULL, which need not be parsed."""


def _columns(table: str, row: type[NamedTuple]) -> str:
    """Return the columns of a table for a row of this type, in its order."""
    names = [name for name in row._fields if name != "targets"]
    return ", ".join(
        f"nullif({table}.{name}, {_EMPTY[name]})" if name in _EMPTY else f"{table}.{name}" for name in names
    )


# One row for a post, however many targets it has, so that its content is sent once.
_SHOWN = f"""
{_columns("posts", ShownPost)},
ARRAY(SELECT ROW({_columns("targets", ShownTarget)}) FROM targets
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


async def read_shown_post(database: Database, workspace_id: str, post_id: str) -> ShownPost | None:
    """Return a post of the workspace with its targets, all at one instant; None if there is none."""
    row = await database.row(_POST, post_id, workspace_id)
    return _shown(row) if row else None


async def read_shown_posts(database: Database, workspace_id: str, post_ids: Sequence[str]) -> list[ShownPost]:
    """Return the posts that are in the workspace, in the order of the ids."""
    by_id = {post.id: post for post in map(_shown, await database.rows(_POSTS, post_ids, workspace_id))}
    return [by_id[post_id] for post_id in post_ids if post_id in by_id]


async def read_newest_posts(
    database: Database, workspace_id: str, after: str | None, limit: int, most_bytes: int
) -> tuple[list[ShownPost], bool]:
    """Return up to `limit` posts before the id `after`, newest first, and whether there are more.

    Together they have at most `most_bytes` by `Post.answer_bytes`; one is returned however large it is.
    """
    rows = await database.rows(_NEWEST, workspace_id, after or _BEYOND_ALL_IDS, limit, most_bytes)
    return [_shown(values) for _, *values in rows], bool(rows) and len(rows) < rows[0]["everything"]


def _shown(values: Any) -> ShownPost:
    *own, targets = values
    return ShownPost._make((*own, [ShownTarget._make(target) for target in targets]))


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
