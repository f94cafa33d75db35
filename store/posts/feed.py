"""The posts of a calendar's feed: the next ones and, if there is room, those of the last days."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

from domain.post import PostStatus
from store.database import Database
from store.posts.list_filters import Filter, Order
from store.posts.lists import find_ids

MOST_POSTS = 5_000
"""Posts of a feed: icalendar writes them in about a second."""
BEHIND, AHEAD = timedelta(days=30), timedelta(days=365)
CONTENT_LENGTH = 300
"""Characters of a post's text in a feed."""


class FeedPost(NamedTuple):
    """A post of a feed."""

    id: str
    version: int
    status: str
    scheduled_for: datetime
    due_at: datetime | None
    updated_at: datetime
    text: str
    platforms: list[str]
    """The names of its targets' platforms, each once."""


_POSTS = f"""
SELECT posts.id, posts.version, posts.status, posts.scheduled_for, posts.due_at, posts.updated_at,
  left(coalesce(posts.content, (
    SELECT custom_content FROM targets
    WHERE post_id = posts.id AND custom_content IS NOT NULL AND ($3::text IS NULL OR account_id = $3)
    ORDER BY position LIMIT 1
  ), ''), {CONTENT_LENGTH}),
  ARRAY(SELECT platform FROM targets WHERE post_id = posts.id AND ($3::text IS NULL OR account_id = $3)
        GROUP BY platform ORDER BY min(position))
FROM posts WHERE posts.id = ANY($1) AND posts.workspace_id = $2 AND posts.scheduled_for IS NOT NULL
ORDER BY posts.scheduled_for, posts.id
"""  # noqa: S608 a number of ours


async def read_feed(
    database: Database, workspace_id: str, conditions: Filter, now: datetime, only_account: str | None
) -> Sequence[FeedPost]:
    """Return the posts of a feed, the first first. `only_account`: other targets of the posts are left out."""
    named = replace(conditions, order=Order.SCHEDULED, statuses=conditions.statuses or tuple(PostStatus))
    async with database.reading() as session:
        upcoming = replace(named, scheduled_from=now, scheduled_to=now + AHEAD)
        post_ids = await find_ids(session, workspace_id, upcoming, MOST_POSTS)
        if len(post_ids) < MOST_POSTS:
            past = replace(named, scheduled_from=now - BEHIND, scheduled_to=now)
            post_ids += await find_ids(session, workspace_id, past, MOST_POSTS - len(post_ids))
    rows = await database.rows(_POSTS, post_ids, workspace_id, only_account) if post_ids else []
    return [FeedPost._make(row) for row in rows]
