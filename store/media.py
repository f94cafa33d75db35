"""Files for platforms that fetch files themselves, and validations whose files a worker checks."""

import json
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.content import PostContent
from domain.ids import new_id
from store.database import Pool
from store.models import HostedFile, MediaCheck
from store.rows import delete_first, lock

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


async def note_findings(session: AsyncSession, check_id: str, position: int, findings: list[dict[str, Any]]) -> None:
    """Save what was found about the files of the target at a position; an empty list means that the files are valid."""
    await session.execute(_NOTE, {"id": check_id, "added": json.dumps({str(position): findings})})


async def delete_old_checks(session: AsyncSession, now: datetime, most: int) -> int:
    """Delete up to `most` checks for which no request waits any more; return how many there were."""
    return await delete_first(session, MediaCheck.id, MediaCheck.expires_at, most, MediaCheck.expires_at <= now)


MOST_FILES = 10_000
MOST_BYTES = 2 * 2**30
"""The limits of one workspace at any time."""

# The column's storage is EXTERNAL: PostgreSQL reads the requested part of such a value, and nothing for its length.
_OPEN = """
SELECT workspace_id, content_type, octet_length(content), substring(content FROM 1 FOR $3) FROM media_files
WHERE token = $1 AND expires_at > $2
"""
_PIECE = "SELECT substring(content FROM $2 FOR $3) FROM media_files WHERE token = $1"


class TooManyFiles(Exception):
    """An error: a workspace has as many files here as it may; some expire within two days."""


async def keep_file(
    session: AsyncSession, workspace_id: str, content_type: str, content: bytes, expires_at: datetime
) -> str:
    """Keep a file and return its token, which cannot be guessed. Raises TooManyFiles.

    Locks out other files of the workspace until the transaction ends, so that the limits hold exactly.
    """
    await lock(session, f"media_files.{workspace_id}")
    # PostgreSQL knows the length of a large value without reading it.
    size = func.coalesce(func.sum(func.octet_length(HostedFile.content)), 0)
    query = select(func.count(), size).where(HostedFile.workspace_id == workspace_id)
    files, total = (await session.execute(query)).one()
    if files >= MOST_FILES or total + len(content) > MOST_BYTES:
        raise TooManyFiles
    token = secrets.token_urlsafe(24)
    session.add(
        HostedFile(
            token=token, workspace_id=workspace_id, content_type=content_type, content=content, expires_at=expires_at
        )
    )
    return token


@dataclass(frozen=True, slots=True)
class FilePiece:
    """The first piece of a file, with what its reader must know of the whole."""

    workspace_id: str
    content_type: str
    size: int
    content: bytes


async def open_file(database: Pool, token: str, now: datetime, most: int) -> FilePiece | None:
    """Return the first `most` bytes of a file that has not expired."""
    row = await database.row(_OPEN, token, now, most)
    return FilePiece(*row) if row else None


async def read_piece(database: Pool, token: str, start: int, most: int) -> bytes | None:
    """Return at most `most` bytes of a file from byte `start` on; None if the file was deleted."""
    row = await database.row(_PIECE, token, start + 1, most)
    return row[0] if row else None


async def delete_expired_files(session: AsyncSession, now: datetime, most: int) -> int:
    """Delete up to `most` files that have expired; returns how many there were."""
    return await delete_first(session, HostedFile.token, HostedFile.expires_at, most, HostedFile.expires_at <= now)
