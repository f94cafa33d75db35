"""Files that were made for networks which fetch files themselves, kept for as long as these may ask for them."""

import secrets
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from store.models import MediaFile


async def keep_file(session: AsyncSession, content_type: str, content: bytes, expires_at: datetime) -> str:
    """Keep a file and return its token, which cannot be guessed."""
    token = secrets.token_urlsafe(24)
    session.add(MediaFile(token=token, content_type=content_type, content=content, expires_at=expires_at))
    return token


async def find_file(session: AsyncSession, token: str, now: datetime) -> MediaFile | None:
    """Return a file that has not expired."""
    return await session.scalar(select(MediaFile).where(MediaFile.token == token, MediaFile.expires_at > now))


async def delete_expired_files(session: AsyncSession, now: datetime, most: int) -> int:
    """Delete up to `most` files that have expired; returns how many there were."""
    due = select(MediaFile.token).where(MediaFile.expires_at <= now).order_by(MediaFile.expires_at).limit(most)
    tokens = list(await session.scalars(due))
    await session.execute(delete(MediaFile).where(MediaFile.token.in_(tokens)))
    return len(tokens)
