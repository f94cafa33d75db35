"""Operators' reports about many posts: the waiting targets, and the outcomes since a time."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from sqlalchemy import ColumnElement, exists, func, literal_column, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from domain.plan import WaitsFor
from domain.post import HoldReason
from store.accounts.connected import AppKey, refusals_of_apps
from store.maintenance.waiting import IS_WAITING, target_waits_for
from store.models import ConnectedAccount, Post, Target, Workspace

_PAGE = 500


@dataclass(frozen=True, slots=True)
class WaitingTarget:
    """A target that is due and waits for something other than this service."""

    workspace: str
    """The workspace's name."""
    post_id: str
    platform: str
    account_id: str
    waits_for: WaitsFor
    error_code: str | None
    due_at: datetime | None
    next_attempt_at: datetime | None


@dataclass(frozen=True, slots=True)
class OutcomeCount:
    """The number of targets of one platform with the same outcome."""

    platform: str
    status: str
    error_category: str | None
    error_code: str | None
    count: int


class ConnectionState(StrEnum):
    """The state of an account: connected, refused by its platform, or not connected."""

    CONNECTED = "connected"
    REFUSED = "refused"
    NOT_CONNECTED = "not_connected"


@dataclass(frozen=True, slots=True)
class AccountState:
    """The state of an account: whether it works, since when, and how many targets are held for it."""

    workspace: str
    """The workspace's name."""
    platform: str
    account_id: str
    username: str | None
    state: ConnectionState
    since: datetime | None
    """When it was connected, or first refused; if it is not connected, the due time of its oldest held target."""
    refusal: str | None
    """The platform's reason, or what must be done."""
    held_targets: int
    account: ConnectedAccount | None = None
    """Its row, None if it is not connected."""
    refused_apps: Mapping[AppKey, str] = field(default_factory=dict)
    """The messages with which platforms refuse apps, as far as they concern this account."""


async def waiting_targets(
    session: AsyncSession,
    most: int,
    *,
    workspace_id: str | None = None,
    platform: str | None = None,
    reason: WaitsFor | None = None,
) -> list[WaitingTarget]:
    """Return at most `most` targets that wait, by id, which is the order of their creation."""
    waiting, last = list[WaitingTarget](), ""
    query = (
        select(Target, Workspace.name)
        .join(Post, Post.id == Target.post_id)
        .join(Workspace, Workspace.id == Target.workspace_id)
        .where(IS_WAITING)
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
            waits = target_waits_for(target)
            if waits and (reason is None or waits is reason):
                waiting.append(_waiting(target, workspace, waits))
                if len(waiting) == most:
                    return waiting
        if len(rows) < _PAGE:
            return waiting
        last = rows[-1][0].id


async def outcomes_since(
    session: AsyncSession, since: datetime, workspace_id: str | None = None
) -> Sequence[OutcomeCount]:
    """Return the outcomes of the targets that were due since a time, the most frequent first for each platform."""
    group = (Target.platform, Target.status, Target.error_category, Target.error_code)
    query = select(*group, func.count()).where(Target.due_at >= since, Target.due_at <= func.now()).group_by(*group)
    if workspace_id is not None:
        query = query.where(Target.workspace_id == workspace_id)
    rows = await session.execute(query.order_by(Target.platform, func.count().desc(), *group[1:]))
    return [OutcomeCount(*row) for row in rows]


# A literal: the planner must see that the partial index of held targets has them.
_HELD: ColumnElement[str] = literal_column("'held'")


async def account_states(session: AsyncSession) -> AsyncIterator[AccountState]:
    """Yield the accounts of all workspaces by id, and then those of held targets that are not connected."""
    account = ConnectedAccount
    held = (
        select(func.count())
        .where(Target.status == _HELD, Target.workspace_id == account.workspace_id, Target.account_id == account.id)
        .scalar_subquery()
    )
    query = (
        select(account, Workspace.name, held)
        .join(Workspace, Workspace.id == account.workspace_id)
        .order_by(account.workspace_id, account.id)
        .limit(_PAGE)
    )
    last = ("", "")
    while True:
        rows = (await session.execute(query.where(tuple_(account.workspace_id, account.id) > last))).all()
        refused_apps = await refusals_of_apps(session, [row[0] for row in rows])
        for account_row, workspace, count in rows:
            state = ConnectionState.REFUSED if account_row.refused_at else ConnectionState.CONNECTED
            since, named = (
                account_row.refused_at or account_row.connected_at,
                (account_row.platform, account_row.id, account_row.username),
            )
            yield AccountState(workspace, *named, state, since, account_row.refusal, count, account_row, refused_apps)
        if len(rows) < _PAGE:
            break
        last = (rows[-1][0].workspace_id, rows[-1][0].id)
    connected = exists().where(account.workspace_id == Target.workspace_id, account.id == Target.account_id)
    group = (Workspace.name, Target.platform, Target.account_id)
    gone = (
        select(*group, func.min(Target.due_at), func.count())
        .join(Workspace, Workspace.id == Target.workspace_id)
        .where(Target.status == _HELD, Target.hold_reason == HoldReason.RECONNECT, ~connected)
        .group_by(*group)
        .order_by(*group)
    )
    for workspace, platform, account_id, since, count in await session.execute(gone):
        refusal = "The account is not connected. Connect it again."
        yield AccountState(workspace, platform, account_id, None, ConnectionState.NOT_CONNECTED, since, refusal, count)


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
