"""Rows and settled posts are deleted when their time is over, in batches."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete, func, select, text, update

from domain.audit import Action, ActorType
from domain.ids import new_id
from domain.post import PostStatus, TargetStatus
from reconcile import expiry
from reconcile.expiry import expire, tidy
from store.database import Database
from store.maintenance.deletions import set_days
from store.maintenance.waiting import ENDED_KEPT
from store.media import keep_file
from store.models import AuditEvent, HostedFile, IdempotencyKey, LatePost, Post, Target
from store.posts.idempotency import LIFETIME, KeyedRequest, acquire_key
from store.workspaces.keys import create_workspace
from tests.stack import Stack
from tests.workspaces import new_workspace

POSTS = {
    "published": (PostStatus.PUBLISHED, TargetStatus.PUBLISHED, 100),
    "failed": (PostStatus.FAILED, TargetStatus.FAILED, 100),
    "partly": (PostStatus.PARTIAL, TargetStatus.FAILED, 100),
    "asks": (PostStatus.PARTIAL, TargetStatus.UNCONFIRMED, 100),
    "recent": (PostStatus.PUBLISHED, TargetStatus.PUBLISHED, 50),
    "new": (PostStatus.PUBLISHED, TargetStatus.PUBLISHED, 20),
    "draft": (PostStatus.DRAFT, TargetStatus.PENDING, 100),
    "open": (PostStatus.PUBLISHING, TargetStatus.HELD, 100),
}


async def save_posts(own: Stack) -> dict[str, str]:
    ids = {}
    for name, (status, target, days) in POSTS.items():
        post = await own.save(f"kept {name}", [own.accounts["plain"]], due_in=timedelta(hours=9))
        ids[post.id] = name
        async with own.database.transaction() as session:
            await session.execute(update(Target).where(Target.post_id == post.id).values(status=target.value))
            at = func.now() - timedelta(days=days)
            await session.execute(update(Post).where(Post.id == post.id).values(status=status.value, updated_at=at))
    return ids


async def remaining(own: Stack, ids: dict[str, str]) -> set[str]:
    async with own.database.reading() as session:
        return {ids[post_id] for post_id in await session.scalars(select(Post.id).where(Post.id.in_(ids)))}


@pytest.mark.parametrize(
    ("days", "own_days", "deleted"),
    [
        (0, None, []),
        (90, None, ["published", "failed", "partly"]),
        (90, 0, []),
        (0, 40, ["published", "failed", "partly", "recent"]),
        (90, 1, ["published", "failed", "partly", "recent"]),
    ],
)
async def test_posts_are_kept_as_long_as_their_workspace_says(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, days: int, own_days: int | None, deleted: Sequence[str]
) -> None:
    monkeypatch.setattr(expiry, "_POSTS_BATCH", 2)
    monkeypatch.setattr(expiry, "_POSTS_PAUSE_S", 0)
    async with new_workspace(stack) as own:
        ids = await save_posts(own)
        async with own.database.transaction() as session:
            await set_days(session, own.workspace_id, own_days)
        await tidy(stack.worker_database, days)
        assert set(POSTS) - await remaining(own, ids) == set(deleted)
        async with own.database.transaction() as session:
            lines = select(AuditEvent.post_id, AuditEvent.actor_type).where(
                AuditEvent.post_id.in_(ids), AuditEvent.action == Action.DELETED.value
            )
            recorded = {ids[row.post_id]: row.actor_type for row in await session.execute(lines)}
            await session.execute(delete(Post).where(Post.id.in_(ids)))
        assert recorded == dict.fromkeys(deleted, ActorType.WORKER.value)


async def test_a_worker_deletes_no_post_by_itself(stack: Stack) -> None:
    async with stack.worker_database.reading() as session:
        may = "SELECT has_table_privilege(current_user, 'posts', 'DELETE')"
        assert not await session.scalar(text(may))


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
