"""Settled posts are deleted once they have been kept for long enough, and no others."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from sqlalchemy import delete, func, select, text, update

from domain.audit import Action, ActorType
from domain.post import PostStatus, TargetStatus
from reconcile import expiry
from reconcile.expiry import tidy
from store.maintenance.deletions import set_days
from store.models import AuditEvent, Post, Target
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
