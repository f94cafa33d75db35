"""The pauses of a workspace: begun, read and ended, each in one transaction, one after the other."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.audit import Action, Actor, AuditEntry
from domain.campaigns import CampaignRules
from domain.ids import new_id
from domain.moves import MOST_MOVED, Move, MoveRefused, Obstacle, fewest_days, move_all
from domain.ownership import BULK_LEAD
from domain.pauses import Gate, MissedPolicy, PauseScope, Resumed
from domain.post import OPEN, HoldReason
from domain.schedule import Shift
from store.models import Pause, Post, Target, Workspace
from store.pauses.gates import GATE_NAMES, behind, close_gate, open_gate
from store.pauses.missed import (
    MissedPost,
    count_missed,
    lock_missed,
    publish_missed,
    read_missed,
    skip_missed,
    spaced,
)
from store.pauses.moving import HAS_TIME, read_planned, write_moves
from store.rows import lock


def gate_of_pause(pause: Pause) -> Gate:
    """Return the gate that a pause has closed."""
    return Gate(PauseScope(pause.kind), pause.gate_id)


async def begin_pause(
    session: AsyncSession, workspace_id: str, gate: Gate, reason: str | None, actor: Actor
) -> tuple[Pause, bool]:
    """Close a gate; return its pause, and whether it is new. A pause that is under way stays as it is."""
    await lock(session, f"pauses.{workspace_id}")
    under_way = await find_pause_under_way(session, workspace_id, gate)
    if under_way is not None:
        return under_way, False
    since = await close_gate(session, workspace_id, gate)
    pause = Pause(
        id=new_id("pau"),
        workspace_id=workspace_id,
        kind=gate.kind.value,
        gate_id=gate.id,
        reason=reason,
        paused_at=since,
        paused_by_type=actor.type.value,
        paused_by=actor.id,
    )
    session.add(pause)
    await session.flush()
    return pause, True


async def find_pause_under_way(session: AsyncSession, workspace_id: str, gate: Gate) -> Pause | None:
    """Return the pause that holds a gate closed."""
    query = select(Pause).where(Pause.workspace_id == workspace_id, Pause.kind == gate.kind.value)
    return await session.scalar(query.where(Pause.gate_id == gate.id, Pause.ended_at.is_(None)))


async def list_pauses_under_way(
    session: AsyncSession, workspace_id: str | None, limit: int | None = None
) -> Sequence[tuple[Pause, str]]:
    """Return the pauses of a workspace, or of all, that have not ended, each with the name of its workspace."""
    query = select(Pause, Workspace.name).join(Workspace).where(Pause.ended_at.is_(None)).order_by(Pause.id)
    query = query.limit(limit)
    if workspace_id is not None:
        query = query.where(Pause.workspace_id == workspace_id)
    return [(pause, name) for pause, name in await session.execute(query)]


async def list_paused_gates(session: AsyncSession) -> list[tuple[str, Gate]]:
    """Return the gates of all workspaces whose pauses are under way, each with the id of its workspace."""
    query = select(Pause.workspace_id, Pause.kind, Pause.gate_id).where(Pause.ended_at.is_(None))
    rows = await session.execute(query)
    return [(workspace_id, Gate(PauseScope(kind), gate_id)) for workspace_id, kind, gate_id in rows]


async def longest_with_missed(session: AsyncSession, now: datetime) -> dict[PauseScope, timedelta]:
    """Return how long the longest pause of each scope has lasted that holds a target."""
    holds = (
        select(Target.id)
        .join(Post, Post.id == Target.post_id)
        .where(Target.workspace_id == Pause.workspace_id, Target.hold_reason == HoldReason.PAUSED)
        .where(or_(*(and_(Pause.kind == kind, Pause.gate_id == name) for kind, name in GATE_NAMES.items())))
    )
    query = select(Pause.kind, func.min(Pause.paused_at)).where(Pause.ended_at.is_(None), holds.exists())
    rows = await session.execute(query.group_by(Pause.kind))
    return {PauseScope(kind): now - paused_at for kind, paused_at in rows}


async def end_pause(
    session: AsyncSession,
    pause: Pause,
    policy: MissedPolicy | None,
    spacing: timedelta,
    actor: Actor,
    campaign: CampaignRules | None = None,
) -> tuple[Resumed, list[str]] | None:
    """Publish, move or skip what a pause has missed, and then open its gate.

    Returns the counts, and the ids of the posts that continue soon, the first due first. A pause that has ended returns
    its result again. None if something was missed and `policy` does not say what becomes of it. The posts of `campaign`
    move only to times that it allows. Raises MoveRefused.
    """
    await lock(session, f"pauses.{pause.workspace_id}")
    await session.refresh(pause)
    if pause.ended_at is not None:
        return Resumed(**pause.result or {}), []
    now, gate = datetime.now(UTC), gate_of_pause(pause)
    moving = moved_by_pause(pause.workspace_id, gate) if policy is MissedPolicy.SHIFT else ()
    posts, staying = await lock_missed(session, pause.workspace_id, gate, now, *moving)
    if posts and policy is None:
        return None
    entry = AuditEntry(Action.CHANGED, actor, details=(("pause", pause.id), ("missed", policy and policy.value)))
    if policy is MissedPolicy.SHIFT:
        resumed, continuing = await shift_missed(session, pause.workspace_id, gate, posts, entry, now, campaign)
    else:
        resumed, continuing = await _continue(session, posts, policy, spacing, entry, now)
    await open_gate(session, pause.workspace_id, gate)
    resumed = replace(resumed, still_paused=staying)
    pause.ended_at, pause.ended_by_type, pause.ended_by = datetime.now(UTC), actor.type.value, actor.id
    pause.result = asdict(resumed)
    return resumed, continuing


async def _continue(
    session: AsyncSession,
    posts: Sequence[MissedPost],
    policy: MissedPolicy | None,
    spacing: timedelta,
    entry: AuditEntry,
    now: datetime,
) -> tuple[Resumed, list[str]]:
    if policy is MissedPolicy.SKIP:
        await skip_missed(session, posts, entry, now)
        return Resumed(skipped=len(posts)), []
    times = spaced(posts, now, spacing)
    await publish_missed(session, posts, times, entry, now)
    soon = [post.id for post in posts if times[post.id] <= now + BULK_LEAD]
    return Resumed(published=len(posts)), soon


async def preview_end(
    session: AsyncSession, pause: Pause, policy: MissedPolicy | None, campaign: CampaignRules | None = None
) -> Resumed:
    """Return what the end of a pause would do now. Raises MoveRefused."""
    if pause.ended_at is not None:
        return Resumed(**pause.result or {})
    now, gate = datetime.now(UTC), gate_of_pause(pause)
    missed = await count_missed(session, pause.workspace_id, gate, now)
    match policy:
        case MissedPolicy.SKIP:
            return Resumed(skipped=missed.published, still_paused=missed.still_paused)
        case MissedPolicy.SHIFT:
            posts = await read_missed(session, pause.workspace_id, gate, now)
            shift = await plan_shift(session, pause.workspace_id, gate, posts, now, campaign)
            return replace(shift.resumed, still_paused=missed.still_paused)
        case MissedPolicy.PUBLISH | None:
            return missed


_NO_TIME = timedelta(0)


@dataclass(frozen=True, slots=True)
class PauseShift:
    """The effect of the end of a pause if posts move: the new times, and what cannot move."""

    moves: Sequence[Move]
    published: Sequence[MissedPost]
    """Partly public, or without a time of their own: what was missed of them is published now."""
    skipped: Sequence[MissedPost]
    """Posts of series, which have their times from a rule."""

    @property
    def resumed(self) -> Resumed:
        """Return the counts."""
        return Resumed(published=len(self.published), shifted=len(self.moves), skipped=len(self.skipped))


def moved_by_pause(workspace_id: str, gate: Gate) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions of the posts that move with those that a gate has missed."""
    return (Post.workspace_id == workspace_id, behind(gate), HAS_TIME, Post.status.in_(OPEN))


async def plan_shift(
    session: AsyncSession,
    workspace_id: str,
    gate: Gate,
    missed: Sequence[MissedPost],
    now: datetime,
    campaign: CampaignRules | None,
) -> PauseShift:
    """Return the new times by which nothing is due in the past. Raises MoveRefused."""
    planned = await read_planned(session, *moved_by_pause(workspace_id, gate))
    continuing = {post.id for post in missed}
    # A post that another pause stops as well stays as it is.
    planned = [post for post in planned if post.id in continuing or post.schedule.instant > now]
    days = fewest_days([post for post in planned if post.id in continuing], now)
    if days and len(planned) > MOST_MOVED:
        raise MoveRefused(Obstacle.TOO_MANY, [post.id for post in planned])
    moves = await move_all(planned, Shift(days, _NO_TIME), now, campaign) if days else []
    moving = {move.post.id for move in moves}
    staying = [post for post in missed if post.id not in moving]
    return PauseShift(
        moves,
        [post for post in staying if not post.is_of_series],
        [post for post in staying if post.is_of_series],
    )


async def shift_missed(
    session: AsyncSession,
    workspace_id: str,
    gate: Gate,
    missed: Sequence[MissedPost],
    entry: AuditEntry,
    now: datetime,
    campaign: CampaignRules | None,
) -> tuple[Resumed, list[str]]:
    """Move locked posts; return the counts, and the ids of the posts that are due soon. Raises MoveRefused."""
    shift = await plan_shift(session, workspace_id, gate, missed, now, campaign)
    await write_moves(session, shift.moves, entry, now)
    await publish_missed(session, shift.published, {post.id: now for post in shift.published}, entry, now)
    await skip_missed(session, shift.skipped, entry, now)
    soon = [move.post.id for move in shift.moves if move.to.instant <= now + BULK_LEAD]
    return shift.resumed, [*(post.id for post in shift.published), *soon]
