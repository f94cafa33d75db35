"""Files for platforms that fetch files themselves, kept for as long as the platforms may fetch them."""

import secrets
from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from store.locks import lock
from store.models import HostedFile

MOST_FILES = 10_000
MOST_BYTES = 2 * 2**30
"""The limits of one workspace at any time."""


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
    files, kept = (await session.execute(query)).one()
    if files >= MOST_FILES or kept + len(content) > MOST_BYTES:
        raise TooManyFiles
    token = secrets.token_urlsafe(24)
    session.add(
        HostedFile(
            token=token, workspace_id=workspace_id, content_type=content_type, content=content, expires_at=expires_at
        )
    )
    return token


async def find_file(session: AsyncSession, token: str, now: datetime) -> HostedFile | None:
    """Return a file that has not expired."""
    return await session.scalar(select(HostedFile).where(HostedFile.token == token, HostedFile.expires_at > now))


async def delete_expired_files(session: AsyncSession, now: datetime, most: int) -> int:
    """Delete up to `most` files that have expired; returns how many there were."""
    due = select(HostedFile.token).where(HostedFile.expires_at <= now).order_by(HostedFile.expires_at).limit(most)
    tokens = list(await session.scalars(due))
    await session.execute(delete(HostedFile).where(HostedFile.token.in_(tokens)))
    return len(tokens)
