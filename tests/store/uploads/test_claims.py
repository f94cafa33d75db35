"""The rows of uploads: one writer at a time, none that blocks for ever, and the quota of the workspace."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.ids import new_id
from domain.uploads import LARGEST_UPLOAD
from store.database import Database
from store.models import Upload
from store.uploads.claims import claim_upload
from store.uploads.rows import (
    NewUpload,
    TooManyUploads,
    begin_upload,
    lock_quota,
    mark_deleted,
)


async def begin(database: Database, workspace_id: str, size: int = 10, quota: int = 1000, **values: Any) -> Upload:
    now = datetime.now(UTC)
    fields = {
        "key": new_id("key"),
        "filename": "a.jpg",
        "content_type": "image/jpeg",
        "sha256": None,
        "created_by": None,
    } | values
    async with database.transaction() as session:
        assert await lock_quota(session, workspace_id, quota) >= size
        new = NewUpload(
            workspace_id=workspace_id, size=size, reserved=size, expires_at=now + timedelta(hours=1), **fields
        )
        return await begin_upload(session, new)


async def claim(database: Database, upload_id: str, key: str) -> str | None:
    async with database.transaction() as session:
        return await claim_upload(session, upload_id, key, 10)


async def test_one_writer_at_a_time(database: Database, workspace: str) -> None:
    upload = await begin(database, workspace)
    claims = await asyncio.gather(*(claim(database, upload.id, f"writer {n}") for n in range(5)))
    assert [older_key for older_key in claims if older_key] == [upload.key]


async def test_the_quota_holds_for_concurrent_requests(
    database: Database, workspace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = await asyncio.gather(
        *(begin(database, workspace, size=10, quota=35) for _ in range(6)), return_exceptions=True
    )
    assert [type(result) for result in begun].count(Upload) == 3
    assert [type(result) for result in begun].count(AssertionError) == 3
    upload = next(result for result in begun if isinstance(result, Upload))
    async with database.transaction() as session:
        # Its own reservation does not count against an upload.
        assert await lock_quota(session, workspace, 35) == 5
        assert await lock_quota(session, workspace, 35, upload_id=upload.id) == 15
        assert await lock_quota(session, workspace, 0) == LARGEST_UPLOAD
        await mark_deleted(session, upload.id, datetime.now(UTC))
    await begin(database, workspace, size=10, quota=35)
    monkeypatch.setattr("store.uploads.rows.MOST_UPLOADS", 3)
    with pytest.raises(TooManyUploads):
        await begin(database, workspace, size=0, quota=35)
