"""The start of draft campaigns: their drafts with times are scheduled, all of them or none."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from domain.audit import Action, Actor, AuditEntry
from domain.campaigns import CampaignStatus, OperationKind
from domain.delivery import BULK_LEAD
from domain.post import PostStatus
from store.campaigns.campaigns import raise_campaign_version
from store.campaigns.operations import record_operation
from store.models import Campaign, Post
from store.pauses.many import batches, schedule_posts
from store.posts.idempotency import KeyedRequest


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
    query = select(Post).where(Post.id.in_(post_ids)).options(selectinload(Post.targets))
    posts = {post.id: post for post in await session.scalars(query)}
    return [posts[post_id] for post_id in post_ids if post_id in posts]


async def start_campaign(
    session: AsyncSession,
    campaign: Campaign,
    drafts: Mapping[str, DraftVersion],
    actor: Actor,
    request: KeyedRequest | None = None,
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
    operation_id = await record_operation(
        session,
        campaign.workspace_id,
        OperationKind.STARTED,
        actor,
        result,
        campaign_id=campaign.id,
        request=request,
    )
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
