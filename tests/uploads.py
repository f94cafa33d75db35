"""Uploads for tests: rows, and their bytes in a storage."""

import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import delete

from domain.ids import new_id
from domain.uploads import UNUSED_FOR, UploadState
from reconcile.readiness import Readiness
from storage.base import Storage, new_key
from store.database import Database
from store.models import StorageMarker, Upload

BASE = "http://media.test"
"""Where the tests' service serves uploads."""


async def sign_with_storage(database: Database, readiness: Readiness) -> None:
    """Let an API sign addresses with its own storage, also if the database names that of another test."""
    async with database.transaction() as session:
        await session.execute(delete(StorageMarker))
    assert await readiness.signing_keys()


async def add_upload(
    database: Database,
    workspace_id: str,
    content: bytes = b"",
    *,
    storage: Storage | None = None,
    content_type: str = "image/jpeg",
    **columns: Any,
) -> Upload:
    """Save a ready upload, and put its bytes into a storage if one is named."""
    now = datetime.now(UTC)
    row = {
        "id": new_id("med"),
        "workspace_id": workspace_id,
        "token": secrets.token_urlsafe(24),
        "key": new_key(),
        "address_nonce": secrets.token_bytes(32),
        "filename": "file.jpg",
        "content_type": content_type,
        "sniffed_type": content_type,
        "size": len(content),
        "reserved": len(content),
        "state": UploadState.READY.value,
        "expires_at": now + UNUSED_FOR,
        "created_at": now,
    }
    upload = Upload(**row | columns)
    if storage is not None:
        await storage.write(upload.key, _chunks(content), len(content))
    async with database.transaction() as session:
        session.add(upload)
    return upload


def address(upload: Upload, base: str = BASE) -> str:
    """Return the public address of an upload."""
    return f"{base}/media/u/{upload.token}/{upload.filename}"


async def _chunks(content: bytes) -> AsyncIterator[bytes]:
    yield content
