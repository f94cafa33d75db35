"""The rows of uploads: one writer at a time, none that blocks for ever, and the quota of the workspace."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from domain.ids import new_id
from domain.uploads import LARGEST_UPLOAD, UploadState
from store.database import Database
from store.models import Upload
from store.uploads.claims import Content, claim_upload, lock_open, release_claim, renew_claim, settle_upload
from store.uploads.rows import (
    NewUpload,
    TooManyUploads,
    begin_upload,
    find_by_id,
    find_public,
    find_upload,
    find_uploads_by_token,
    list_uploads,
    lock_quota,
    mark_deleted,
)
from store.workspaces.keys import create_workspace


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


async def end_claim(database: Database, upload_id: str) -> None:
    """Let the time of a claim pass."""
    async with database.transaction() as session:
        past = "UPDATE uploads SET claimed_until = clock_timestamp() - interval '1 second' WHERE id = :id"
        await session.execute(text(past), {"id": upload_id})


async def row(database: Database, upload: Upload) -> Upload | None:
    async with database.reading() as session:
        return await find_upload(session, upload.workspace_id, upload.id)


async def settle(database: Database, upload_id: str, name: str, content: Content) -> bool:
    async with database.transaction() as session:
        if not await lock_open(session, upload_id, name):
            return False
        await settle_upload(session, upload_id, UploadState.READY, content)
        return True


async def test_one_writer_at_a_time(database: Database, workspace: str) -> None:
    upload = await begin(database, workspace)
    claims = await asyncio.gather(*(claim(database, upload.id, f"writer {n}") for n in range(5)))
    assert [older_key for older_key in claims if older_key] == [upload.key]


async def test_the_claim_of_a_process_that_died_ends(database: Database, workspace: str) -> None:
    upload = await begin(database, workspace)
    assert await claim(database, upload.id, "dead")
    await end_claim(database, upload.id)
    current = await row(database, upload)
    assert current is not None
    assert current.state_at(datetime.now(UTC)) is UploadState.PENDING
    assert await claim(database, upload.id, "alive") == "dead"
    async with database.transaction() as session:
        assert not await renew_claim(session, upload.id, "dead")
        assert await renew_claim(session, upload.id, "alive")
        # The dead one wakes up, and changes nothing.
        await release_claim(session, upload.id, "dead")
    content = Content(7, b"s" * 32, "", "image/jpeg")
    assert not await settle(database, upload.id, "dead", content)
    assert await settle(database, upload.id, "alive", content)
    assert not await claim(database, upload.id, "later")
    current = await row(database, upload)
    assert current is not None
    assert (current.state, current.size, current.reserved, current.sha256) == ("ready", 7, 7, b"s" * 32)
    public = await find_public(database, upload.token)
    assert public is not None
    assert (public.id, public.content_type, public.size, public.is_ready) == (upload.id, "image/jpeg", 7, True)


async def test_an_upload_that_broke_off_begins_again(database: Database, workspace: str) -> None:
    upload = await begin(database, workspace)
    for name in ("first", "second"):
        assert await claim(database, upload.id, name)
        async with database.transaction() as session:
            await release_claim(session, upload.id, name)
    current = await row(database, upload)
    assert current is not None
    assert (current.state, current.claimed_until, current.reserved) == ("pending", None, 10)


async def test_nobody_begins_after_its_time(database: Database, workspace: str) -> None:
    upload = await begin(database, workspace)
    async with database.transaction() as session:
        past = "UPDATE uploads SET expires_at = now() - interval '1 second' WHERE id = :id"
        await session.execute(text(past), {"id": upload.id})
    assert not await claim(database, upload.id, "late")


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


async def test_uploads_are_found_by_their_workspace_only(database: Database, workspace: str) -> None:
    first, second = await begin(database, workspace), await begin(database, workspace, content_type="video/mp4")
    async with database.transaction() as session:
        other = await create_workspace(session, new_id("w"))
        assert await find_upload(session, other, first.id) is None
        assert await find_uploads_by_token(session, other, [first.token]) == []
        (by_token,) = await find_uploads_by_token(session, workspace, [first.token, "unknown"])
        by_id = await find_by_id(session, first.id)
        assert by_id is not None
        assert by_id.id == by_token.id == first.id
        assert await find_by_id(session, "unknown") is None
        listed = await list_uploads(session, workspace, before=None, most=10)
        assert [upload.id for upload in listed] == [second.id, first.id]
        older = await list_uploads(session, workspace, before=second.id, most=10)
        assert [upload.id for upload in older] == [first.id]
        videos = await list_uploads(session, workspace, before=None, most=10, type_prefix="video/")
        assert [upload.id for upload in videos] == [second.id]
        ready = await list_uploads(session, workspace, before=None, most=10, states=[UploadState.READY])
        assert ready == []
        await mark_deleted(session, first.id, datetime.now(UTC))
        assert await find_upload(session, workspace, first.id) is None
        assert await find_by_id(session, first.id) is None
    assert await find_public(database, first.token) is None
    pending = await find_public(database, second.token)
    assert pending is not None
    assert not pending.is_ready
