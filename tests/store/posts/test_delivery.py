"""The record of a delivery concerns the version that was delivered, and a turn knows what is due soon."""

import asyncio
from datetime import timedelta
from math import inf

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from store.database import Database
from store.models import Post
from store.posts.delivery import record_delivered, take_turn
from tests.databases import add_workspace
from tests.store.posts.test_contents import NOW, save

CROWD = 20


async def test_a_late_record_of_an_older_version_leaves_the_time_of_the_next_delivery(database: Database) -> None:
    workspace = await add_workspace(database)
    post = await save(database, workspace)
    changed = "UPDATE posts SET version = 2, next_delivery_at = :at, delivery_attempts = 1 WHERE id = :id"
    async with database.transaction() as session:
        await session.execute(text(changed), {"id": post.id, "at": NOW + timedelta(hours=1)})
    shown = []
    for version in (1, 2):
        async with database.transaction() as session:
            await record_delivered(session, {post.id: version})
        async with database.reading() as session:
            row = await session.get_one(Post, post.id)
            shown.append((row.delivered_version, row.next_delivery_at, row.delivery_attempts))
    assert shown == [(1, NOW + timedelta(hours=1), 1), (2, None, 0)]


async def test_a_record_of_many_posts_waits_for_none_of_them(database: Database) -> None:
    """It would hold the other posts meanwhile, and a transaction that holds one may wait for another."""
    workspace = await add_workspace(database)
    locked, free = await save(database, workspace), await save(database, workspace)
    raised = text("UPDATE posts SET version = delivered_version + 1 WHERE workspace_id = :workspace RETURNING version")
    async with database.transaction() as session:
        version = (await session.scalars(raised, {"workspace": workspace})).all()[0]
    async with database.transaction() as holder:
        await holder.execute(text("SELECT FROM posts WHERE id = :id FOR UPDATE"), {"id": locked.id})
        async with asyncio.timeout(60), database.transaction() as session:
            await record_delivered(session, {locked.id: version, free.id: version})
    async with database.reading() as session:
        delivered = [(await session.get_one(Post, post.id)).is_delivered for post in (locked, free)]
    assert delivered == [False, True]


_COPY_TARGET = """
INSERT INTO targets
SELECT copy.* FROM targets, generate_series(1, :number) AS n, LATERAL jsonb_populate_record(NULL::targets,
  to_jsonb(targets) || jsonb_build_object('id', 'tgt_' || n, 'status', 'pending', 'due_at', now() + :due_in,
    'begun_at', CAST(:begun_at AS text))) AS copy
WHERE targets.post_id = :id AND targets.position = 0
"""
_WAIT = """
UPDATE posts SET status = 'scheduled', version = delivered_version + 1, delivery_attempts = 0,
  next_delivery_at = now() + interval '1 hour'
WHERE id = :id
"""


async def test_a_turn_says_when_a_crowd_is_due(database: Database) -> None:
    workspace = await add_workspace(database)
    post = await save(database, workspace)
    cases: list[tuple[int, float, str | None, float]] = [
        (CROWD, 3, None, 3),
        (CROWD - 1, 3, None, inf),
        (CROWD, -2, None, -2),
        (CROWD, -2, NOW.isoformat(), inf),
        (CROWD, 6, None, inf),
        (CROWD, -6, None, inf),
        (2000, 1, None, 1),
    ]
    for number, due_in, begun_at, expected in cases:
        async with database.engine.connect() as connection, AsyncSession(connection) as session:
            await session.execute(text(_WAIT), {"id": post.id})
            await session.execute(text("DELETE FROM targets WHERE post_id <> :id"), {"id": post.id})
            values = {"id": post.id, "number": number, "due_in": timedelta(seconds=due_in), "begun_at": begun_at}
            await session.execute(text(_COPY_TARGET), values)
            await session.execute(text("UPDATE bulk_turn SET at = now() - interval '1 minute'"))
            assert await take_turn(session, CROWD) == pytest.approx(expected), (number, due_in, begun_at)
            assert await take_turn(session, CROWD) is None, "the second has its turn"
