"""The API and workers recognize the store of uploads that the database names."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text

from reconcile.readiness import Readiness, ready
from reconcile.storage import StorageCheck
from storage.base import Storage, StorageUnavailable, new_key
from storage.directory import DirectoryStorage
from tests.stack import Stack
from tests.storage.objects import content, pieces


@pytest.fixture(autouse=True)
async def no_marker(stack: Stack) -> AsyncIterator[None]:
    # The store of another test may be named.
    async with stack.database.transaction() as session:
        await session.execute(text("DELETE FROM storage_markers"))
    yield
    async with stack.database.transaction() as session:
        await session.execute(text("DELETE FROM storage_markers"))


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    folders = [tmp_path / name for name in ("shared", "other")]
    for folder in folders:
        folder.mkdir()
    return folders


def opened(folder: Path) -> DirectoryStorage:
    return DirectoryStorage(folder, least_free=0)


async def markers(storage: Storage) -> list[str]:
    return [facts.key async for facts in storage.objects()]


async def test_processes_that_start_together_agree_on_one_marker(stack: Stack, folders: list[Path]) -> None:
    storages = [opened(folders[0]) for _ in range(4)]
    databases = [stack.api_database, stack.worker_database] * 2
    checks = [StorageCheck(*parts) for parts in zip(databases, storages, strict=True)]
    assert await asyncio.gather(*(check.check() for check in checks)) == [True] * 4
    async with stack.database.reading() as session:
        assert await markers(storages[0]) == list(await session.scalars(text("SELECT key FROM storage_markers")))


async def test_a_full_directory_has_no_room_for_uploads(stack: Stack, folders: list[Path]) -> None:
    roomy, full = opened(folders[0]), DirectoryStorage(folders[0], least_free=2**62)
    checks = [StorageCheck(stack.api_database, storage) for storage in (roomy, full)]
    # The store is still the right one, and is read.
    assert [await check.check() for check in checks] == [True, True]
    assert checks[0].room
    assert checks[1].room == 0


async def test_a_directory_that_is_not_shared_is_not_used(stack: Stack, folders: list[Path]) -> None:
    api, worker = map(opened, folders)
    assert await StorageCheck(stack.api_database, api).check()
    await worker.prepare()
    check, key = StorageCheck(stack.worker_database, worker), new_key()
    assert [await check.check() for _ in range(2)] == [False] * 2
    with pytest.raises(StorageUnavailable, match="not the store of this database"):
        await worker.write(key, pieces(b"x"), 1)
    with pytest.raises(StorageUnavailable):
        await worker.head(key)
    readiness = Readiness(stack.worker_database, stack.workflows.queues, storage=worker)
    parts = await readiness.parts()
    assert (parts["storage"], ready(parts)) == (False, False)
    await readiness.close()


async def test_a_volume_that_is_mounted_later_is_used(stack: Stack, folders: list[Path]) -> None:
    shared, other = folders
    api = opened(shared)
    assert await StorageCheck(stack.api_database, api).check()
    key = new_key()
    await api.write(key, pieces(b"x"), 1)
    worker = opened(other)
    check = StorageCheck(stack.worker_database, worker)
    assert not await check.check()
    with pytest.raises(StorageUnavailable):
        await worker.stat(key)
    # As a copy of the objects alone.
    (shared / "objects").rename(other / "objects")
    assert await check.check()
    assert await content(worker, key) == b"x"
    await worker.write(new_key(), pieces(b"y"), 1)
    assert not await StorageCheck(stack.api_database, api).check()


async def test_a_directory_that_cannot_be_used_is_reported(stack: Stack, tmp_path: Path) -> None:
    storage = opened(tmp_path / "none")
    readiness = Readiness(stack.api_database, stack.workflows.queues, storage=storage)
    assert (await readiness.parts())["storage"] is False
    async with stack.database.reading() as session:
        assert list(await session.scalars(text("SELECT key FROM storage_markers"))) == []
    (tmp_path / "none").mkdir()
    (task,) = readiness.tasks()
    assert await task.work()
    await readiness.close()
    without = Readiness(stack.api_database, stack.workflows.queues)
    assert "storage" not in await without.parts()
    assert without.tasks() == []
    await without.close()
