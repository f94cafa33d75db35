"""The rows of campaigns: read, locked and changed, and the posts that their rules do not allow."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, and_, false, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.campaigns import Blackout, CampaignRules, CampaignStatus
from domain.ids import new_id
from domain.pauses import SkipReason, campaign_gate
from domain.post import PostStatus
from domain.schedule import ScheduledTime
from store.database import Database
from store.models import Campaign, Post
from store.pauses.gates import plan_gate
from store.rows import find_row, lock_row, newest_rows


async def lock_campaign(
    session: AsyncSession, workspace_id: str, campaign_id: str, *, alone: bool = False
) -> Campaign | None:
    """Lock a campaign against other changes of it, and return it as it is then.

    It is locked before its posts, and these before its gate. `alone`: no post joins it meanwhile, either.
    """
    return await lock_row(session, Campaign, workspace_id, campaign_id, key_share=not alone)


async def join_campaign(session: AsyncSession, workspace_id: str, campaign_id: str) -> CampaignRules | None:
    """Return the rules of a campaign that posts join, and keep it from being deleted until the transaction ends.

    Only its deletion waits for this. None if the workspace has no such campaign.
    """
    query = select(Campaign).where(Campaign.workspace_id == workspace_id, Campaign.id == campaign_id)
    campaign = await session.scalar(query.with_for_update(read=True, key_share=True))
    return campaign_rules(campaign) if campaign else None


async def read_campaign_rules(database: Database, workspace_id: str, campaign_id: str) -> CampaignRules | None:
    """Return the rules of a campaign; None if the workspace has no such campaign."""
    async with database.reading() as session:
        campaign = await find_row(session, Campaign, workspace_id, campaign_id)
    return campaign_rules(campaign) if campaign else None


def campaign_status(campaign: Campaign) -> CampaignStatus:
    """Return the status of a campaign now."""
    return CampaignStatus(campaign.status).at(datetime.now(UTC), campaign.ends_at)


def campaign_rules(campaign: Campaign) -> CampaignRules:
    """Return the rules of a campaign for its posts."""
    return CampaignRules(
        campaign.id,
        campaign_status(campaign),
        campaign.timezone,
        campaign.starts_at,
        campaign.ends_at,
        tuple(map(Blackout.from_json, campaign.blackouts)),
    )


async def list_active(session: AsyncSession, after_id: str, limit: int) -> Sequence[Campaign]:
    """Return active campaigns of all workspaces with ids above `after_id`, in their order."""
    query = select(Campaign).where(Campaign.status == CampaignStatus.ACTIVE, Campaign.id > after_id)
    return list(await session.scalars(query.order_by(Campaign.id).limit(limit)))


async def list_campaigns(
    session: AsyncSession,
    workspace_id: str,
    limit: int,
    *,
    before_id: str | None = None,
    status: CampaignStatus | None = None,
    tag: str | None = None,
) -> Sequence[Campaign]:
    """Return campaigns of a workspace, the newest first."""
    conditions: list[ColumnElement[bool]] = []
    if status is not None:
        has_ended = or_(Campaign.status == CampaignStatus.ENDED, func.coalesce(Campaign.ends_at <= func.now(), False))
        is_ended = status is CampaignStatus.ENDED
        conditions.append(has_ended if is_ended else and_(Campaign.status == status.value, ~has_ended))
    if tag is not None:
        conditions.append(Campaign.tags.contains([tag]))
    return await newest_rows(session, Campaign, workspace_id, limit, before_id, *conditions)


def raise_campaign_version(campaign: Campaign) -> None:
    """Raise the version of a locked campaign, so that its workflow is told."""
    campaign.version += 1
    campaign.updated_at, campaign.next_delivery_at = datetime.now(UTC), None


@dataclass(frozen=True, slots=True)
class CampaignFields:
    """The fields of a campaign that clients set."""

    name: str
    tags: Sequence[str] = ()
    timezone: str = "UTC"
    starts: ScheduledTime | None = None
    ends: ScheduledTime | None = None
    blackouts: Sequence[Blackout] = ()


async def add_campaign(
    session: AsyncSession,
    workspace_id: str,
    fields: CampaignFields,
    status: CampaignStatus,
    now: datetime,
    campaign_id: str | None = None,
) -> Campaign:
    """Insert a campaign, which is a draft or active, under an id or a new one. Raises UnknownZone."""
    campaign_id = campaign_id or new_id("cmp")
    campaign = Campaign(id=campaign_id, workspace_id=workspace_id, status=status.value, version=1)
    campaign.created_at = campaign.updated_at = now
    _set_fields(campaign, fields)
    session.add(campaign)
    await session.flush()
    if any(True for _ in campaign_rules(campaign).closed_ranges):
        await plan_campaign_gate(session, campaign)
    return campaign


async def change_campaign(session: AsyncSession, campaign: Campaign, fields: CampaignFields) -> None:
    """Give a locked campaign other fields; posts that these do not allow are changed before. Raises UnknownZone."""
    _set_fields(campaign, fields)
    raise_campaign_version(campaign)
    await plan_campaign_gate(session, campaign)


def rules_with_fields(campaign_id: str, status: CampaignStatus, fields: CampaignFields) -> CampaignRules:
    """Return the rules that a campaign of this status has with these fields."""
    return CampaignRules(
        campaign_id,
        status,
        fields.timezone,
        fields.starts.instant if fields.starts else None,
        fields.ends.instant if fields.ends else None,
        tuple(fields.blackouts),
    )


def campaign_fields(campaign: Campaign) -> CampaignFields:
    """Return the fields of a campaign that clients set."""
    starts, ends = (
        ScheduledTime(instant, wall, campaign.timezone) if instant is not None else None
        for instant, wall in ((campaign.starts_at, campaign.starts_wall), (campaign.ends_at, campaign.ends_wall))
    )
    blackouts = tuple(map(Blackout.from_json, campaign.blackouts))
    return CampaignFields(campaign.name, tuple(campaign.tags), campaign.timezone, starts, ends, blackouts)


async def plan_campaign_gate(session: AsyncSession, campaign: Campaign) -> None:
    """Plan the gate of a locked campaign by its fields. It comes after all locks of posts. Raises UnknownZone."""
    ranges = campaign_rules(campaign).closed_ranges
    await plan_gate(session, campaign.workspace_id, campaign_gate(campaign.id), ranges)


def _set_fields(campaign: Campaign, fields: CampaignFields) -> None:
    campaign.name, campaign.tags, campaign.timezone = fields.name, list(fields.tags), fields.timezone
    starts, ends = fields.starts, fields.ends
    campaign.starts_at, campaign.starts_wall = (starts.instant, starts.wall) if starts else (None, None)
    campaign.ends_at, campaign.ends_wall = (ends.instant, ends.wall) if ends else (None, None)
    campaign.blackouts = [blackout.as_json() for blackout in fields.blackouts]


async def campaigns_with_wall_times(
    session: AsyncSession, after_id: str, since: datetime | None, limit: int
) -> Sequence[tuple[str, str]]:
    """Return the workspaces and ids of campaigns that have not ended, with wall times or days; `since` as of posts."""
    has_days = func.jsonb_array_length(Campaign.blackouts) > 0
    has_wall_time = or_(Campaign.starts_wall.is_not(None), Campaign.ends_wall.is_not(None), has_days)
    query = select(Campaign.workspace_id, Campaign.id).where(
        Campaign.id > after_id, Campaign.status != CampaignStatus.ENDED, has_wall_time
    )
    if since is not None:
        query = query.where(Campaign.updated_at >= since)
    rows = await session.execute(query.order_by(Campaign.id).limit(limit))
    return [(workspace_id, campaign_id) for workspace_id, campaign_id in rows]


async def resolve_again(session: AsyncSession, campaign: Campaign) -> bool:
    """Give a locked campaign and its gate the instants of its wall times; return whether its times have moved.

    Raises UnknownZone.
    """
    before = campaign_fields(campaign)
    starts, ends = (time and time.in_zone(campaign.timezone) for time in (before.starts, before.ends))
    if (starts, ends) == (before.starts, before.ends):
        # The instants of days are in the gate alone.
        await plan_campaign_gate(session, campaign)
        return False
    await change_campaign(session, campaign, replace(before, starts=starts, ends=ends))
    return True


@dataclass(frozen=True, slots=True)
class Conflicts:
    """The ids of scheduled posts that are not due yet, the first due first."""

    outside_window: Sequence[str] = ()
    in_blackout: Sequence[str] = ()

    @property
    def count(self) -> int:
        """Return the number of posts."""
        return len(self.outside_window) + len(self.in_blackout)

    @property
    def by_reason(self) -> tuple[tuple[SkipReason, Sequence[str]], ...]:
        """Return the posts by the reason for which they would become drafts."""
        return (SkipReason.OUTSIDE_WINDOW, self.outside_window), (SkipReason.IN_BLACKOUT, self.in_blackout)


async def lock_conflicts(session: AsyncSession, workspace_id: str, rules: CampaignRules, now: datetime) -> Conflicts:
    """Lock the posts of a campaign that its new rules would not allow. Raises UnknownZone.

    Posts whose publishing has begun, or is due, stay: the campaign's gate decides about them.
    """
    too_early, too_late = _before(rules.starts_at), _from(rules.ends_at)
    in_blackout = or_(
        false(),
        *(
            and_(Post.due_at >= first, Post.due_at < end)
            for first, end in (blackout.range_in(rules.timezone) for blackout in rules.blackouts)
        ),
    )
    is_outside = or_(too_early, too_late)
    query = select(Post.id, is_outside).where(
        Post.workspace_id == workspace_id,
        Post.campaign_id == rules.id,
        Post.status == PostStatus.SCHEDULED,
        Post.due_at > now,
        or_(is_outside, in_blackout),
    )
    await session.execute(query.order_by(Post.id).with_for_update())
    # A statement of its own: it sees what was committed while this one waited for the locks.
    outside: list[str] = []
    blacked_out: list[str] = []
    for post_id, is_outside_window in await session.execute(query.order_by(Post.due_at, Post.id)):
        (outside if is_outside_window else blacked_out).append(post_id)
    return Conflicts(outside, blacked_out)


def _before(starts_at: datetime | None) -> ColumnElement[bool]:
    return false() if starts_at is None else Post.due_at < starts_at


def _from(ends_at: datetime | None) -> ColumnElement[bool]:
    return false() if ends_at is None else Post.due_at >= ends_at
