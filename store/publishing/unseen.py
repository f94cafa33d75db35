"""The bound on sends of a target whose platform shows no posts: a refusal may lie, and nothing contradicts it."""

from sqlalchemy import and_, cast, func, or_, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from domain.attempts import UNANSWERED, AttemptStep
from domain.audit import Action
from domain.ownership import FENCE
from store.models import Attempt, AuditEvent, Target

MOST_SENDS = 2
"""Sends of such a target until a person is asked; our choice. A retry by a person begins to count again."""


async def sends_left(session: AsyncSession, target_id: str) -> int:
    """Return how many more times such a target may be sent. The database's own clock dates retries and sends."""
    own = func.jsonb_build_array(func.jsonb_build_object("platform", Target.platform, "accountId", Target.account_id))
    is_named = or_(
        and_(AuditEvent.platform == Target.platform, AuditEvent.account_id == Target.account_id),
        cast(AuditEvent.details["targets"], JSONB).contains(own),
    )
    retried_at = (
        select(func.max(AuditEvent.at))
        .where(AuditEvent.post_id == Target.post_id, AuditEvent.action == Action.RETRIED, is_named)
        .scalar_subquery()
    )
    begun_at = func.coalesce(Attempt.sendable_until - FENCE, Attempt.started_at)
    sends = (
        select(func.count())
        .select_from(Attempt)
        .join(Target, Target.id == Attempt.target_id)
        .where(
            Target.id == target_id,
            Attempt.step == AttemptStep.PUBLISH,
            or_(Attempt.request_sent, Attempt.state.in_(UNANSWERED)),
            begun_at >= func.coalesce(retried_at, begun_at),
        )
    )
    return MOST_SENDS - (await session.scalar(sends) or 0)
