"""Posts as responses show them, read by one statement and without models: a model costs more than its row."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from store.database import Database

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
