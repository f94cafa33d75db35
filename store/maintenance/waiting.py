"""Queries for targets that are due and wait for something other than a worker: an account, a platform, a person."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import case, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.plan import WaitsFor, waits_for
from domain.post import TargetStatus
from store.models import WAITING, Post, Target

# A literal: the planner must see that the partial index has these targets.
IS_WAITING = text("(" + WAITING.replace("status", "targets.status").replace("next_", "targets.next_") + ")")


@dataclass(frozen=True, slots=True)
class WaitingCount:
    """The number of targets of one platform that wait for the same thing."""

    count: int
    since: datetime
    """When the first of them began, or should have begun."""
    codes: frozenset[str] = frozenset()
    """The error codes of those that are tried again."""


def target_waits_for(target: Target) -> WaitsFor | None:
    """Return what a target waits for, as its row says it."""
    return waits_for(
        TargetStatus(target.status),
        confirming=target.confirming,
        hold_reason=target.hold_reason,
        error_code=target.error_code,
        next_attempt_at=target.next_attempt_at,
    )


async def count_waiting(
    session: AsyncSession, workspace_id: str | None = None
) -> dict[tuple[str, WaitsFor], WaitingCount]:
    """Count the targets that are due and wait for something other than a worker, by platform and reason.

    Without a workspace, the targets of all workspaces are counted.
    """
    code = case((Target.status == TargetStatus.PUBLISHING, Target.error_code))
    query = (
        select(
            Target.platform,
            Target.status,
            Target.confirming,
            Target.hold_reason,
            code,
            func.count(),
            func.min(func.coalesce(Target.begun_at, Target.due_at, Post.created_at)),
            func.max(Target.next_attempt_at),
        )
        .join(Post, Post.id == Target.post_id)
        .where(IS_WAITING)
        .group_by(Target.platform, Target.status, Target.confirming, Target.hold_reason, code)
    )
    if workspace_id is not None:
        query = query.where(Target.workspace_id == workspace_id)
    counts: dict[tuple[str, WaitsFor], WaitingCount] = {}
    for platform, status, confirming, reason, error_code, count, since, next_attempt_at in await session.execute(query):
        waiting = waits_for(
            TargetStatus(status),
            confirming=confirming,
            hold_reason=reason,
            error_code=error_code,
            next_attempt_at=next_attempt_at,
        )
        if waiting:
            others = counts.get((platform, waiting), WaitingCount(0, since))
            codes = others.codes | ({error_code} if error_code else set())
            counts[platform, waiting] = WaitingCount(others.count + count, min(others.since, since), codes)
    return counts
