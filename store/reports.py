"""What operators ask about many posts: which targets wait, and what became of those of a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.waits import WaitsFor
from store.models import Post, Target, Workspace
from store.waiting import STUCK_TARGETS, waits_of

_PAGE = 500


@dataclass(frozen=True, slots=True)
class WaitingTarget:
    """A target that is due and waits for something other than this service."""

    workspace: str
    """Its name."""
    post_id: str
    platform: str
    account_id: str
    waits_for: WaitsFor
    error_code: str | None
    due_at: datetime | None
    next_attempt_at: datetime | None


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Targets of one network that came to the same."""

    platform: str
    status: str
    error_category: str | None
    error_code: str | None
    count: int


async def waiting_targets(
    session: AsyncSession,
    most: int,
    *,
    workspace_id: str | None = None,
    platform: str | None = None,
    reason: WaitsFor | None = None,
) -> list[WaitingTarget]:
    """Return at most `most` targets that wait, in the order of their ids, which is that of their creation."""
    found, last = list[WaitingTarget](), ""
    query = (
        select(Target, Workspace.name)
        .join(Post, Post.id == Target.post_id)
        .join(Workspace, Workspace.id == Target.workspace_id)
        .where(STUCK_TARGETS)
        .order_by(Target.id)
        .limit(_PAGE)
    )
    if workspace_id is not None:
        query = query.where(Target.workspace_id == workspace_id)
    if platform is not None:
        query = query.where(Target.platform == platform)
    while True:
        rows = (await session.execute(query.where(Target.id > last))).all()
        for target, workspace in rows:
            waits = waits_of(target)
            if waits and (reason is None or waits is reason):
                found.append(_waiting(target, workspace, waits))
                if len(found) == most:
                    return found
        if len(rows) < _PAGE:
            return found
        last = rows[-1][0].id


async def outcomes_since(session: AsyncSession, since: datetime, workspace_id: str | None = None) -> Sequence[Outcomes]:
    """Return what became of the targets that were due since a time, the most frequent first for each network."""
    group = (Target.platform, Target.status, Target.error_category, Target.error_code)
    query = select(*group, func.count()).where(Target.due_at >= since, Target.due_at <= func.now()).group_by(*group)
    if workspace_id is not None:
        query = query.where(Target.workspace_id == workspace_id)
    rows = await session.execute(query.order_by(Target.platform, func.count().desc(), *group[1:]))
    return [Outcomes(*row) for row in rows]


def _waiting(target: Target, workspace: str, waits: WaitsFor) -> WaitingTarget:
    return WaitingTarget(
        workspace=workspace,
        post_id=target.post_id,
        platform=target.platform,
        account_id=target.account_id,
        waits_for=waits,
        error_code=target.error_code,
        due_at=target.due_at,
        next_attempt_at=target.next_attempt_at,
    )
