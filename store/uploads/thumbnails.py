"""Thumbnails of uploads: requested with the upload's arrival, made by workers, served by their tokens.

A claim is the time of the next attempt: a worker that dies leaves a thumbnail that is made again at that time.
"""

import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.uploads import THUMBNAIL_AGAIN_AFTER
from store.database import Pool
from store.due import Due
from store.models import Thumbnail

TO_MAKE = Due("thumbnails", "due_at <= :now")
_IS_DUE = TO_MAKE.sql("clock_timestamp()")
_REQUEST = text("""
INSERT INTO thumbnails (upload_id, workspace_id, token, due_at) VALUES (:upload_id, :workspace_id, :token, now())
ON CONFLICT DO NOTHING
""")
# A workspace by chance, so that none waits for all that is due in others, and of it what is due for the longest time.
_CLAIM = text(f"""
WITH RECURSIVE holders (id) AS (
  (SELECT workspace_id FROM thumbnails WHERE {_IS_DUE} ORDER BY workspace_id LIMIT 1)
  UNION ALL
  SELECT (SELECT workspace_id FROM thumbnails
          WHERE {_IS_DUE} AND workspace_id > holders.id ORDER BY workspace_id LIMIT 1)
  FROM holders WHERE id IS NOT NULL
), due AS (
  SELECT upload_id FROM thumbnails
  WHERE workspace_id = (SELECT id FROM holders WHERE id IS NOT NULL ORDER BY random() LIMIT 1)
    AND {_IS_DUE}
  ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED
)
UPDATE thumbnails SET attempts = attempts + 1,
  due_at = clock_timestamp() + (CAST(:again_after AS interval[]))[least(attempts + 1, :most)]
FROM due JOIN uploads ON uploads.id = due.upload_id
WHERE thumbnails.upload_id = due.upload_id
RETURNING thumbnails.upload_id, thumbnails.workspace_id, thumbnails.attempts, uploads.key, coalesce(uploads.etag, ''),
  coalesce(uploads.size, 0)
""")  # noqa: S608 our own condition
_FINISH = text("""
UPDATE thumbnails SET content = :content, error_code = :error_code, due_at = NULL
WHERE upload_id = :upload_id AND due_at IS NOT NULL
""")
_FIND = """
SELECT thumbnails.workspace_id, thumbnails.content FROM thumbnails JOIN uploads ON uploads.id = thumbnails.upload_id
WHERE thumbnails.token = $1 AND thumbnails.content IS NOT NULL AND uploads.state = 'ready'
"""


@dataclass(frozen=True, slots=True)
class ThumbnailClaim:
    """An attempt to make a thumbnail, and where the bytes of its upload are."""

    upload_id: str
    workspace_id: str
    number: int
    """How many attempts there were with this one."""
    key: str
    etag: str
    size: int

    @property
    def is_last(self) -> bool:
        """Return whether no further attempt may be made after this one."""
        return self.number >= len(THUMBNAIL_AGAIN_AFTER)

    @property
    def is_over(self) -> bool:
        """Return whether the attempts before were all that may be made; the last one ended with its worker."""
        return self.number > len(THUMBNAIL_AGAIN_AFTER)


@dataclass(frozen=True, slots=True)
class StoredThumbnail:
    """A thumbnail as its address serves it."""

    workspace_id: str
    content: bytes


def has_picture(content_type: str | None) -> bool:
    """Return whether a file may have a thumbnail, by the type that its first bytes show."""
    return content_type is not None and content_type.startswith(("image/", "video/"))


async def request_thumbnail(session: AsyncSession, workspace_id: str, upload_id: str) -> None:
    """Let a worker make the thumbnail of an upload."""
    values = {"upload_id": upload_id, "workspace_id": workspace_id, "token": secrets.token_urlsafe(24)}
    await session.execute(_REQUEST, values)


async def is_thumbnail_due(database: Pool) -> bool:
    """Return whether a thumbnail is to be made."""
    return await database.row(f"SELECT FROM thumbnails WHERE {TO_MAKE.sql()} LIMIT 1") is not None


async def claim_thumbnail(session: AsyncSession) -> ThumbnailClaim | None:
    """Begin an attempt for a thumbnail that is due; None if none is."""
    values = {"again_after": list(THUMBNAIL_AGAIN_AFTER), "most": len(THUMBNAIL_AGAIN_AFTER)}
    row = (await session.execute(_CLAIM, values)).one_or_none()
    return ThumbnailClaim(*row) if row else None


async def keep_thumbnail(session: AsyncSession, upload_id: str, content: bytes) -> None:
    """Store a thumbnail; nothing if the upload is deleted, or has one."""
    await session.execute(_FINISH, {"upload_id": upload_id, "content": content, "error_code": None})


async def give_up_thumbnail(session: AsyncSession, upload_id: str, error_code: str) -> None:
    """Record that an upload gets no thumbnail, and why."""
    await session.execute(_FINISH, {"upload_id": upload_id, "content": None, "error_code": error_code})


async def find_thumbnail(database: Pool, token: str) -> StoredThumbnail | None:
    """Return the thumbnail of a token; None while it is not made, and once its upload is deleted."""
    row = await database.row(_FIND, token)
    return StoredThumbnail(*row) if row else None


async def thumbnail_tokens(session: AsyncSession, upload_ids: Collection[str]) -> Mapping[str, str]:
    """Return the tokens of the thumbnails that are made, by the ids of their uploads."""
    query = select(Thumbnail.upload_id, Thumbnail.token)
    query = query.where(Thumbnail.upload_id.in_(upload_ids), Thumbnail.content.is_not(None))
    return {row.upload_id: row.token for row in await session.execute(query)}
