"""The deletion of a workspace: first it is closed, then its rows go in small transactions, at last its own row.

Every function may be called again after the process was killed: it does what is left.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Text, cast, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain.ownership import TargetRow, may_delete
from domain.pauses import WORKSPACE_GATE
from domain.post import PostStatus, TargetStatus
from domain.workspaces import DeletionStep
from store.accounts.pending_connections import end_connections
from store.maintenance.owned_tables import ROOT, OwnedTable
from store.models import (
    Account,
    ApiKey,
    Deletion,
    Gate,
    Listener,
    PendingConnection,
    PendingRevocation,
    Post,
    RateLimitBucket,
    RateLimitSlot,
    Webhook,
    Workspace,
)
from store.pauses.gates import plan_gate
from store.rows import current_row

_DELETE = text("SELECT delete_past_posts_v1(:workspace_id, :days, :most)")


async def set_days(session: AsyncSession, workspace_id: str, days: int | None) -> None:
    """Set for how many days a workspace's settled posts are kept: 0 is for ever, None is what the operator has set."""
    await session.execute(update(Workspace).where(Workspace.id == workspace_id).values(posts_kept_days=days))


async def workspaces_to_tidy(session: AsyncSession, days: int, after: str, most: int) -> Sequence[str]:
    """Return the next ids of workspaces that keep their posts for a limited time, in order."""
    limited = func.coalesce(Workspace.posts_kept_days, days) > 0
    query = select(Workspace.id).where(limited, Workspace.id > after).order_by(Workspace.id).limit(most)
    return (await session.scalars(query)).all()


async def delete_past_posts(session: AsyncSession, workspace_id: str, days: int, most: int) -> int:
    """Delete up to `most` posts that a workspace has kept for long enough; return how many there were."""
    values = {"workspace_id": workspace_id, "days": days, "most": most}
    return await session.scalar(_DELETE, values) or 0


MOST_UNCONFIRMED = 1_000
"""Targets that a deletion names; our choice."""

# Locked as by every change of a post: a send waits, and then finds that the row is gone.
_LOCK_POSTS = text("""
SELECT id, status FROM posts WHERE workspace_id = :workspace_id AND id > :after ORDER BY id LIMIT :most FOR UPDATE
""")
# A statement of its own: it must see the attempts of sends for whose end the locks have waited.
_READ_TARGETS = text("""
SELECT post_id, status, platform, account_id, confirming, next_attempt_at IS NOT NULL AS has_time,
  EXISTS (SELECT FROM attempts WHERE target_id = targets.id AND step = 'publish' AND state = 'sending') AS sending
FROM targets WHERE post_id = ANY (:post_ids) ORDER BY post_id, position
""")
_TABLES_THAT_NAME_IT = text("""
SELECT table_name FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name)
WHERE table_schema = 'public' AND table_type = 'BASE TABLE' AND column_name = 'workspace_id'
""")
LAST_TABLES = frozenset(table.__tablename__ for table in (Gate, PendingRevocation, PendingConnection))
"""Tables whose rows go with the workspace's own: its gate stays closed until then, and workers use its tokens."""


@dataclass(frozen=True, slots=True)
class DeletedPosts:
    """The result of deleting some posts: the last id that was read, how many went, and which are being published."""

    last_id: str | None
    deleted: int
    moving: Sequence[str]


async def find_deletion(session: AsyncSession, workspace_id: str) -> Deletion | None:
    """Return the deletion of a workspace, also of one that is gone."""
    return await current_row(session, Deletion, workspace_id)


async def list_deletions(session: AsyncSession) -> Sequence[Deletion]:
    """Return all deletions, the latest first."""
    return (await session.scalars(select(Deletion).order_by(Deletion.begun_at.desc()))).all()


async def begin_deletion(session: AsyncSession, workspace_id: str, begun_by: str) -> None:
    """Close a workspace for good: its keys and views are refused, nothing is sent to platforms nor to endpoints.

    A request whose posts are being sent may still leave its process; `delete_posts` waits for them.
    """
    values = {"workspace_id": workspace_id, "begun_by": begun_by, "step": DeletionStep.POSTS.value}
    await session.execute(insert(Deletion).values(values).on_conflict_do_nothing())
    keys = update(ApiKey).where(ApiKey.workspace_id == workspace_id, ApiKey.revoked_at.is_(None))
    await session.execute(keys.values(revoked_at=func.now()))
    await session.execute(text("DELETE FROM calendar_views WHERE workspace_id = :id"), {"id": workspace_id})
    await session.execute(delete(Listener).where(Listener.workspace_id == workspace_id))
    await session.execute(update(Webhook).where(Webhook.workspace_id == workspace_id).values(enabled=False))
    await end_connections(session, workspace_id)
    since: datetime = (await session.execute(select(func.clock_timestamp()))).scalar_one()
    await plan_gate(session, workspace_id, WORKSPACE_GATE, [(since, None)])


async def record_step(session: AsyncSession, workspace_id: str, step: DeletionStep) -> None:
    """Record the step that is taken."""
    await session.execute(update(Deletion).where(Deletion.workspace_id == workspace_id).values(step=step.value))


async def delete_posts(session: AsyncSession, workspace_id: str, after: str, most: int, *, wait: bool) -> DeletedPosts:
    """Delete up to `most` posts with ids after one; with `wait`, those stay that are being published.

    A target that may be public, and of which that is not known, is named in the deletion in the same transaction.
    """
    values = {"workspace_id": workspace_id, "after": after, "most": most}
    posts = (await session.execute(_LOCK_POSTS, values)).all()
    targets = dict[str, list[Any]]((post.id, []) for post in posts)
    for target in await session.execute(_READ_TARGETS, {"post_ids": list(targets)}):
        targets[target.post_id].append(target)
    moving = [post.id for post in posts if not _may_delete(post.status, targets[post.id])] if wait else []
    gone = targets.keys() - moving
    unconfirmed = [
        {"postId": post_id, "platform": target.platform, "accountId": target.account_id}
        for post_id in sorted(gone)
        for target in targets[post_id]
        if target.sending or target.status == TargetStatus.UNCONFIRMED
    ]
    await _record_unconfirmed(session, workspace_id, unconfirmed)
    await session.execute(delete(Post).where(Post.id.in_(gone)), execution_options={"synchronize_session": False})
    await count_deleted(session, workspace_id, Post.__tablename__, len(gone))
    return DeletedPosts(max(targets, default=None), len(gone), moving)


def _may_delete(status: str, targets: Sequence[Any]) -> bool:
    rows = (
        TargetRow(TargetStatus(target.status), target.confirming, target.has_time, target.sending) for target in targets
    )
    return may_delete(PostStatus(status), rows)


async def _record_unconfirmed(session: AsyncSession, workspace_id: str, targets: Sequence[dict[str, Any]]) -> None:
    if targets:
        known = Deletion.unconfirmed
        fits = func.jsonb_array_length(known) < MOST_UNCONFIRMED
        own = update(Deletion).where(Deletion.workspace_id == workspace_id, fits)
        await session.execute(own.values(unconfirmed=known.op("||")(cast(list(targets), JSONB))))
        await count_deleted(session, workspace_id, "unconfirmed_targets", len(targets))


async def count_deleted(session: AsyncSession, workspace_id: str, name: str, number: int) -> None:
    """Add to what is deleted of a table, in the transaction that deletes it."""
    if number:
        counts = Deletion.counts
        sum_ = func.coalesce(counts[name].as_integer(), 0) + number
        own = update(Deletion).where(Deletion.workspace_id == workspace_id)
        await session.execute(own.values(counts=counts.op("||")(func.jsonb_build_object(cast(name, Text), sum_))))


async def delete_rows(session: AsyncSession, workspace_id: str, owned: OwnedTable, most: int) -> int:
    """Delete up to `most` rows of a table, with their children; return how many there were."""
    name = owned.table.name
    statement = text(
        f"DELETE FROM {name} WHERE ctid = ANY (ARRAY(SELECT ctid FROM {name} WHERE {owned.condition} LIMIT :most))"  # noqa: S608 names of the models
    )
    number = (await session.execute(statement, {"workspace_id": workspace_id, "most": most})).rowcount  # type: ignore[attr-defined]
    await count_deleted(session, workspace_id, name, number)
    return int(number)


async def delete_rate_limits(session: AsyncSession, workspace_id: str, platform: str, account_id: str) -> None:
    """Delete what is known of an account's sends, unless another workspace has connected the account, too."""
    others = select(Account.id).where(
        Account.id == account_id, Account.platform == platform, Account.workspace_id != workspace_id
    )
    if await session.scalar(others.limit(1)) is None:
        for table in (RateLimitSlot, RateLimitBucket):
            own = delete(table).where(table.platform == platform, table.account_id == account_id)
            await session.execute(own, execution_options={"synchronize_session": False})


async def count_revocations(session: AsyncSession, workspace_id: str) -> int:
    """Return how many authorizations the workers are still to end at their platforms."""
    pending = select(func.count()).where(PendingRevocation.workspace_id == workspace_id)
    obtained = select(func.count()).where(
        PendingConnection.workspace_id == workspace_id,
        PendingConnection.exchanged_at.is_not(None),
        PendingConnection.sealed.is_not(None),
    )
    return (await session.scalar(pending) or 0) + (await session.scalar(obtained) or 0)


async def finish_deletion(session: AsyncSession, workspace_id: str, *, revokes: bool) -> Sequence[str]:
    """Delete the row of a workspace, unless tables still name it: then return their names, and delete nothing.

    The tables are read from the database's catalogue. The workspace's row is locked, so that no other transaction adds
    such a row. With `revokes`, an authorization that is still to be ended counts as one.
    """
    lock = select(Workspace.id).where(Workspace.id == workspace_id).with_for_update()
    if await session.scalar(lock) is not None:
        names = set(await session.scalars(_TABLES_THAT_NAME_IT)) - LAST_TABLES - {Deletion.__tablename__}
        remaining = [name for name in sorted(names) if await _names_it(session, name, workspace_id)]
        if revokes and await count_revocations(session, workspace_id):
            remaining.append(PendingRevocation.__tablename__)
        if remaining:
            return remaining
        await session.execute(delete(Workspace).where(Workspace.id == workspace_id))
        await count_deleted(session, workspace_id, ROOT, 1)
    own = update(Deletion).where(Deletion.workspace_id == workspace_id, Deletion.finished_at.is_(None))
    await session.execute(own.values(step=DeletionStep.DONE.value, finished_at=func.clock_timestamp()))
    return []


async def _names_it(session: AsyncSession, table: str, workspace_id: str) -> bool:
    statement = text(f'SELECT EXISTS (SELECT FROM "{table}" WHERE workspace_id = :id)')  # noqa: S608 of the catalogue
    return bool(await session.scalar(statement, {"id": workspace_id}))
