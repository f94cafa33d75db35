"""Queues with more waiting posts than a statement has parameters."""

from datetime import UTC, datetime

from sqlalchemy import text

from domain.audit import WORKER
from domain.ids import new_id
from store.database import Database
from store.models import Queue
from store.queues.slots import lock_with_posts, reflow, release_posts

_MANY = 33_000
"""More than the 32,767 parameters of a statement. A queue gets so many by changes of its slots without a reflow."""
_INSERT = text("""
INSERT INTO posts (id, workspace_id, workflow_id, status, media_items, tags, timezone, tiktok_settings,
  facebook_settings, answer_bytes, created_at, updated_at, queue_id, scheduled_wall, scheduled_for, due_at)
SELECT :queue_id || number, :workspace_id, :queue_id || number, 'scheduled', '[]', '{}', 'UTC', '{}', '{}', 1000,
  now(), now(), :queue_id, to_char(at, 'YYYY-MM-DD"T"HH24:MI:SS'), at AT TIME ZONE 'UTC', at AT TIME ZONE 'UTC'
FROM (SELECT number, timestamp '2030-01-01' + number * interval '1 minute' AS at
      FROM generate_series(1, :number) AS number) AS slots
""")


async def test_a_queue_may_have_many_waiting_posts(database: Database, workspace: str) -> None:
    now = datetime.now(UTC)
    queue = Queue(id=new_id("que"), workspace_id=workspace, name="many", timezone="UTC", slots=[], blackouts=[])
    queue.created_at = queue.updated_at = now
    async with database.transaction() as session:
        session.add(queue)
        await session.flush()
        await session.execute(_INSERT, {"queue_id": queue.id, "workspace_id": workspace, "number": _MANY})
    async with database.transaction() as session:
        locked = await lock_with_posts(session, workspace, queue.id)
        assert locked is not None
        assert len(locked[1]) == _MANY
        assert await reflow(session, *locked, WORKER, datetime(2031, 1, 1, tzinfo=UTC)) == [], "all were due before"
        await release_posts(session, locked[1])
    async with database.transaction() as session:
        released = await lock_with_posts(session, workspace, queue.id)
    assert released is not None
    assert released[1] == []
