"""The moving of posts and campaigns whose wall time has another instant in a new tzdata: they keep the wall time."""

import asyncio
from datetime import UTC, datetime, timedelta

import structlog

from domain.audit import WORKER
from domain.errors import Unavailable
from domain.ownership import may_change
from domain.post import PostStatus
from domain.schedule import UnknownZone, ZoneData, reread, resolve, rfc3339, zone_version
from reconcile.rounds import BackgroundTask, is_part_unavailable
from store.campaigns.campaigns import campaigns_with_wall_times, lock_campaign, resolve_again
from store.database import Database
from store.maintenance.zones import WallTime, last_check, note_check, note_version, wall_times
from store.models import ZoneCheck
from store.posts.contents import post_content, rewrite
from store.posts.delivery import plan_with_accounts, record_delivered
from store.posts.queries import find_post
from workflows.client.delivery import deliver_or_move
from workflows.client.post_workflows import PostWorkflows

log = structlog.get_logger(__name__)

_BATCH = 500


async def follow_zones_of_campaigns(database: Database, since: datetime | None) -> int:
    """Give all campaigns the instants of their wall times; return how many have moved.

    `since`: when the zones were last compared, if they are the same; older campaigns are left out then.
    """
    moved, after_id = 0, ""
    while True:
        async with database.reading() as session:
            campaigns = await campaigns_with_wall_times(session, after_id, since, _BATCH)
        for workspace_id, campaign_id in campaigns:
            moved += await _follow(database, workspace_id, campaign_id)
        if len(campaigns) < _BATCH:
            return moved
        after_id = campaigns[-1][1]


async def _follow(database: Database, workspace_id: str, campaign_id: str) -> bool:
    try:
        async with database.transaction() as session:
            campaign = await lock_campaign(session, workspace_id, campaign_id)
            has_moved = campaign is not None and await resolve_again(session, campaign)
    except UnknownZone:
        log.warning("campaign.zone_unknown", campaign_id=campaign_id)
        return False
    if has_moved:
        log.info("campaign.moved", campaign_id=campaign_id, workspace_id=workspace_id)
    return has_moved


_EVERY_S = 3600.0
_FIRST_RETRY_S = 15.0
_MARGIN = timedelta(minutes=5)
"""How long saving a post may take, including clock differences between machines: younger changes are checked again."""
_FARTHEST = timedelta(hours=26)
"""More than any zone has ever moved its clocks; for a draft that is longer past, a move makes no difference."""
_TIMEOUT_S = 3.0


def zone_task(database: Database, workflows: PostWorkflows) -> BackgroundTask:
    """Return the task that checks immediately and then hourly: an API with older zones may have saved posts since."""
    return BackgroundTask(
        lambda: follow_zones(database, workflows),
        _EVERY_S,
        "zones.postponed",
        again_s=lambda failures: min(_FIRST_RETRY_S * 2 ** min(failures, 10), _EVERY_S),
    )


async def follow_zones(database: Database, workflows: PostWorkflows) -> int:
    """Move every draft and scheduled post whose wall time means another instant now; return how many were moved.

    If the zones are those of the last check, only posts that were saved since are checked.
    """
    zones, now = await asyncio.to_thread(reread), datetime.now(UTC)
    async with database.reading() as session:
        last = await last_check(session)
    if last is not None and zones.is_older_than(last.newest_version):
        log.warning("zones.outdated", version=zones.version, newest=last.newest_version)
        return 0
    moved = 0
    async for wall_time in wall_times(database, now - _FARTHEST, _since(last, zones)):
        try:
            if resolve(wall_time.wall, wall_time.zone).instant == wall_time.instant:
                continue
            moved += await _move(database, workflows, wall_time, zones)
        except UnknownZone:
            instant = rfc3339(wall_time.instant)
            log.warning("post.zone_unknown", post_id=wall_time.post_id, zone=wall_time.zone, kept=instant)
        except Unavailable:
            # The row has the new time, which is valid; the sweep notifies its workflow.
            log.warning("post.not_reached", post_id=wall_time.post_id, zone=wall_time.zone)
            moved += 1
    await follow_zones_of_campaigns(database, _since(last, zones))
    async with database.transaction() as session:
        await note_check(session, zones, now)
    return moved


async def announce_zones(database: Database) -> None:
    """Make workers with older zones skip the posts that this process resolves; the database may be unavailable."""
    try:
        async with asyncio.timeout(_TIMEOUT_S), database.transaction() as session:
            await note_version(session, zone_version())
    except Exception as error:
        if not is_part_unavailable(error):
            raise
        log.warning("zones.not_announced", reason=type(error).__name__)


def _since(last: ZoneCheck | None, zones: ZoneData) -> datetime | None:
    if last is None or last.checked_at is None or last.digest != zones.digest:
        return None
    return last.checked_at - _MARGIN


async def _move(database: Database, workflows: PostWorkflows, wall_time: WallTime, zones: ZoneData) -> bool:
    """Move one post; False if it need not be moved any more. Raises Unavailable.

    If the new instant is past already, the post becomes due: the requested time has come.
    """
    async with database.transaction() as session:
        post = await find_post(session, wall_time.workspace_id, wall_time.post_id, lock=True)
        if post is None or post.scheduled_wall is None or not may_change(PostStatus(post.status)):
            return False
        before, instant = post.scheduled_for, resolve(post.scheduled_wall, post.timezone).instant
        if instant == before:
            return False
        draft = post.status == PostStatus.DRAFT
        content = post_content(post).model_copy(update={"scheduled_for": instant})
        rewrite(
            post,
            content,
            WORKER,
            status=PostStatus(post.status),
            due_at=None if draft else instant,
            now=datetime.now(UTC),
        )
        plan = None if draft else await plan_with_accounts(session, post)
    log.info(
        "post.moved",
        post_id=wall_time.post_id,
        workflow_id=post.workflow_id,
        wall=post.scheduled_wall,
        zone=post.timezone,
        before=before and rfc3339(before),
        after=rfc3339(instant),
        zones=zones.version or zones.digest[:8],
    )
    if plan is not None:
        await deliver_or_move(database, workflows, plan)
        async with database.transaction() as session:
            await record_delivered(session, {plan.post_id: plan.version})
    return True
