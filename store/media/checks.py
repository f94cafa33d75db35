"""Validations whose files a worker checks: their content is passed in these rows, never in a payload."""

import json
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.content import PostContent
from domain.ids import new_id
from store.models import MediaCheck

_NOTE = text("UPDATE media_checks SET findings = findings || CAST(:added AS jsonb) WHERE id = :id")
"""Targets are checked concurrently: each adds its own findings."""

KEPT = timedelta(minutes=10)


async def add_check(session: AsyncSession, workspace_id: str, content: PostContent, now: datetime) -> str:
    """Save the content of a validation for workers to read; returns the check's id."""
    check = MediaCheck(
        id=new_id("check"),
        workspace_id=workspace_id,
        content=content.model_dump(mode="json"),
        findings={},
        expires_at=now + KEPT,
    )
    session.add(check)
    await session.flush()
    return check.id


async def find_check(session: AsyncSession, check_id: str) -> MediaCheck | None:
    """Return the current row of a check."""
    return await session.get(MediaCheck, check_id, populate_existing=True)


async def note_findings(session: AsyncSession, check_id: str, position: int, findings: list[dict[str, Any]]) -> None:
    """Save what was found about the files of the target at a position; an empty list means that the files are valid."""
    await session.execute(_NOTE, {"id": check_id, "added": json.dumps({str(position): findings})})


async def delete_old_checks(session: AsyncSession, now: datetime, most: int) -> int:
    """Delete up to `most` checks for which no request waits any more; return how many there were."""
    due = select(MediaCheck.id).where(MediaCheck.expires_at <= now).order_by(MediaCheck.expires_at).limit(most)
    ids = list(await session.scalars(due))
    await session.execute(delete(MediaCheck).where(MediaCheck.id.in_(ids)))
    return len(ids)
