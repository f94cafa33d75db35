"""Results of posts that should have an event and have none: a trigger of the database is missing or disabled."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.ids import first_id

_WITHIN, _MARGIN = timedelta(hours=1), timedelta(minutes=10)
"""How old the results are that are compared, and how much earlier an event may be dated: clocks differ."""
_WITHOUT_EVENT = text("""
SELECT posts.id AS post_id, posts.workspace_id, targets.id AS target_id, targets.platform, targets.account_id
FROM listeners
JOIN posts ON posts.workspace_id = listeners.workspace_id AND posts.updated_at > :after
JOIN targets ON targets.post_id = posts.id AND targets.status = 'published'
WHERE (CAST(:workspace_id AS text) IS NULL OR posts.workspace_id = :workspace_id)
  AND targets.published_at > greatest(:after, coalesce(listeners.since, (
    SELECT min(created_at) FROM webhooks WHERE webhooks.workspace_id = listeners.workspace_id
  )))
  AND NOT EXISTS (
    SELECT FROM events
    WHERE events.workspace_id = posts.workspace_id AND events.id > :first_event AND events.type = 'post.published'
      AND events.post_id = posts.id AND events.data ->> 'platform' = targets.platform
      AND events.data ->> 'accountId' = targets.account_id
  )
ORDER BY targets.id LIMIT :most
""")


@dataclass(frozen=True, slots=True)
class ResultWithoutEvent:
    """A target that was published while its workspace listened, and of which there is no event."""

    post_id: str
    workspace_id: str
    target_id: str
    platform: str
    account_id: str


async def results_without_event(
    session: AsyncSession, now: datetime, workspace_id: str | None, most: int
) -> list[ResultWithoutEvent]:
    """Return up to `most` targets that were published within the last hour and have no event."""
    after = now - _WITHIN
    values = {
        "after": after,
        "first_event": first_id("evt", after - _MARGIN),
        "workspace_id": workspace_id,
        "most": most,
    }
    return [ResultWithoutEvent(*row) for row in await session.execute(_WITHOUT_EVENT, values)]
