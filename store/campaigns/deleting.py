"""The deletion of campaigns: what was not sent leaves the campaign, or is deleted with it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.audit import Action, Actor, AuditEntry, FieldChange
from domain.campaigns import OperationKind, UnsentPosts
from domain.pauses import PauseScope
from domain.post import OPEN, PostStatus
from store.audit.many import NEW_VERSION, RecordedUpdate
from store.campaigns.operations import record_operation
from store.campaigns.pausing import close_pause
from store.models import Campaign, Gate, Post
from store.pauses.many import batches
from store.pauses.moving import MAY_MOVE
from store.posts.deleting_many import WorkflowOfPost, delete_posts
from store.posts.idempotency import KeyedRequest

_UNSENT = Post.status.in_((PostStatus.DRAFT, *OPEN))


@dataclass(frozen=True, slots=True)
class DeletedCampaign:
    """The effect of a deletion."""

    operation_id: str
    result: dict[str, Any]
    with_workflow: Sequence[WorkflowOfPost]
    """The deleted posts whose workflows are still to be told."""


async def count_unsent(session: AsyncSession, campaign: Campaign) -> int:
    """Return how many posts of a campaign are drafts, scheduled or being published."""
    query = select(func.count()).select_from(Post).where(*_of_campaign(campaign), _UNSENT)
    return (await session.execute(query)).scalar_one()


async def delete_campaign(
    session: AsyncSession,
    campaign: Campaign,
    unsent: UnsentPosts | None,
    actor: Actor,
    request: KeyedRequest | None = None,
) -> DeletedCampaign:
    """Delete a campaign that is locked alone.

    Settled posts keep its id, so that they are still listed by it. `unsent` may be None if there are no other posts.
    """
    count, with_workflow = 0, list[WorkflowOfPost]()
    if unsent is UnsentPosts.DELETE:
        count, with_workflow = await _delete_posts(session, campaign, actor)
    released = await _release_posts(session, campaign, actor)
    await close_pause(session, campaign, actor)
    # A missing row is an open gate.
    await session.execute(
        delete(Gate).where(
            Gate.workspace_id == campaign.workspace_id,
            Gate.kind == PauseScope.CAMPAIGN.value,
            Gate.id == campaign.id,
        )
    )
    result = {"name": campaign.name, "deleted": count, "kept": released}
    operation_id = await record_operation(
        session,
        campaign.workspace_id,
        OperationKind.DELETED,
        actor,
        result,
        campaign_id=campaign.id,
        request=request,
    )
    await session.delete(campaign)
    return DeletedCampaign(operation_id, result, with_workflow)


async def _delete_posts(session: AsyncSession, campaign: Campaign, actor: Actor) -> tuple[int, list[WorkflowOfPost]]:
    """Delete the posts of which nothing was sent; return their number, and those that have a workflow."""
    may_delete = and_(
        *_of_campaign(campaign), or_(Post.status == PostStatus.DRAFT, and_(Post.status.in_(OPEN), MAY_MOVE))
    )
    await session.execute(select(Post.id).where(may_delete).order_by(Post.id).with_for_update())
    # A statement of its own: it sees what was committed while this one waited for the locks.
    post_ids = list(await session.scalars(select(Post.id).where(may_delete).order_by(Post.id)))
    return len(post_ids), await delete_posts(session, campaign.workspace_id, post_ids, actor, campaign=campaign.id)


async def _release_posts(session: AsyncSession, campaign: Campaign, actor: Actor) -> int:
    """Take the drafts and the open posts that are left out of the campaign; return their number."""
    query = select(Post.id).where(*_of_campaign(campaign), _UNSENT).order_by(Post.id)
    post_ids = list(await session.scalars(query.with_for_update()))
    entry = AuditEntry(Action.CHANGED, actor, (FieldChange("campaignId", campaign.id),))
    for batch in batches(post_ids):
        await _RELEASE.execute(session, {"ids": list(batch), "now": datetime.now(UTC)}, entry)
    return len(post_ids)


def _of_campaign(campaign: Campaign) -> tuple[ColumnElement[bool], ...]:
    return Post.workspace_id == campaign.workspace_id, Post.campaign_id == campaign.id


# The workflow of a draft has nothing to learn, unless it is still to be told that it is one.
_RELEASE = RecordedUpdate(f"""
UPDATE posts SET campaign_id = NULL, {NEW_VERSION},
  next_delivery_at = CASE WHEN status = 'draft' THEN next_delivery_at ELSE bulk_delivery_at_v1(due_at) END
WHERE id = ANY(CAST(:ids AS text[]))
""")  # noqa: S608 our own columns
