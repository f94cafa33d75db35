"""The rows of requests that workers carry out for the API: accounts that are being connected, and lists of choices."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.ids import new_id
from domain.workspaces import SelectionBy
from store.due import Due
from store.models import ChoiceList, PendingConnection
from store.rows import delete_first, update_rows

KEPT = timedelta(minutes=10)


async def add_choice_list(session: AsyncSession, workspace_id: str, account_id: str, setting: str, within: str) -> str:
    """Save a request; returns its id."""
    row = ChoiceList(
        id=new_id("choices"), workspace_id=workspace_id, account_id=account_id, setting=setting, within=within
    )
    session.add(row)
    await session.flush()
    return row.id


async def note_choices(session: AsyncSession, list_id: str, result: dict[str, Any]) -> None:
    """Save the result of a request."""
    await session.execute(update(ChoiceList).where(ChoiceList.id == list_id).values(result=result))


async def delete_old_choices(session: AsyncSession, now: datetime, most: int) -> int:
    """Delete up to `most` requests for which no client waits any more; return how many there were."""
    return await delete_first(session, ChoiceList.id, ChoiceList.asked_at, most, ChoiceList.asked_at <= now - KEPT)


STATE_LIFETIME = timedelta(minutes=10)
"""How long a person may take to consent."""
SELECTION_LIFETIME = timedelta(minutes=30)
"""How long a person may take to choose."""
_KEPT = timedelta(days=1)
_LAST_STEP = timedelta(minutes=5)
"""Longer than a step may take that began before its connection expired."""


def digest(text: str) -> bytes:
    """Return the SHA-256 of a text."""
    return hashlib.sha256(text.encode()).digest()


async def add_connection(
    session: AsyncSession,
    *,
    workspace_id: str,
    platform: str,
    now: datetime,
    state: str | None = None,
    redirect_url: str | None = None,
    selection_by: SelectionBy | None = None,
    return_url: str | None = None,
    account_id: str | None = None,
    options: Mapping[str, str] | None = None,
    begun_by: str | None = None,
    connection_id: str | None = None,
) -> str:
    """Begin a connection; returns its id."""
    row = PendingConnection(
        id=connection_id or new_id("sel"),
        workspace_id=workspace_id,
        platform=platform,
        state_hash=digest(state) if state else None,
        redirect_url=redirect_url,
        selection_by=selection_by,
        return_url=return_url,
        account_id=account_id,
        options=dict(options or {}),
        begun_by=begun_by,
        created_at=now,
        expires_at=now + STATE_LIFETIME,
    )
    session.add(row)
    await session.flush()
    return row.id


async def begin_of_newest(session: AsyncSession, workspace_id: str, number: int) -> datetime | None:
    """Return when the first of a workspace's newest connections was begun, so many of them; None if it has fewer."""
    begun_at = PendingConnection.created_at
    own = select(begun_at).where(PendingConnection.workspace_id == workspace_id)
    return await session.scalar(own.order_by(begun_at.desc()).offset(number - 1).limit(1))


async def find_by_state(
    session: AsyncSession, workspace_id: str, platform: str, state: str
) -> PendingConnection | None:
    """Return the workspace's connection of a state, if its client receives the platform's redirect."""
    query = select(PendingConnection).where(
        PendingConnection.state_hash == digest(state),
        PendingConnection.workspace_id == workspace_id,
        PendingConnection.platform == platform,
        PendingConnection.selection_by.is_(None),
    )
    return await session.scalar(query)


async def find_hosted(session: AsyncSession, state: str) -> PendingConnection | None:
    """Return the connection of a state, of any workspace, if this service receives the platform's redirect."""
    query = select(PendingConnection).where(
        PendingConnection.state_hash == digest(state), PendingConnection.selection_by.is_not(None)
    )
    return await session.scalar(query)


async def awaited_codes(session: AsyncSession, platform: str, codes: Sequence[str], now: datetime) -> dict[str, str]:
    """Return the codes among these that connections wait for, each with the connection's id."""
    by_digest = {digest(code): code for code in codes}
    query = select(PendingConnection.state_hash, PendingConnection.id).where(
        PendingConnection.state_hash.in_(by_digest),
        PendingConnection.platform == platform,
        PendingConnection.redirect_url.is_(None),
        PendingConnection.posted_in.is_(None),
        PendingConnection.expires_at > now,
    )
    return {by_digest[state_hash]: connection for state_hash, connection in await session.execute(query) if state_hash}


async def bind_browser(session: AsyncSession, connection_id: str, cookie: str, now: datetime) -> bool:
    """Bind a connection to the browser of this cookie; False if another one is bound, or the state cannot be used."""
    unbound = or_(PendingConnection.browser_hash.is_(None), PendingConnection.browser_hash == digest(cookie))
    own = (PendingConnection.id == connection_id, *_is_usable(now), unbound)
    return await update_rows(session, PendingConnection, *own, browser_hash=digest(cookie)) == 1


async def find_open(
    session: AsyncSession, workspace_id: str, platform: str, redirect_url: str, now: datetime
) -> list[PendingConnection]:
    """Return up to two of the workspace's connections that wait for a code at an address."""
    query = select(PendingConnection).where(
        PendingConnection.workspace_id == workspace_id,
        PendingConnection.platform == platform,
        PendingConnection.redirect_url == redirect_url,
        PendingConnection.selection_by.is_(None),
        PendingConnection.authorize_url.is_not(None),
        *_is_usable(now),
    )
    return list(await session.scalars(query.limit(2)))


async def hand_over(session: AsyncSession, connection_id: str, handover: bytes) -> None:
    """Save data for the worker before there is a code."""
    own = (PendingConnection.id == connection_id, PendingConnection.consumed_at.is_(None))
    await update_rows(session, PendingConnection, *own, handover=handover)


async def consume(
    session: AsyncSession, connection_id: str, *, handover: bytes, handover_hash: bytes, now: datetime
) -> bool:
    """Use a state and hand over its data, for one caller only; False if it was used or has expired."""
    own = (PendingConnection.id == connection_id, *_is_usable(now))
    values = {"handover": handover, "handover_hash": handover_hash}
    times = {"consumed_at": now, "expires_at": now + SELECTION_LIFETIME}
    return await update_rows(session, PendingConnection, *own, **values, **times) == 1


def _is_usable(now: datetime) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions that a state was not used, and may be."""
    return PendingConnection.consumed_at.is_(None), PendingConnection.expires_at > now


async def choose(session: AsyncSession, connection_id: str, selected_ids: Sequence[str], now: datetime) -> bool:
    """Choose from a selection, once; False if the choice was made before, or the selection has expired."""
    own = (PendingConnection.selected_ids.is_(None), PendingConnection.expires_at > now)
    named = PendingConnection.id == connection_id
    return await update_rows(session, PendingConnection, named, *own, selected_ids=list(selected_ids)) == 1


async def begin_exchange(session: AsyncSession, connection_id: str, now: datetime) -> bool:
    """Save that the code is being sent to the platform; False if it was sent before."""
    own = (PendingConnection.id == connection_id, PendingConnection.exchanged_at.is_(None))
    return await update_rows(session, PendingConnection, *own, exchanged_at=now) == 1


async def update_connection(session: AsyncSession, connection_id: str, **values: Any) -> None:
    """Write columns of a connection, for the worker."""
    await update_rows(session, PendingConnection, PendingConnection.id == connection_id, **values)


ABANDONED = Due(
    "pending_connections",
    "pending_connections.expires_at <= :now AND pending_connections.exchanged_at IS NOT NULL"
    " AND pending_connections.sealed IS NOT NULL",
)


async def claim_abandoned(session: AsyncSession, now: datetime, most: int) -> list[PendingConnection]:
    """Return connections that have ended with tokens that no account uses, locked until the transaction ends."""
    query = select(PendingConnection).where(ABANDONED.at(now - _LAST_STEP))
    locked = query.order_by(PendingConnection.expires_at).limit(most).with_for_update(skip_locked=True)
    return list(await session.scalars(locked))


async def end_connections(session: AsyncSession, workspace_id: str) -> None:
    """End the connections of a workspace, so that the workers end now what these have obtained."""
    now = func.now()
    is_open = (PendingConnection.workspace_id == workspace_id, PendingConnection.expires_at > now - _LAST_STEP)
    await update_rows(session, PendingConnection, *is_open, expires_at=now - _LAST_STEP)


async def delete_old_connections(session: AsyncSession, now: datetime, most: int) -> int:
    """Delete up to `most` connections that ended a day ago; returns how many there were."""
    ended_at = PendingConnection.expires_at
    return await delete_first(session, PendingConnection.id, ended_at, most, ended_at <= now - _KEPT)
