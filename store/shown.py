"""Posts as answers show them, read by one statement and without models: a model costs more than its row."""

from datetime import datetime
from typing import Any, NamedTuple

from store.database import Database

JsonList = list[dict[str, Any]]


class ShownTarget(NamedTuple):
    """What an answer says of one target, by the columns of `targets`; None for a list or an object that is empty."""

    platform: str
    account_id: str
    custom_content: str | None
    custom_media: JsonList | None
    settings: dict[str, Any] | None
    status: str
    looking: bool
    content: str | None
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


class ShownPost(NamedTuple):
    """What an answer says of a post, by the columns of `posts`; None for a list or an object that is empty."""

    id: str
    workflow_id: str
    status: str
    content: str | None
    media_items: JsonList | None
    tags: list[str]
    timezone: str
    scheduled_for: datetime | None
    external_id: str | None
    planned_for: datetime | None
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
"""JSON that nearly every row has in these columns. It is read as NULL, which nothing has to parse."""


def _columns(table: str, row: type[NamedTuple]) -> str:
    """Return the columns of a table that a row of this type holds, in its order."""
    names = [name for name in row._fields if name != "targets"]
    return ", ".join(
        f"nullif({table}.{name}, {_EMPTY[name]})" if name in _EMPTY else f"{table}.{name}" for name in names
    )


# One row for a post however many targets it has, so that its content is sent once.
_SHOWN = f"""
{_columns("posts", ShownPost)},
ARRAY(SELECT ROW({_columns("targets", ShownTarget)}) FROM targets
      WHERE targets.post_id = posts.id ORDER BY targets.position)
"""  # noqa: S608 our own columns' names
_POST = f"SELECT {_SHOWN} FROM posts WHERE posts.id = $1 AND posts.workspace_id = $2"  # noqa: S608 the same


async def read_shown_post(database: Database, workspace_id: str, post_id: str) -> ShownPost | None:
    """Return a post of the workspace with its targets, all as they are at one instant; None if there is none."""
    row = await database.row(_POST, post_id, workspace_id)
    return _shown(row) if row else None


def _shown(values: Any) -> ShownPost:
    *own, targets = values
    return ShownPost._make((*own, [ShownTarget._make(target) for target in targets]))
