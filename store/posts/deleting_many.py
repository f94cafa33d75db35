"""Deletion of many posts of which nothing was sent, by few statements."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.audit import MOST_CHANGES, Action, Actor, AuditEntry
from domain.post import PostStatus
from domain.schedule import rfc3339
from store.announcer import announce
from store.audit.trail import add_entries
from store.models import Post, Target
from store.pauses.many import batches

WorkflowOfPost = tuple[str, str, int]
"""The id of a post, that of its workflow, and a version above that of the post."""


async def delete_posts(
    session: AsyncSession, workspace_id: str, post_ids: Sequence[str], actor: Actor, **details: Any
) -> list[WorkflowOfPost]:
    """Delete locked posts; return those whose workflows are still to be told. `details` are for the audit trail."""
    with_workflow: list[WorkflowOfPost] = []
    for batch in batches(post_ids):
        targets: dict[str, list[dict[str, str]]] = {}
        named = select(Target.post_id, Target.platform, Target.account_id).where(Target.post_id.in_(batch))
        for post_id, platform, account_id in await session.execute(named.order_by(Target.position)):
            targets.setdefault(post_id, []).append({"platform": platform, "accountId": account_id})
        rows = select(Post.id, Post.workflow_id, Post.status, Post.version, Post.scheduled_for, Post.delivered_version)
        entries = []
        for row in await session.execute(rows.where(Post.id.in_(batch))):
            of_post = (
                ("workflowId", row.workflow_id),
                ("status", row.status),
                ("scheduledFor", rfc3339(row.scheduled_for) if row.scheduled_for else None),
                ("targets", targets.get(row.id, [])[:MOST_CHANGES]),
                *details.items(),
            )
            entries.append((workspace_id, row.id, AuditEntry(Action.DELETED, actor, details=of_post)))
            if row.status != PostStatus.DRAFT or row.delivered_version:
                with_workflow.append((row.id, row.workflow_id, row.version + 1))
        await add_entries(session, entries)
        await session.execute(delete(Post).where(Post.id.in_(batch)))
        announce(session, *batch)
    return with_workflow
