"""The gates that stop posts from being sent: closed and opened under one lock of their workspace (`begin_send_v1`)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, func, literal, or_, select, text, true
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from domain.attempts import WORKER_LOST, AttemptState, AttemptStep
from domain.ownership import FENCE
from domain.pauses import Gate, PauseScope
from domain.post import PostStatus
from store.models import Attempt, Post, Target
from store.models import Gate as GateRow

_CLOSE = text("SELECT close_gate_v1(:workspace_id, :kind, :id)")
_PLAN = text("""
SELECT plan_gate_v1(:workspace_id, :kind, :id, (
  SELECT coalesce(range_agg(tstzrange(begins, ends)), '{}')
  FROM unnest(CAST(:begins AS timestamptz[]), CAST(:ends AS timestamptz[])) AS range (begins, ends)
))
""")
_OPEN = text("SELECT open_gate_v1(:workspace_id, :kind, :id)")

GATE_NAMES: Mapping[PauseScope, ColumnElement[Any] | InstrumentedAttribute[Any]] = {
    PauseScope.WORKSPACE: literal(""),
    PauseScope.ACCOUNT: Target.platform + "/" + Target.account_id,
    PauseScope.CAMPAIGN: Post.campaign_id,
    PauseScope.SERIES: Post.series_id,
}
"""The name of the gate of each kind that stops a target of a post, for queries with `Target` and `Post`."""


def is_stopped(resumed: Gate | None = None) -> ColumnElement[bool]:
    """Return the condition that a closed gate stops a target of a post now, for queries with `Target` and `Post`.

    `resumed` is a gate that is about to be opened: only a plan counts that closes it as well. A condition of its own
    for each kind, and no volatile function in it: so PostgreSQL reads the closed gates once for thousands of targets.
    """
    return or_(
        *(
            select(GateRow.id)
            .where(GateRow.workspace_id == Target.workspace_id, GateRow.kind == kind.value, GateRow.id == name)
            .where(_is_closed(resumed))
            .correlate(Target, Post)
            .exists()
            for kind, name in GATE_NAMES.items()
        )
    )


async def is_any_closed(session: AsyncSession, workspace_id: str, resumed: Gate) -> bool:
    """Return whether a gate of a workspace is closed besides `resumed`, or `resumed` by its plan."""
    gates = select(GateRow.id).where(GateRow.workspace_id == workspace_id, _is_closed(resumed))
    return bool(await session.scalar(select(gates.exists())))


def _is_closed(resumed: Gate | None) -> ColumnElement[bool]:
    # Each gate is read as it is when the statement begins, so its times are compared with that instant, too.
    now = func.statement_timestamp()
    is_closed: ColumnElement[bool] = GateRow.closed.op("@>")(now)
    if resumed is not None:
        is_closed = and_(is_closed, or_(GateRow.kind != resumed.kind.value, GateRow.id != resumed.id))
    return or_(is_closed, GateRow.planned.op("@>")(now))


def stopped_by(gate: Gate) -> ColumnElement[bool]:
    """Return the condition that a gate of the target's workspace stops the target of a post when it is closed."""
    return true() if gate.kind is PauseScope.WORKSPACE else GATE_NAMES[gate.kind] == gate.id


def behind(gate: Gate) -> ColumnElement[bool]:
    """Return the condition that a gate of its workspace stops a post, or a target of it, when it is closed."""
    if gate.kind is PauseScope.ACCOUNT:
        return select(Target.id).where(Target.post_id == Post.id, stopped_by(gate)).correlate(Post).exists()
    return stopped_by(gate)


async def close_gate(session: AsyncSession, workspace_id: str, gate: Gate) -> datetime:
    """Close a gate; return since when it is closed. Once this is committed, no send that it stops can begin."""
    since: datetime = await session.scalar(_CLOSE, _names(workspace_id, gate))
    return since


async def open_gate(session: AsyncSession, workspace_id: str, gate: Gate) -> None:
    """Open a gate, after all posts that the transaction changes are locked: a send locks its post before the gate."""
    await session.execute(_OPEN, _names(workspace_id, gate))


async def plan_gate(
    session: AsyncSession, workspace_id: str, gate: Gate, ranges: Iterable[tuple[datetime, datetime | None]]
) -> None:
    """Plan when a gate is closed from now on, whatever pauses do; a range without an end is for good.

    It comes after all locks of posts, as `open_gate`.
    """
    begins, ends = zip(*ranges, strict=True) if (ranges := list(ranges)) else ((), ())
    await session.execute(_PLAN, {**_names(workspace_id, gate), "begins": list(begins), "ends": list(ends)})


def _names(workspace_id: str, gate: Gate) -> dict[str, str]:
    return {"workspace_id": workspace_id, "kind": gate.kind.value, "id": gate.id}


@dataclass(frozen=True, slots=True)
class PostInFlight:
    """A target whose request to be made public began before a gate was closed, and may still be under way."""

    post_id: str
    platform: str
    account_id: str
    since: datetime


async def posts_in_flight(session: AsyncSession, workspace_id: str, gate: Gate) -> Sequence[PostInFlight]:
    """Return what may still leave a process although a gate is closed: at most 100, the oldest first.

    A frozen process may send a request for as long as its attempt is open. If another process has closed that attempt,
    it may until the time in the attempt. An attempt of an older process has none: then it may for FENCE after the close
    (domain.ownership.last_moment).
    """
    sendable_until = func.coalesce(Attempt.sendable_until, Attempt.finished_at + FENCE)
    closed_lately = and_(Attempt.code == WORKER_LOST, sendable_until > func.clock_timestamp())
    query = (
        select(Target.post_id, Target.platform, Target.account_id, Attempt.started_at)
        .select_from(Post)
        .join(Target, Target.post_id == Post.id)
        .join(Attempt, Attempt.target_id == Target.id)
        .where(
            Post.workspace_id == workspace_id,
            Post.status.in_((PostStatus.PUBLISHING, PostStatus.PARTIAL)),
            stopped_by(gate),
            Attempt.step == AttemptStep.PUBLISH,
            or_(and_(Attempt.state == AttemptState.SENDING, Attempt.code.is_(None)), closed_lately),
        )
        .order_by(Attempt.started_at)
        .limit(100)
    )
    return [PostInFlight(*row) for row in await session.execute(query)]
