"""Calendar views: made, recognized by their tokens, listed and deleted. A token itself is never stored."""

import hashlib
import re
import secrets
from dataclasses import dataclass, field

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.ids import new_id
from domain.workspaces import MOST_VIEWS, ViewDetail
from store.models import CalendarView
from store.rows import count_rows, delete_rows, lock
from store.workspaces.keys import Caller

TOKEN_PREFIX = "cal_"  # noqa: S105 the beginning of every token
_TOKEN = re.compile(rf"{TOKEN_PREFIX}[A-Za-z0-9_-]{{43}}")
_RECOGNIZE = text(
    """
WITH matching AS (
  SELECT sha256, id, workspace_id, campaign_id, account_id, show FROM calendar_views WHERE sha256 = :digest
), used AS (
  -- A row that another transaction has locked is left as it is: no request waits for this.
  UPDATE calendar_views SET last_used_at = now() WHERE sha256 = (
    SELECT calendar_views.sha256 FROM calendar_views JOIN matching USING (sha256)
    WHERE last_used_at IS NULL OR last_used_at < now() - interval '1 minute'
    FOR NO KEY UPDATE OF calendar_views SKIP LOCKED
  )
)
SELECT id, workspace_id, campaign_id, account_id, show FROM matching
"""
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer(Caller):
    """The calendar view whose token a request came with: the caller may see what the view shows, and nothing else."""

    scopes: frozenset[str] = frozenset()
    campaign_id: str | None
    account_id: str | None
    detail: ViewDetail


@dataclass(frozen=True, slots=True)
class NewView:
    """A view that was just made. `token` is shown once and cannot be read again."""

    row: CalendarView
    token: str = field(repr=False)


async def create_view(
    session: AsyncSession,
    workspace_id: str,
    *,
    name: str | None,
    campaign_id: str | None,
    account_id: str | None,
    detail: ViewDetail,
    created_by: str,
) -> NewView | None:
    """Create a view of a workspace's calendar; None if the workspace has as many as it may have."""
    await lock(session, f"calendar_views.{workspace_id}")
    if await count_rows(session, CalendarView.workspace_id == workspace_id) >= MOST_VIEWS:
        return None
    token = TOKEN_PREFIX + secrets.token_urlsafe(32)
    row = CalendarView(
        id=new_id("view"),
        sha256=_digest(token),
        workspace_id=workspace_id,
        name=name,
        campaign_id=campaign_id,
        account_id=account_id,
        show=detail.value,
        created_by=created_by,
    )
    session.add(row)
    await session.flush()
    await session.refresh(row)
    return NewView(row, token)


def is_token_text(text: str) -> bool:
    """Return whether a text can be the token of a view at all."""
    return _TOKEN.fullmatch(text) is not None


async def recognize_view(session: AsyncSession, token: str) -> Viewer | None:
    """Return the view of a token; None if it is unknown or revoked. Notes its use at most once a minute."""
    row = (await session.execute(_RECOGNIZE, {"digest": _digest(token)})).one_or_none()
    if row is None:
        return None
    return Viewer(
        row.id,
        row.workspace_id,
        campaign_id=row.campaign_id,
        account_id=row.account_id,
        detail=ViewDetail(row.show),
    )


async def delete_view(session: AsyncSession, workspace_id: str, view_id: str) -> bool:
    """Delete a view, and so revoke its token; return whether the workspace had it."""
    its_own = (CalendarView.workspace_id == workspace_id, CalendarView.id == view_id)
    return await delete_rows(session, CalendarView.id, *its_own) == 1


def _digest(token: str) -> bytes:
    # A token has 256 random bits, so it cannot be guessed, and a plain hash is enough.
    return hashlib.sha256(token.encode()).digest()
