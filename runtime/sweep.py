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

log = structlog.get_logger(__name__)

_EVERY_S = 5.0
_GRACE = timedelta(seconds=10)
"""How long the api may take between saving a post and starting it; starting it twice is harmless."""
_BATCH = 200


async def sweep_forever(database: Database, workflows: PostWorkflows) -> None:
    """Sweep every few seconds. A part that is away is waited for."""
    while True:
        try:
            while await sweep(database, workflows) == _BATCH:
                pass
            async with database.transaction() as session:
                await forget_expired_answers(session, datetime.now(UTC))
                await forget_expired_files(session, datetime.now(UTC))
        except (Unavailable, SQLAlchemyError, OSError) as error:
            log.warning("sweep.postponed", reason=type(error).__name__)
        await asyncio.sleep(_EVERY_S)


async def sweep(database: Database, workflows: PostWorkflows) -> int:
    """Start the workflow of every post that was saved a while ago and has none; return how many there were."""
    async with database.transaction() as session:
        query = (
            select(Post)
            .where(
                Post.dispatched_at.is_(None),
                Post.status.in_([PostStatus.SCHEDULED, PostStatus.PUBLISHING]),
                Post.created_at < datetime.now(UTC) - _GRACE,
            )
            .order_by(Post.created_at)
            .limit(_BATCH)
            .options(selectinload(Post.targets))
        )
        plans = [await plan_with_accounts(session, post) for post in list(await session.scalars(query))]
    for plan in plans:
        await workflows.start(plan)
        log.info("sweep.started", post_id=plan.post_id, workflow_id=plan.workflow_id)
        async with database.transaction() as session:
            await mark_dispatched(session, [plan.post_id], datetime.now(UTC))
    return len(plans)
