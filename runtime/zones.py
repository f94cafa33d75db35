"""Keep posts at the wall time that was asked for, also when a new tzdata gives it another instant."""

import asyncio
from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from domain.content import Amendment
from domain.errors import Conflict, Problem, Unavailable
from domain.plan import Plan
from domain.post import PostStatus
from domain.schedule import resolve, rfc3339
from domain.zones import UnknownZone, ZoneData, reread, zone_version
from store.accounts import find_accounts
from store.contents import content_of
from store.database import Database
from store.models import Post, ZoneCheck
from store.plans import plan_of
from store.posts import find_post
from store.revisions import add_revision
from store.zones import WallTime, last_check, note_check, note_version, wall_times
from workflows.client import PostWorkflows
from workflows.handover import hand_over

log = structlog.get_logger(__name__)

_EVERY_S = 3600.0
_FIRST_RETRY_S = 15.0
_MARGIN = timedelta(minutes=5)
"""How long saving a post may take, other machines' clocks included: what is younger is looked at once more."""
_FARTHEST = timedelta(hours=26)
"""More than any zone has moved its clocks at once: to a draft that is longer past it makes no difference."""
_MOST_TRIES = 5
_PATIENCE_S = 3.0
_WAITING = {PostStatus.DRAFT, PostStatus.SCHEDULED}
_HOPELESS = 10
"""Posts in a row whose workflows do not answer: it is not they that are stuck."""


async def follow_zones_forever(database: Database, workflows: PostWorkflows) -> None:
    """Check at once and then hourly: an api with older zones may have saved posts since. What is away is waited for."""
    wait = _FIRST_RETRY_S
    while True:
        try:
            await follow_zones(database, workflows)
            wait = _EVERY_S
        except (Unavailable, SQLAlchemyError, OSError) as error:
            log.warning("zones.postponed", reason=type(error).__name__)
            wait = min(wait * 2, _EVERY_S)
        await asyncio.sleep(wait)


async def follow_zones(database: Database, workflows: PostWorkflows) -> int:
    """Move every draft and scheduled post whose wall time means another instant now; return how many were moved.

    While the zones are those of the last check, only what was saved since is looked at. Raises Unavailable where posts
    are left over whose workflows did not answer.
    """
    zones, now = await asyncio.to_thread(reread), datetime.now(UTC)
    async with database.reading() as session:
        last = await last_check(session)
    if last is not None and zones.is_older_than(last.newest_version):
        log.warning("zones.outdated", version=zones.version, newest=last.newest_version)
        return 0
    moved = silent = in_a_row = 0
    async for found in wall_times(database, now - _FARTHEST, _since(last, zones)):
        try:
            if resolve(found.wall, found.zone).instant == found.instant:
                continue
            moved += await _move(database, workflows, found, zones)
            in_a_row = 0
        except UnknownZone:
            log.warning("post.zone_unknown", post_id=found.post_id, zone=found.zone, kept=rfc3339(found.instant))
        except Conflict:
            log.warning("post.not_moved", post_id=found.post_id, zone=found.zone, began=rfc3339(found.instant))
        except Unavailable:
            log.warning("post.not_reached", post_id=found.post_id, zone=found.zone)
            silent, in_a_row = silent + 1, in_a_row + 1
            if in_a_row == _HOPELESS:
                break
    if silent:
        raise Unavailable(Problem(f"{silent} posts could not be moved", "unavailable"))
    async with database.transaction() as session:
        await note_check(session, zones, now)
    return moved


async def announce_zones(database: Database) -> None:
    """Have workers with older zones leave the posts alone that this process resolves; the database may be away."""
    try:
        async with asyncio.timeout(_PATIENCE_S), database.transaction() as session:
            await note_version(session, zone_version())
    except (SQLAlchemyError, OSError) as error:
        log.warning("zones.not_announced", reason=type(error).__name__)


def _since(last: ZoneCheck | None, zones: ZoneData) -> datetime | None:
    if last is None or last.checked_at is None or last.digest != zones.digest:
        return None
    return last.checked_at - _MARGIN


async def _move(database: Database, workflows: PostWorkflows, found: WallTime, zones: ZoneData) -> bool:
    """Move one post; False where it need not be any more. Raises Conflict where its publishing has begun, Unavailable.

    A new instant that is past already makes the post due: the time that was asked for has come.
    """
    reason = f"{found.zone} has other times in zones {zones.version or zones.digest[:8]}"
    for _ in range(_MOST_TRIES):
        async with database.transaction() as session:
            post = await find_post(session, found.workspace_id, found.post_id, lock=True)
            if post is None or post.scheduled_wall is None or post.status not in _WAITING:
                return False
            before, instant = post.scheduled_for, resolve(post.scheduled_wall, post.timezone).instant
            if instant == before:
                return False
            change = await _save(session, post, instant)
        if change is None or await hand_over(database, workflows, *change, reason=reason):
            log.info(
                "post.moved",
                post_id=found.post_id,
                workflow_id=post.workflow_id,
                wall=post.scheduled_wall,
                zone=post.timezone,
                before=before and rfc3339(before),
                after=rfc3339(instant),
                zones=zones.version,
            )
            return True
        # A client's change came in between; it may have kept the time as it was.
    return False


async def _save(session: AsyncSession, post: Post, instant: datetime) -> tuple[Plan, str] | None:
    """Write the new time: into a draft itself, for a scheduled post into a revision that its workflow must apply."""
    now = datetime.now(UTC)
    if post.status == PostStatus.DRAFT:
        post.scheduled_for, post.updated_at = instant, now
        return None
    amendment = Amendment(
        content=content_of(post).model_copy(update={"scheduled_for": instant}),
        status=PostStatus.SCHEDULED,
        due_at=instant,
        based_on=post.updated_at,
    )
    accounts = await find_accounts(session, post.workspace_id, [each.account_id for each in post.targets])
    return plan_of(post, accounts), await add_revision(session, post.id, amendment, now)
