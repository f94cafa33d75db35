"""Tell workflows of what their posts' rows want and they have not heard of."""

import asyncio
from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy.exc import SQLAlchemyError

from domain.errors import Unavailable
from domain.plan import Plan
from store.database import Database
from store.plans import plan_with_accounts
from store.telling import claim_untold, free_untold, note_taken_up
from workflows.client.post_workflows import PostWorkflows
from workflows.client.telling import tell

log = structlog.get_logger(__name__)

_EVERY_S = 5.0
_GRACE = timedelta(seconds=10)
"""How long the api may take between changing a post and telling its workflow; telling it twice is harmless."""
_BATCH = 100
_CONCURRENCY = 16
"""Workflows that are told at a time: one that Temporal does not take holds up no other."""


async def sweep_forever(database: Database, workflows: PostWorkflows) -> None:
    """Sweep every few seconds. A part that is away is waited for."""
    while True:
        try:
            while await sweep(database, workflows) == _BATCH:
                pass
        except (Unavailable, SQLAlchemyError, OSError) as error:
            log.warning("sweep.postponed", reason=type(error).__name__)
        await asyncio.sleep(_EVERY_S)


async def sweep(database: Database, workflows: PostWorkflows) -> int:
    """Tell the workflow of every post that was changed a while ago and whose workflow has not heard of it.

    Soonest due first. Returns how many there were. One that cannot be told is left alone for a while, the longer the
    more often that has happened. Raises Unavailable if Temporal is away.
    """
    now = datetime.now(UTC)
    async with database.transaction() as session:
        posts = await claim_untold(session, now, now - _GRACE, _BATCH)
        plans = [await plan_with_accounts(session, post) for post in posts]
    slots = asyncio.Semaphore(_CONCURRENCY)

    async def told(plan: Plan) -> bool:
        async with slots:
            return await _tell(database, workflows, plan)

    heard = await asyncio.gather(*(told(plan) for plan in plans))
    silent = [plan.post_id for plan, knows in zip(plans, heard, strict=True) if not knows]
    async with database.transaction() as session:
        await note_taken_up(session, {plan.post_id: plan.version for plan in plans if plan.post_id not in silent})
    if silent:
        await _require_temporal(database, workflows, silent)
    return len(plans)


async def _tell(database: Database, workflows: PostWorkflows, plan: Plan) -> bool:
    named = {"post_id": plan.post_id, "workflow_id": plan.workflow_id, "version": plan.version}
    try:
        await tell(database, workflows, plan)
    except Unavailable as error:
        log.error("sweep.not_told", reason=str(error.__cause__ or error), **named)  # noqa: TRY400 always the same trace
        return False
    log.info("sweep.told", **named)
    return True


async def _require_temporal(database: Database, workflows: PostWorkflows, silent: list[str]) -> None:
    """Raise Unavailable if it is Temporal that is away: then the posts are to be told as soon as it is back."""
    try:
        await workflows.queues.posts()
    except Unavailable:
        async with database.transaction() as session:
            await free_untold(session, silent)
        raise
