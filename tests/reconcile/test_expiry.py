"""Rows with a retention time are deleted when the time is over, in batches."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from domain.ids import new_id
from reconcile import expiry
from reconcile.expiry import expire
from store.database import Database
from store.maintenance.waiting import ENDED_KEPT
from store.media import keep_file
from store.models import HostedFile, IdempotencyKey, LatePost
from store.posts.idempotency import LIFETIME, KeyedRequest, acquire_key
from store.workspaces.keys import create_workspace
from tests.stack import Stack

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


async def count(database: Database, model: type[IdempotencyKey] | type[HostedFile]) -> int:
    async with database.reading() as session:
        return await session.scalar(select(func.count()).select_from(model)) or 0


async def test_all_that_has_expired_is_deleted_in_batches(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expiry, "_PAUSE_S", 0)
    monkeypatch.setattr(expiry, "DELETES", tuple((delete, 2) for delete, _ in expiry.DELETES))
    async with database.transaction() as session:
        workspace_id = await create_workspace(session, new_id("w"))
        for number in range(5):
            request = KeyedRequest(workspace_id, str(number), b"1" * 32)
            await acquire_key(session, request, "post_1", NOW - timedelta(days=60), (201, b"content"))
            await keep_file(session, workspace_id, "image/jpeg", b"dead", NOW - timedelta(seconds=number))
        await acquire_key(session, KeyedRequest(workspace_id, "live", b"1" * 32), "post_1", NOW, (201, b"content"))
        await keep_file(session, workspace_id, "image/jpeg", b"live", NOW + timedelta(seconds=1))
    assert await expire(database, NOW) == 10
    assert await count(database, IdempotencyKey) == 1
    assert await count(database, HostedFile) == 1
    assert await expire(database, NOW) == 0
    assert await expire(database, NOW + LIFETIME) == 2


async def test_processes_may_delete_at_the_same_time(database: Database) -> None:
    async with database.transaction() as session:
        workspace_id = await create_workspace(session, new_id("w"))
        for _ in range(5):
            await keep_file(session, workspace_id, "image/jpeg", b"dead", NOW)
    await asyncio.gather(*(expire(database, NOW) for _ in range(3)))
    assert await count(database, HostedFile) == 0


async def test_a_worker_may_delete_expired_rows(stack: Stack) -> None:
    long_ago = datetime.now(UTC) - ENDED_KEPT - timedelta(days=1)
    post = await stack.save("late long ago", [stack.accounts["twitter"]], due_in=timedelta(hours=1))
    async with stack.database.transaction() as session:
        session.add(LatePost(post_id=post.id, due_at=long_ago, found_at=long_ago, ended_at=long_ago))
        session.add(LatePost(post_id=post.id, due_at=datetime.now(UTC), found_at=long_ago, ended_at=datetime.now(UTC)))
        await keep_file(session, post.workspace_id, "image/jpeg", b"dead", long_ago)
        request = KeyedRequest(post.workspace_id, new_id("key"), b"1" * 32)
        await acquire_key(session, request, "post_1", long_ago, (201, b"content"))

    async def rows_left() -> tuple[int, IdempotencyKey | None]:
        late = select(func.count()).select_from(LatePost).where(LatePost.post_id == post.id)
        async with stack.database.reading() as session:
            key = await session.get(IdempotencyKey, (post.workspace_id, request.key))
            return await session.scalar(late) or 0, key

    for _ in range(100):
        await expire(stack.worker_database, datetime.now(UTC))
        if await rows_left() == (1, None):
            return
        # The stack's own worker deletes the same rows at this time.
        await asyncio.sleep(0.1)
    raise AssertionError(await rows_left())
