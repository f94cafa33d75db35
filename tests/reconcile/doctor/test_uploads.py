"""The doctor names files of the storage that no row knows, and deletes none."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from reconcile.doctor.findings import FindingKind, FixedBy
from reconcile.doctor.uploads import diagnose_uploads
from reconcile.storage import StorageCheck
from storage.base import StorageError, new_key, object_path
from storage.directory import DirectoryStorage
from store.database import Database
from tests.databases import add_workspace, new_database
from tests.media.hostile import JPEG
from tests.uploads import add_upload


@pytest.fixture
async def database(postgres_url: str) -> AsyncIterator[Database]:
    database = Database(await new_database(postgres_url))
    yield database
    await database.close()


async def _content() -> AsyncIterator[bytes]:
    yield JPEG


async def test_old_files_without_a_row_are_named(database: Database, tmp_path: Path) -> None:
    storage = DirectoryStorage(tmp_path, least_free=0)
    assert await StorageCheck(database, storage).check()
    workspace_id = await add_workspace(database)
    known = await add_upload(database, workspace_id, JPEG, storage=storage)
    old, young = new_key(), new_key()
    for key in (old, young):
        await storage.write(key, _content(), len(JPEG))
    assert await diagnose_uploads(database, storage) == [], "an upload that begins has its row a moment later"
    async for stat in storage.objects():
        if stat.key != young:
            os.utime(tmp_path / object_path(stat.key), (1, 1))
    (finding,) = await diagnose_uploads(database, storage)
    assert (finding.kind, finding.fixed_by) == (FindingKind.ORPHANED_FILES, FixedBy.PERSON)
    assert finding.what.startswith("1 file of the storage")
    assert old in finding.what
    assert {stat.key async for stat in storage.objects()} >= {known.key, old, young}
    await storage.close()


async def test_an_empty_mount_point_is_no_storage_that_agrees(database: Database, tmp_path: Path) -> None:
    storage = DirectoryStorage(tmp_path / "uploads", least_free=0)
    elsewhere = DirectoryStorage(tmp_path / "empty", least_free=0)
    for folder in ("uploads", "empty"):
        (tmp_path / folder).mkdir()
    assert await StorageCheck(database, storage).check()
    with pytest.raises(StorageError, match="which the database names"):
        await diagnose_uploads(database, elsewhere)
    await storage.close()
    await elsewhere.close()
