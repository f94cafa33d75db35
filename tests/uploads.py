"""Uploads for tests: rows."""

import secrets
from datetime import UTC, datetime
from typing import Any

from domain.ids import new_id
from domain.uploads import UNUSED_FOR, UploadState
from store.database import Database
from store.models import Upload

BASE = "http://media.test"
"""Where the tests' service serves uploads."""


async def add_upload(
    database: Database,
    workspace_id: str,
    content: bytes = b"",
    *,
    content_type: str = "image/jpeg",
    **columns: Any,
) -> Upload:
    """Save a ready upload."""
    now = datetime.now(UTC)
    row = {
        "id": new_id("med"),
        "workspace_id": workspace_id,
        "token": secrets.token_urlsafe(24),
        "key": new_id("key"),
        "filename": "file",
        "content_type": content_type,
        "sniffed_type": content_type,
        "size": len(content),
        "reserved": len(content),
        "state": UploadState.READY.value,
        "expires_at": now + UNUSED_FOR,
        "created_at": now,
    }
    upload = Upload(**row | columns)
    async with database.transaction() as session:
        session.add(upload)
    return upload


def address(upload: Upload, base: str = BASE) -> str:
    """Return the public address of an upload."""
    return f"{base}/media/u/{upload.token}/{upload.filename}"
