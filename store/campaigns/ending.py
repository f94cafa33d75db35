"""The end of campaigns: what was not sent becomes drafts, and the gate is closed for good."""

from datetime import UTC, datetime

from sqlalchemy import and_, or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.audit import WORKER, Action, Actor, AuditEntry
from domain.campaigns import CampaignStatus, OperationKind
from domain.codes import CAMPAIGN_ENDED
from domain.pauses import SkipReason
from domain.post import OPEN
from store.campaigns.campaigns import raise_campaign_version
from store.campaigns.changes import plan_campaign_gate
from store.campaigns.operations import record_operation
from store.campaigns.pausing import close_pause
from store.models import Campaign, Post
from store.pauses.many import batches, make_drafts
from store.pauses.missed import fail_missed, lock_held
from store.pauses.moving import MAY_MOVE
from store.posts.idempotency import KeyedRequest

_ENDED = (
    "Its campaign ended before it was published. Give the post another campaignId, or none, and retry it if it should "
    "still go out."
)

_COMPLETE = text("""
UPDATE campaigns SET completed_at = clock_timestamp() WHERE id IN (
  SELECT id FROM campaigns
  WHERE status = 'ended' AND completed_at IS NULL AND NOT EXISTS (
    SELECT FROM posts
    WHERE posts.campaign_id = campaigns.id AND posts.workspace_id = campaigns.workspace_id
      AND posts.status IN ('scheduled', 'publishing')
  )
  ORDER BY id LIMIT :most FOR UPDATE SKIP LOCKED
)
RETURNING id
""")


async def end_campaign(
    session: AsyncSession, campaign: Campaign, actor: Actor, request: KeyedRequest | None = None
) -> tuple[str, dict[str, int]]:
    """End a locked campaign; return the id of the operation and its result.

    A post that is being sent finishes. Its targets that come back to be tried again meet the closed gate, and are
    settled by `settle_ended`.
    """
    now = datetime.now(UTC)
    unsent = select(Post.id).where(
        Post.workspace_id == campaign.workspace_id, Post.campaign_id == campaign.id, Post.status.in_(OPEN), MAY_MOVE
    )
    await session.execute(unsent.order_by(Post.id).with_for_update())
    # A statement of its own: it sees what was committed while this one waited for the locks.
    post_ids = list(await session.scalars(unsent.order_by(Post.id)))
    result = {"drafts": len(post_ids)}
    operation_id = await record_operation(
        session,
        campaign.workspace_id,
        OperationKind.ENDED,
        actor,
        result,
        campaign_id=campaign.id,
        request=request,
    )
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
    query = select(Campaign).where(Campaign.status != CampaignStatus.ENDED, Campaign.ends_at <= now)
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
