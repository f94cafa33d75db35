"""Posts that get their times from others: those of series, and those that wait until another post is public."""

from datetime import UTC, datetime, timedelta

import structlog

from domain.audit import WORKER
from domain.errors import Unavailable
from domain.moves import FollowDecision, OnFailure, decide_follow, follow_time
from domain.pauses import SkipReason
from domain.post import PostStatus
from domain.schedule import UnknownZone
from reconcile.rounds import BackgroundTask, is_part_unavailable
from store.database import Database
from store.maintenance.restores import confirm_if_older_than_restore
from store.models import Post
from store.posts.chains import CHAINED, FIRST_PLACE, Place, find_first, has_ended, lock_waiting, search_ready
from store.posts.contents import post_content, rewrite
from store.posts.delivery import plan_with_accounts, record_delivered
from store.series.planning import TO_PLAN, claim_one, claim_series, plan_series, postpone_complete
from workflows.client.delivery import deliver_or_move
from workflows.client.post_workflows import PostWorkflows

log = structlog.get_logger(__name__)

_PLANNER_EVERY_S = 5.0
_SERIES_BATCH = 50
"""Series that are looked at together. Usually no series lacks a post."""
_AFTER_A_FAILURE = timedelta(minutes=5)
"""When a series is looked at again that could not be planned: the others are planned meanwhile."""


def planner_task(database: Database, most_open_posts: int) -> BackgroundTask:
    """Return the task that looks every few seconds for series that need posts."""

    async def plan_all() -> None:
        while await plan_next(database, most_open_posts):
            pass

    return BackgroundTask(plan_all, _PLANNER_EVERY_S, "planner.postponed", due=(TO_PLAN,), is_shared=True)


async def plan_next(database: Database, most_open_posts: int = 0) -> bool:
    """Look at the series whose turn it is, and make posts that they lack; return whether there were any series.

    `most_open_posts`: how many posts of a workspace may be open; 0 for any number.
    """
    now = datetime.now(UTC)
    async with database.transaction() as session:
        claimed = await claim_series(session, now, _SERIES_BATCH)
        behind_ids = await postpone_complete(session, claimed, now)
    for series_id in behind_ids:
        await _plan(database, series_id, now, most_open_posts)
    return bool(claimed)


async def _plan(database: Database, series_id: str, now: datetime, most_open_posts: int) -> None:
    """Make posts for a series, unless it is planned already; if that fails, let it wait."""
    async with database.transaction() as session:
        if (series := await claim_one(session, series_id, now)) is None:
            return
        try:
            async with session.begin_nested():
                planned = await plan_series(session, series, now, most_open_posts)
        except Exception as error:
            if is_part_unavailable(error):
                raise
            log.exception("series.not_planned", series_id=series_id)
            await session.refresh(series)
            series.plan_at, series.behind_since = now + _AFTER_A_FAILURE, series.behind_since or now
            return
    if planned.posts or planned.missing:
        log.info("series.advanced", series_id=series_id, posts=len(planned.posts), missing=planned.missing)


_EVERY_S = 2.0
_MOST = 10_000
"""Waiting posts that one round looks at: some 20 ms of the database. If there are more, rounds take turns."""
_SKIPS = {
    FollowDecision.FAILED: SkipReason.PREVIOUS_FAILED,
    FollowDecision.DELETED: SkipReason.PREVIOUS_DELETED,
}


def chain_task(database: Database, workflows: PostWorkflows) -> BackgroundTask:
    """Return the task that looks for such posts every few seconds."""
    place = FIRST_PLACE

    async def search() -> None:
        nonlocal place
        place = await follow_posts(database, workflows, place)

    return BackgroundTask(search, _EVERY_S, "chains.postponed", due=(CHAINED,))


async def follow_posts(database: Database, workflows: PostWorkflows, after: Place = FIRST_PLACE) -> Place:
    """Give waiting posts their times, or make them plain drafts; return the place where the next search begins.

    If another worker follows the same post, the row's lock decides.
    """
    async with database.reading() as session:
        post_ids, place = await search_ready(session, after, _MOST)
    for post_id in post_ids:
        await follow(database, workflows, post_id)
    return place


async def follow(database: Database, workflows: PostWorkflows, post_id: str) -> bool:
    """Decide what becomes of a waiting post; return whether it waits no more.

    The sweep delivers it if this process ends after the commit, or if Temporal is unavailable.
    """
    async with database.transaction() as session:
        post = await lock_waiting(session, post_id)
        if post is None or post.after_post_id is None:
            return False
        first_id, first = post.after_post_id, await find_first(session, post.after_post_id, post.workspace_id)
        decision = decide_follow(first, OnFailure(post.after_on_failure or OnFailure.SKIP))
        if decision is FollowDecision.WAIT:
            return False
        reason = _SKIPS.get(decision)
        if reason is None and await has_ended(session, post.campaign_id):
            reason = SkipReason.CAMPAIGN_ENDED
        if reason is None and first is not None and first.published_at is not None:
            written_at = post.updated_at
            _schedule(post, first_id, first.published_at)
            await confirm_if_older_than_restore(session, post, written_at)
            plan = await plan_with_accounts(session, post)
        else:
            _skip(post, first_id, reason)
            plan = None
    log.info("post.follows", post_id=post_id, workflow_id=post.workflow_id, after=first_id, skip_reason=reason)
    if plan is not None:
        try:
            await deliver_or_move(database, workflows, plan)
        except Unavailable:
            log.warning("post.not_reached", post_id=post_id)
            return True
        async with database.transaction() as session:
            await record_delivered(session, {plan.post_id: plan.version})
    return True


def _schedule(post: Post, first_id: str, published_at: datetime) -> None:
    try:
        due_at = follow_time(published_at, post.after_delay, post.timezone)
    except UnknownZone:
        due_at = follow_time(published_at, post.after_delay, "UTC")
    content = post_content(post).model_copy(
        update={"after_post_id": None, "after_delay": None, "after_on_failure": None, "scheduled_for": due_at}
    )
    rewrite(post, content, WORKER, status=PostStatus.SCHEDULED, due_at=due_at, now=datetime.now(UTC), after=first_id)


def _skip(post: Post, first_id: str, reason: SkipReason | None) -> None:
    content = post_content(post).model_copy(
        update={"after_post_id": None, "after_delay": None, "after_on_failure": None}
    )
    rewrite(post, content, WORKER, status=PostStatus.DRAFT, due_at=None, now=datetime.now(UTC), after=first_id)
    post.skip_reason = reason and reason.value
