"""The start, the end and the deletion of campaigns, and what becomes of their posts that were not sent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.audit import WORKER, Action, Actor, AuditEntry, FieldChange
from domain.campaigns import CampaignStatus, OperationKind, UnsentPosts
from domain.codes import CAMPAIGN_ENDED
from domain.ownership import BULK_LEAD
from domain.pauses import PauseScope, SkipReason
from domain.post import OPEN, PostStatus
from store.audit import NEW_VERSION, RecordedUpdate
from store.campaigns.campaigns import plan_campaign_gate, raise_campaign_version
from store.campaigns.operations import record_on_campaign
from store.campaigns.pausing import close_pause
from store.due import Due
from store.models import Campaign, Gate, Post
from store.pauses.missed import fail_missed, lock_held
from store.pauses.moving import MAY_MOVE, batches, make_drafts, schedule_posts
from store.posts.changes import WorkflowOfPost, delete_posts
from store.posts.queries import find_posts
from store.rows import count_rows, lock_ids


class DraftsChangedError(Exception):
    """An error: the drafts of a campaign are not those that were checked. Nothing was changed."""


@dataclass(frozen=True, slots=True)
class DraftVersion:
    """A draft as it was checked: its version, and the time for which it is to be scheduled."""

    version: int
    due_at: datetime


async def list_drafts(session: AsyncSession, workspace_id: str, campaign_id: str) -> list[str]:
    """Return the ids of the drafts of a campaign that have times, the first due first."""
    query = select(Post.id).where(*_drafts(workspace_id, campaign_id)).order_by(Post.scheduled_for, Post.id)
    return list(await session.scalars(query))


async def read_drafts(session: AsyncSession, post_ids: Sequence[str]) -> list[Post]:
    """Return posts with their targets, in the order of the ids."""
    posts = await find_posts(session, post_ids)
    return [posts[post_id] for post_id in post_ids if post_id in posts]


async def start_campaign(
    session: AsyncSession,
    campaign: Campaign,
    drafts: Mapping[str, DraftVersion],
    actor: Actor,
) -> tuple[str, dict[str, int], list[str]]:
    """Start a locked campaign, whose drafts were checked in these versions.

    Returns the id of the operation, its result, and the ids of the posts that are due soon, the first due first. Raises
    DraftsChangedError.
    """
    now = datetime.now(UTC)
    query = select(Post.id, Post.version).where(*_drafts(campaign.workspace_id, campaign.id)).order_by(Post.id)
    await session.execute(query.with_for_update())
    # A statement of its own: it sees what was committed while this one waited for the locks.
    versions = {row.id: row.version for row in await session.execute(query)}
    if versions != {post_id: draft.version for post_id, draft in drafts.items()}:
        raise DraftsChangedError
    result = {"scheduled": len(drafts)}
    operation_id = await record_on_campaign(session, campaign, OperationKind.STARTED, actor, result)
    entry = AuditEntry(Action.CHANGED, actor, details=(("operation", operation_id), ("campaign", campaign.id)))
    for batch in batches(list(drafts)):
        await schedule_posts(session, {post_id: drafts[post_id].due_at for post_id in batch}, entry, now)
    campaign.status = CampaignStatus.ACTIVE.value
    raise_campaign_version(campaign)
    soon = sorted((draft.due_at, post_id) for post_id, draft in drafts.items() if draft.due_at <= now + BULK_LEAD)
    return operation_id, result, [post_id for _, post_id in soon]


def _drafts(workspace_id: str, campaign_id: str) -> tuple[ColumnElement[bool], ...]:
    return (
        Post.workspace_id == workspace_id,
        Post.campaign_id == campaign_id,
        Post.status == PostStatus.DRAFT,
        Post.scheduled_for.is_not(None),
    )


_ENDED = (
    "Its campaign ended before it was published. Give the post another campaignId, or none, and retry it if it should "
    "still go out."
)

PAST_END = Due("campaigns", "campaigns.status <> 'ended' AND campaigns.ends_at <= :now")
INCOMPLETE = Due("campaigns", "campaigns.status = 'ended' AND campaigns.completed_at IS NULL")
_COMPLETE = text(f"""
UPDATE campaigns SET completed_at = clock_timestamp() WHERE id IN (
  SELECT id FROM campaigns
  WHERE {INCOMPLETE.sql()} AND NOT EXISTS (
    SELECT FROM posts
    WHERE posts.campaign_id = campaigns.id AND posts.workspace_id = campaigns.workspace_id
      AND posts.status IN ('scheduled', 'publishing')
  )
  ORDER BY id LIMIT :most FOR UPDATE SKIP LOCKED
)
RETURNING id
""")  # noqa: S608 our own condition


async def end_campaign(session: AsyncSession, campaign: Campaign, actor: Actor) -> tuple[str, dict[str, int]]:
    """End a locked campaign; return the id of the operation and its result.

    A post that is being sent finishes. Its targets that come back to be tried again meet the closed gate, and are
    settled by `settle_ended`.
    """
    now = datetime.now(UTC)
    post_ids = await lock_ids(session, Post.id, *_of_campaign(campaign), Post.status.in_(OPEN), MAY_MOVE)
    result = {"drafts": len(post_ids)}
    operation_id = await record_on_campaign(session, campaign, OperationKind.ENDED, actor, result)
    entry = AuditEntry(Action.CHANGED, actor, details=(("operation", operation_id), ("campaign", campaign.id)))
    for batch in batches(post_ids):
        await make_drafts(session, batch, SkipReason.CAMPAIGN_ENDED, entry, now)
    campaign.status, campaign.resume_at, campaign.resume_missed = CampaignStatus.ENDED.value, None, None
    if campaign.ends_at is None or campaign.ends_at > now:
        campaign.ends_at, campaign.ends_wall = now, None
    raise_campaign_version(campaign)
    await plan_campaign_gate(session, campaign)
    await close_pause(session, campaign, actor)
    return operation_id, result


async def lock_campaign_to_end(session: AsyncSession, now: datetime) -> Campaign | None:
    """Lock a campaign whose end has passed and whose row does not say so; None if there is none that is free."""
    query = select(Campaign).where(PAST_END.at(now))
    query = query.order_by(Campaign.ends_at).limit(1).with_for_update(key_share=True, skip_locked=True)
    return await session.scalar(query, execution_options={"populate_existing": True})


async def settle_ended(session: AsyncSession, now: datetime, most: int) -> list[str]:
    """Settle up to `most` posts that the closed gates of ended campaigns hold; return their ids.

    If nothing of a post was sent, it becomes a draft; else its held targets fail.
    """
    has_ended = select(Campaign.id).where(
        Campaign.id == Post.campaign_id,
        Campaign.workspace_id == Post.workspace_id,
        or_(Campaign.status == CampaignStatus.ENDED, and_(Campaign.ends_at.is_not(None), Campaign.ends_at <= now)),
    )
    posts = await lock_held(session, has_ended.exists(), now, most)
    post_ids = [post.id for post in posts]
    unsent = set(await session.scalars(select(Post.id).where(Post.id.in_(post_ids), MAY_MOVE)))
    entry = AuditEntry(Action.CHANGED, WORKER, details=(("reason", CAMPAIGN_ENDED),))
    await make_drafts(session, sorted(unsent), SkipReason.CAMPAIGN_ENDED, entry, now)
    others = [post for post in posts if post.id not in unsent]
    await fail_missed(session, others, CAMPAIGN_ENDED, _ENDED, entry, now)
    return post_ids


async def complete_campaigns(session: AsyncSession, most: int) -> list[str]:
    """Record that nothing of some ended campaigns is on its way any more; return their ids.

    A trigger writes their event. An ended campaign takes no posts, and its drafts are not scheduled, so each is
    completed once.
    """
    return list(await session.scalars(_COMPLETE, {"most": most}))


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
    return await count_rows(session, *_of_campaign(campaign), _UNSENT)


async def delete_campaign(
    session: AsyncSession,
    campaign: Campaign,
    unsent: UnsentPosts | None,
    actor: Actor,
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
    operation_id = await record_on_campaign(session, campaign, OperationKind.DELETED, actor, result)
    await session.delete(campaign)
    return DeletedCampaign(operation_id, result, with_workflow)


async def _delete_posts(session: AsyncSession, campaign: Campaign, actor: Actor) -> tuple[int, list[WorkflowOfPost]]:
    """Delete the posts of which nothing was sent; return their number, and those that have a workflow."""
    may_delete = or_(Post.status == PostStatus.DRAFT, and_(Post.status.in_(OPEN), MAY_MOVE))
    post_ids = await lock_ids(session, Post.id, *_of_campaign(campaign), may_delete)
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
