"""A directory as a store: kills, full disks, links, and two writers."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from storage.base import ObjectMissing, PartBusy, PartPlan, StorageFull, StorageUnavailable, new_key, object_path
from storage.directory import DirectoryStorage
from storage.opening import open_storage
from tests.storage.objects import DATA, content, pieces


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "media").mkdir()
    return tmp_path / "media"


@pytest.fixture
async def store(folder: Path) -> AsyncIterator[DirectoryStorage]:
    store = DirectoryStorage(folder, least_free=0)
    await store.prepare()
    yield store
    await store.close()


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def test_a_setting_names_a_whole_path() -> None:
    for address in ("", "file:", "file:media", "/media", "file:../media", "http://media"):
        with pytest.raises(ValueError, match="whole path"):
            open_storage(address)


async def test_a_directory_that_is_not_there_is_unavailable_and_never_made(tmp_path: Path) -> None:
    """A volume that is not mounted would else get uploads on the disk below, and its files would be missing."""
    for folder in (tmp_path / "none", tmp_path):
        store, key, plan = DirectoryStorage(folder, least_free=0), new_key(), PartPlan.for_size(1)
        for call in (
            store.write(key, pieces(DATA), len(DATA)),
            store.begin_multipart(key, "video/mp4", plan),
            store.write_part(key, "file", plan, 1, pieces(b"x")),
            store.parts(key, "file", plan),
            store.complete_multipart(key, "file", plan),
            store.stat(key),
            store.head(key),
            store.open_local(key),
            store.delete(key),
        ):
            with pytest.raises(StorageUnavailable):
                await call
        await store.close()
    assert names(tmp_path) == []


async def test_room_is_left_for_the_database(folder: Path) -> None:
    store = DirectoryStorage(folder, least_free=2**60)
    await store.prepare()
    plan, key = PartPlan.for_size(1), new_key()
    multipart = await store.begin_multipart(key, "video/mp4", plan)
    with pytest.raises(StorageFull):
        await store.write(new_key(), pieces(DATA), len(DATA))
    with pytest.raises(StorageFull):
        await store.write_part(key, multipart, plan, 1, pieces(b"x"))
    assert names(folder / "incoming") == []
    await store.close()


async def test_a_link_in_place_of_an_object_is_not_followed(store: DirectoryStorage, folder: Path) -> None:
    key = new_key()
    await store.write(key, pieces(b"x"), 1)
    path = folder / object_path(key)
    path.unlink()
    path.symlink_to("/etc/passwd")
    with pytest.raises(StorageUnavailable):
        await store.head(key)


async def test_a_part_has_one_writer(store: DirectoryStorage) -> None:
    key, plan = new_key(), PartPlan.for_size(10)
    multipart = await store.begin_multipart(key, "video/mp4", plan)
    reached, release = asyncio.Event(), asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        reached.set()
        await release.wait()
        yield b"0123456789"

    writing = asyncio.create_task(store.write_part(key, multipart, plan, 1, slowly()))
    await reached.wait()
    with pytest.raises(PartBusy):
        await store.write_part(key, multipart, plan, 1, pieces(b"abcdefghij"))
    with pytest.raises(PartBusy):
        await store.complete_multipart(key, multipart, plan)
    release.set()
    await writing
    await store.complete_multipart(key, multipart, plan)
    assert await content(store, key) == b"0123456789"


KILLED = """
import asyncio, sys
from pathlib import Path
from storage.directory import DirectoryStorage
from storage.base import PartPlan

async def slowly(data):
    yield data
    print("written", flush=True)
    await asyncio.sleep(3600)

async def main():
    store, key, what = DirectoryStorage(Path(sys.argv[1]), least_free=0), sys.argv[2], sys.argv[3]
    if what == "write":
        await store.write(key, slowly(b"x" * 2**21), 2**30)
    else:
        plan = PartPlan.for_size(2**22)
        await store.write_part(key, "file", plan, 1, slowly(b"y" * 2**21))

asyncio.run(main())
"""


@pytest.mark.parametrize("what", ["write", "part"])
async def test_a_process_that_is_killed_leaves_no_object_and_no_lock(
    store: DirectoryStorage, folder: Path, what: str
) -> None:
    key, plan = new_key(), PartPlan.for_size(2**22)
    multipart = await store.begin_multipart(key, "video/mp4", plan)
    await store.write_part(key, multipart, plan, 1, pieces(b"a" * 2**22))
    command = [sys.executable, "-c", KILLED, str(folder), key, what]
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    assert process.stdout
    assert await process.stdout.readline() == b"written\n"
    process.send_signal(signal.SIGKILL)
    await process.wait()
    assert await store.stat(key) is None
    if what == "part":
        # The part is neither the old one nor the new one.
        assert await store.parts(key, multipart, plan) == []
        await store.write_part(key, multipart, plan, 1, pieces(b"b" * 2**22))
        assert (await store.complete_multipart(key, multipart, plan)).size == 2**22
        assert await store.head(key) == b"b" * 1024
        return
    await store.write(key, pieces(b"again"), 5)
    assert await content(store, key) == b"again"
    assert len(names(folder / "incoming")) == 1
    assert await store.remove_abandoned(datetime.now(UTC) + timedelta(days=1)) == 2
    assert names(folder / "incoming") == []
    assert await content(store, key) == b"again"


async def test_an_upload_that_was_named_and_not_reported_is_completed_again(
    store: DirectoryStorage, folder: Path
) -> None:
    """A process may die after the file has its name and before its folder is gone."""
    key, plan = new_key(), PartPlan.for_size(3)
    multipart = await store.begin_multipart(key, "video/mp4", plan)
    await store.write_part(key, multipart, plan, 1, pieces(b"abc"))
    path = folder / object_path(key)
    path.parent.mkdir(parents=True)
    (folder / "parts" / key / "data").rename(path)
    written = await store.complete_multipart(key, multipart, plan)
    assert (written.size, await content(store, key)) == (3, b"abc")
    assert not (folder / "parts" / key).exists()
    await store.delete(key)
    with pytest.raises(ObjectMissing):
        await store.complete_multipart(key, multipart, plan)


async def test_files_are_the_services_alone(store: DirectoryStorage, folder: Path) -> None:
    key = new_key()
    await store.write(key, pieces(b"x"), 1)
    path = folder / object_path(key)
    assert [oct(entry.stat().st_mode & 0o777) for entry in (path, path.parent, path.parent.parent)] == [
        "0o600",
        "0o700",
        "0o700",
    ]
    assert os.access(path, os.R_OK)
