"""Start what was saved but never started, and forget what has expired."""

import asyncio
from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import selectinload

from domain.errors import Unavailable
from domain.post import PostStatus
from store.database import Database
from store.idempotency import forget_expired_answers
from store.media_files import forget_expired_files
from store.models import Post
from store.plans import plan_with_accounts
from store.posts import mark_dispatched
from workflows.client import PostWorkflows
from workflows.failures import turned_down

log = structlog.get_logger(__name__)

_EVERY_S = 5.0
_GRACE = timedelta(seconds=10)
"""How long the api may take between saving a post and starting it; starting it twice is harmless."""
_BATCH = 200
_TURNED_DOWN_FOR_S = 300.0
"""When a post whose start Temporal turned down is tried, and told of, once more."""


async def sweep_forever(database: Database, workflows: PostWorkflows) -> None:
    """Sweep every few seconds. A part that is away is waited for."""
    turned_down_ids, forget_them_at = set[str](), 0.0
    loop = asyncio.get_running_loop()
    while True:
        if loop.time() >= forget_them_at:
            turned_down_ids.clear()
            forget_them_at = loop.time() + _TURNED_DOWN_FOR_S
        try:
            while await sweep(database, workflows, turned_down_ids) == _BATCH:
                pass
            async with database.transaction() as session:
                await forget_expired_answers(session, datetime.now(UTC))
                await forget_expired_files(session, datetime.now(UTC))
        except (Unavailable, SQLAlchemyError, OSError) as error:
            log.warning("sweep.postponed", reason=type(error).__name__)
        await asyncio.sleep(_EVERY_S)


async def sweep(database: Database, workflows: PostWorkflows, turned_down_ids: set[str] | None = None) -> int:
    """Start the workflow of every post that was saved a while ago and has none; return how many there were.

    Those of `turned_down_ids` are left out. Whose start Temporal turns down is added there: one post must not hold up
    the others. Raises Unavailable where Temporal is away.
    """
    left_out = set[str]() if turned_down_ids is None else turned_down_ids
    async with database.transaction() as session:
        query = (
            select(Post)
            .where(
                Post.dispatched_at.is_(None),
                Post.status.in_([PostStatus.SCHEDULED, PostStatus.PUBLISHING]),
                Post.created_at < datetime.now(UTC) - _GRACE,
                Post.id.not_in(left_out),
            )
            .order_by(Post.created_at)
            .limit(_BATCH)
            .options(selectinload(Post.targets))
        )
        plans = [await plan_with_accounts(session, post) for post in list(await session.scalars(query))]
    for plan in plans:
        try:
            await workflows.start(plan)
        except Unavailable as error:
            if not turned_down(error):
                raise
            left_out.add(plan.post_id)
            log.error(  # noqa: TRY400 the trace is that of every start
                "sweep.not_started", post_id=plan.post_id, workflow_id=plan.workflow_id, reason=str(error.__cause__)
            )
            continue
        log.info("sweep.started", post_id=plan.post_id, workflow_id=plan.workflow_id)
        async with database.transaction() as session:
            await mark_dispatched(session, [plan.post_id], datetime.now(UTC))
    return len(plans)
