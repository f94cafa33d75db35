"""The sweep: deliver the newest versions of posts to workflows that are not known to have them.

Posts of bulk operations are delivered in turns, at one pace for all workers, unless they are due soon.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import structlog

from domain.errors import Unavailable
from domain.plan import Plan
from domain.printable import error_words
from reconcile.bulk_pace import BulkPace
from reconcile.rounds import BackgroundTask
from store.database import Database
from store.models import Post
from store.posts.delivery import (
    BEHIND,
    IN_TURN,
    claim_undelivered,
    claim_waiting,
    plans_with_accounts,
    record_delivered,
    release_undelivered,
    return_to_waiting,
    take_turn,
)
from workflows.client.delivery import deliver_or_move
from workflows.client.post_workflows import PostWorkflows

log = structlog.get_logger(__name__)

_EVERY_S = 5.0
_TURN_EVERY_S = 0.5
"""How often a worker asks for the turn of a second; most find that it is not due."""
_GRACE = timedelta(seconds=10)
"""How long the API may take between changing a post and delivering the change; a second delivery is harmless."""
_CONCURRENCY = 16
"""The number of concurrent deliveries of a sweep: one that Temporal refuses delays no other."""
_TOGETHER_S = 0.1
"""For how long the deliveries that end are recorded together, and the next posts claimed together."""
_LONGEST_START_S = 0.06
"""How long a delivery of a turn may take so that the pace holds. Fewer run at a time than in a sweep: a request that
comes meanwhile waits for few others, and if Temporal is busy, the turns become slower. With 0.04, a turn of 150 took
1.4 s, while a fifth of the machine was idle."""
_LONGEST_UPDATE_S = 0.22
"""The same for a workflow that runs: an update also waits for a task of the worker, and for a replay if the worker does
not have the workflow in memory. With 0.16, 5,000 moved posts were delivered in 67 s instead of 50, while a quarter of
the machine was idle."""

_Deliveries = dict[asyncio.Task[bool], Post]
"""The deliveries that run, and the post of each."""


def sweep_task(database: Database, workflows: PostWorkflows) -> BackgroundTask:
    """Return the task that sweeps every few seconds."""
    return BackgroundTask(
        lambda: sweep(database, workflows), _EVERY_S, "sweep.postponed", due=(BEHIND,), is_shared=True
    )


def bulk_task(database: Database, workflows: PostWorkflows, pace: BulkPace) -> BackgroundTask:
    """Return the task that delivers the posts of bulk operations, at one pace for all workers together."""

    async def take_turns() -> None:
        while await deliver_in_turn(database, workflows, pace):
            pass

    return BackgroundTask(take_turns, _TURN_EVERY_S, "bulk.postponed", due=(IN_TURN,), is_shared=True)


async def sweep(database: Database, workflows: PostWorkflows) -> None:
    """Deliver every post that was changed a while ago to its workflow, if the workflow is not known to have the change.

    The posts that are due first come first. A post is claimed only when its delivery can begin: a delivery that waits
    for Temporal or a worker that has died delays no other, and other processes may claim the rest. After failed
    deliveries a post is skipped for a while, the longer the more have failed. Raises Unavailable if Temporal is
    unavailable.
    """
    running: _Deliveries = {}
    try:
        while True:
            async with database.transaction() as session:
                now = datetime.now(UTC)
                posts = await claim_undelivered(session, now, now - _GRACE, _CONCURRENCY - len(running))
                plans = await plans_with_accounts(session, posts)
            delivering = {post.id for post in running.values()}
            # A claim ends before a delivery to a worker that is frozen.
            for post in (post for post in posts if post.id not in delivering):
                running[asyncio.create_task(_deliver(database, workflows, post, plans.get(post.id)))] = post
            if not running:
                return
            # Posts that get due while the only deliveries that run wait are claimed as in another sweep.
            await asyncio.wait(running, timeout=_EVERY_S, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.sleep(_TOGETHER_S)
            if undelivered := await _record_ended(database, running):
                await _require_temporal(database, workflows, undelivered, running)
    finally:
        for delivery in running:
            delivery.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _record_ended(database: Database, running: _Deliveries) -> list[str]:
    """Remove the deliveries that have ended and record them; return the ids of the posts that Temporal did not take."""
    ended = [(running.pop(delivery), delivery) for delivery in list(running) if delivery.done()]
    results = [(post, delivery.result()) for post, delivery in ended]
    async with database.transaction() as session:
        await record_delivered(session, {post.id: post.version for post, knows in results if knows})
    return [post.id for post, knows in results if not knows]


async def deliver_in_turn(database: Database, workflows: PostWorkflows, pace: BulkPace) -> int:
    """Take the turn of this second, if no other worker has it, and deliver posts of bulk operations at the pace.

    Fewer are delivered by the tasks that wait in the posts' queue: they would wait behind them, and so would posts that
    are due. Returns how many there were. The sweep repeats deliveries that fail. Raises Unavailable if Temporal is
    unavailable; then no post is claimed.
    """
    async with database.transaction() as session:
        crowd_in_s = await take_turn(session, pace.crowd)
    if crowd_in_s is None:
        return 0
    most = pace.most(crowd_in_s)
    if most:
        most -= (await workflows.queues.posts()).backlog
    if most <= 0:
        pace.end(0, more_wait=True)
        return 0
    async with database.transaction() as session:
        posts = await claim_waiting(session, datetime.now(UTC), most)
        plans = await plans_with_accounts(session, posts)
    runs = any(post.delivered_version for post in posts)
    longest_s = _LONGEST_UPDATE_S if runs else _LONGEST_START_S
    pace.begin(len(posts), crowd_in_s)
    begun = await _deliver_all(database, workflows, posts, plans, math.ceil(pace.per_s * longest_s), pace.wait)
    pace.end(begun, more_wait=len(posts) == most)
    return begun


async def _deliver_all(
    database: Database,
    workflows: PostWorkflows,
    posts: Sequence[Post],
    plans: Mapping[str, Plan],
    concurrency: int,
    may_begin: Callable[[], Awaitable[bool]],
) -> int:
    """Deliver claimed posts while they `may_begin`, and return how many; the others wait for another turn.

    If Temporal is unavailable, raise Unavailable; the posts are tried again then.
    """
    if not posts:
        return 0
    slots = asyncio.Semaphore(concurrency)

    async def deliver(post: Post) -> bool | None:
        async with slots:
            return await _deliver(database, workflows, post, plans.get(post.id)) if await may_begin() else None

    results = list(zip(posts, await asyncio.gather(*map(deliver, posts)), strict=True))
    waiting = [post.id for post, knows in results if knows is None]
    undelivered = [post.id for post, knows in results if knows is False]
    async with database.transaction() as session:
        await record_delivered(session, {post.id: post.version for post, knows in results if knows})
        if waiting:
            await return_to_waiting(session, waiting)
    if undelivered:
        await _require_temporal(database, workflows, undelivered, {})
    return len(posts) - len(waiting)


async def _deliver(database: Database, workflows: PostWorkflows, post: Post, plan: Plan | None) -> bool:
    """Deliver a post's plan to its workflow, or end the workflow of a draft; return whether Temporal took it."""
    named = {"post_id": post.id, "workflow_id": post.workflow_id, "version": post.version}
    try:
        if plan is None:
            await workflows.unschedule(post.workflow_id, post.id, post.version)
        else:
            await deliver_or_move(database, workflows, plan)
    except Unavailable as error:
        log.error("sweep.not_delivered", reason=error_words(error.__cause__ or error), **named)  # noqa: TRY400 always the same trace
        return False
    log.info("sweep.delivered", **named)
    return True


async def _require_temporal(
    database: Database, workflows: PostWorkflows, undelivered: list[str], running: _Deliveries
) -> None:
    """Raise Unavailable if Temporal is unavailable: the posts are delivered as soon as it is back.

    Deliveries that still run end first, because they fail for the same reason.
    """
    try:
        await workflows.queues.posts()
    except Unavailable:
        if running:
            await asyncio.wait(running)
            undelivered += await _record_ended(database, running)
        async with database.transaction() as session:
            await release_undelivered(session, undelivered)
        raise
