"""Uploads are deleted when nothing holds them any more: first marked, then the bytes, then the row."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text

from activities.options import RETRY_WINDOW
from domain.uploads import MEDIA_KEPT, UNUSED_FOR, UploadState
from reconcile import uploads
from reconcile.uploads import expire_uploads
from storage.base import StorageUnavailable
from storage.directory import DirectoryStorage
from store.database import Database
from store.models import Upload
from tests.databases import new_database
from tests.media.hostile import JPEG
from tests.store.uploads.test_uses import add_post, content
from tests.uploads import add_upload, address

NOW = datetime.now(UTC)
PAST: dict[str, Any] = {"expires_at": NOW - timedelta(seconds=1)}


class Failing(DirectoryStorage):
    """A storage that deletes nothing while `fails` is set."""

    fails = True

    async def delete(self, key: str) -> None:
        if self.fails:
            raise StorageUnavailable("away")
        await super().delete(key)


class Remote(DirectoryStorage):
    is_local = False


@pytest.fixture
async def database(postgres_url: str) -> AsyncIterator[Database]:
    database = Database(await new_database(postgres_url))
    yield database
    await database.close()


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[DirectoryStorage]:
    storage = Failing(tmp_path, least_free=0)
    await storage.prepare()
    yield storage
    await storage.close()


async def left(database: Database, storage: DirectoryStorage) -> dict[str, tuple[str, bool]]:
    """Return the state of each row, and whether its bytes are there."""
    async with database.reading() as session:
        rows = list(await session.scalars(select(Upload)))
    return {row.id: (row.state, await storage.stat(row.key) is not None) for row in rows}


async def test_files_that_nothing_holds_are_deleted_and_others_get_another_time(
    database: Database, storage: Failing, workspace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "_PAUSE_S", 0)
    storage.fails = False
    keep = RETRY_WINDOW + MEDIA_KEPT

    async def add(status: str | None = None, rested: timedelta = timedelta(0), **columns: Any) -> Upload:
        upload = await add_upload(database, workspace, JPEG, storage=storage, **PAST | columns)
        if status:
            post_id = await add_post(database, workspace, content([address(upload)], {}), status)
            async with database.transaction() as session:
                change = text("UPDATE posts SET updated_at = :at WHERE id = :id")
                await session.execute(change, {"at": NOW - rested, "id": post_id})
        return upload

    long_ago = keep + timedelta(days=1)
    later = {
        (await add("draft", long_ago)).id: NOW + timedelta(days=1),
        (await add("scheduled", long_ago)).id: NOW + timedelta(days=1),
        (await add("published", timedelta(days=20))).id: NOW - timedelta(days=20) + keep,
        (await add("failed", keep - timedelta(minutes=1))).id: NOW + timedelta(minutes=1),
        (await add(expires_at=NOW + timedelta(days=1))).id: NOW + timedelta(days=1),
    }
    gone = [await add(), await add("published", long_ago), await add(state="pending"), await add(state="rejected")]
    assert await expire_uploads(database, storage, NOW, batch=2) == len(gone)
    async with database.reading() as session:
        assert {row.id: row.expires_at for row in await session.scalars(select(Upload))} == later
    assert [await storage.stat(upload.key) for upload in gone] == [None] * len(gone)
    assert set((await left(database, storage)).values()) == {("ready", True)}


async def test_a_deletion_continues_wherever_it_was_killed(
    database: Database, storage: Failing, workspace: str
) -> None:
    marked = await add_upload(database, workspace, JPEG, storage=storage, **PAST)
    assert await expire_uploads(database, storage, NOW) == 0
    assert await left(database, storage) == {marked.id: ("deleted", True)}
    assert await expire_uploads(database, storage, NOW) == 0, "a file that fails is not asked for again at once"
    storage.fails = False
    without_bytes = await add_upload(database, workspace, state="deleted", **PAST)
    assert set(await left(database, storage)) == {marked.id, without_bytes.id}
    assert await expire_uploads(database, storage, datetime.now(UTC) + timedelta(minutes=10)) == 2
    assert await left(database, storage) == {}


async def test_a_file_that_went_past_this_service_is_kept_as_long_as_others(
    database: Database, storage: Failing, workspace: str, tmp_path: Path
) -> None:
    remote = Remote(tmp_path, least_free=0)
    arrived = await add_upload(database, workspace, JPEG, storage=storage, state="pending", **PAST)
    missing = await add_upload(database, workspace, state="pending", **PAST)
    away = Remote(tmp_path / "unmounted", least_free=0)
    assert await expire_uploads(database, away, NOW) == 0
    assert set(await left(database, storage)) == {arrived.id, missing.id}, "nothing is known of a storage that is away"
    assert await expire_uploads(database, remote, NOW) == 1
    assert await left(database, storage) == {arrived.id: (UploadState.PENDING.value, True)}
    assert missing.id not in await left(database, storage)
    assert await expire_uploads(database, remote, NOW + UNUSED_FOR + timedelta(hours=1)) == 1
    for store in (remote, away):
        await store.close()
