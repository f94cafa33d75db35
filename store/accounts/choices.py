"""Requests for the values of settings, and what workers have found: names of boards are no payload of a workflow."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.ids import new_id
from store.models import ChoiceList

KEPT = timedelta(minutes=10)


async def add_choice_list(session: AsyncSession, workspace_id: str, account_id: str, setting: str, within: str) -> str:
    """Save a request; returns its id."""
    row = ChoiceList(
        id=new_id("choices"), workspace_id=workspace_id, account_id=account_id, setting=setting, within=within
    )
    session.add(row)
    await session.flush()
    return row.id


async def find_choice_list(session: AsyncSession, list_id: str) -> ChoiceList | None:
    """Return a request with its result."""
    return await session.get(ChoiceList, list_id, populate_existing=True)


async def note_choices(session: AsyncSession, list_id: str, result: dict[str, Any]) -> None:
    """Save the result of a request."""
    await session.execute(update(ChoiceList).where(ChoiceList.id == list_id).values(result=result))


async def asked_since(session: AsyncSession, workspace_id: str, since: datetime, most: int) -> int:
    """Return how many requests a workspace has made since then, up to `most`."""
    recent = select(ChoiceList.id).where(ChoiceList.workspace_id == workspace_id, ChoiceList.asked_at >= since)
    return int(await session.scalar(select(func.count()).select_from(recent.limit(most).subquery())) or 0)


async def delete_old_choices(session: AsyncSession, now: datetime, most: int) -> int:
    """Delete up to `most` requests for which no client waits any more; return how many there were."""
    due = select(ChoiceList.id).where(ChoiceList.asked_at <= now - KEPT).order_by(ChoiceList.asked_at).limit(most)
    ids = list(await session.scalars(due))
    await session.execute(delete(ChoiceList).where(ChoiceList.id.in_(ids)))
    return len(ids)
