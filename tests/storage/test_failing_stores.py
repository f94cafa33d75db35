"""A store that is killed or full in the middle of a transfer: what it has taken stays, and a repeat works."""

import asyncio
import os
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from storage.base import PART, ObjectMissing, PartPlan, Storage, StorageError, StorageFull, StorageUnavailable, new_key
from storage.directory import DirectoryStorage
from storage.s3 import S3Storage
from storage.s3_client import Bucket
from tests.storage.objects import DATA, content, pieces
from tests.storage.servers import NAME, credentials, rclone

DISK = 24 * 2**20
LARGE = bytes(DISK + 2**20)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own that is soon full."""
    folder = tmp_path / "disk"
    folder.mkdir()
    options = ("-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(folder))
    if subprocess.run(("mount", *options), check=False, capture_output=True).returncode:
        pytest.skip("only root can mount a small disk")
    yield folder
    subprocess.run(("umount", "--lazy", str(folder)), check=True)


def leave_free(folder: Path, size: int) -> Path:
    """Fill a disk but for some bytes, and return the file that fills it."""
    filler = folder / "filler"
    disk = os.statvfs(folder)
    filler.write_bytes(bytes(max(disk.f_bavail * disk.f_frsize - size, 0)))
    return filler


async def test_a_directory_that_becomes_full_loses_nothing(small_disk: Path) -> None:
    store = DirectoryStorage(small_disk, least_free=0)
    await store.prepare()
    first, key, plan = new_key(), new_key(), PartPlan.for_size(PART + 2**20)
    await store.write(first, pieces(DATA), len(DATA))
    with pytest.raises(StorageFull):
        await store.write(key, pieces(LARGE), len(LARGE))
    assert list((small_disk / "incoming").iterdir()) == []
    multipart = await store.begin_multipart(key, "video/mp4", plan)
    await store.write_part(key, multipart, plan, 2, pieces(bytes(2**20)))
    filler = leave_free(small_disk, 2**20)
    with pytest.raises(StorageFull):
        await store.write_part(key, multipart, plan, 1, pieces(bytes(PART)))
    assert [part.number for part in await store.parts(key, multipart, plan)] == [2]
    filler.unlink()
    await store.write_part(key, multipart, plan, 1, pieces(bytes(PART)))
    leave_free(small_disk, 0)
    with suppress(StorageFull):
        await store.complete_multipart(key, multipart, plan)
    (small_disk / "filler").unlink()
    assert (await store.complete_multipart(key, multipart, plan)).size == plan.size
    assert await content(store, first) == DATA
    await store.close()


@dataclass
class Proxy:
    """A server between a store and rclone, which kills rclone or loses answers."""

    target: int
    kill: Callable[[], None]
    kills_after: int | None = None
    """The number of bytes of requests after which rclone is killed."""
    loses_answers: bool = False
    port: int = 0
    received: int = field(default=0, init=False)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Proxy"]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        yield self
        server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            answers, requests = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.close()
            return
        await asyncio.gather(self._requests(reader, requests), self._answers(answers, writer), return_exceptions=True)
        requests.close()
        writer.close()

    async def _requests(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(2**16):
            self.received += len(data)
            if self.kills_after is not None and self.received >= self.kills_after:
                self.kills_after = None
                await asyncio.to_thread(self.kill)
            writer.write(data)
            await writer.drain()
        writer.write_eof()

    async def _answers(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(2**16):
            if self.loses_answers:
                break
            writer.write(data)
            await writer.drain()
        writer.close()


@asynccontextmanager
async def killable_store(folder: Path) -> AsyncIterator[tuple[Storage, Proxy, Callable[[], None]]]:
    """Yield a store, the proxy to its server, and the start of the server after a kill."""
    server = ExitStack()
    with credentials(), server:
        port = urlsplit(server.enter_context(rclone(folder)).url).port or 0
        async with Proxy(port, server.close).running() as proxy:
            store = S3Storage(Bucket.parse(f"s3://{NAME}?endpoint=http://127.0.0.1:{proxy.port}"))

            def start() -> None:
                server.enter_context(rclone(folder, port))

            yield store, proxy, start
            await store.close()


async def test_a_server_that_is_killed_in_a_transfer_loses_nothing_that_it_took(tmp_path: Path) -> None:
    async with killable_store(tmp_path / "s3") as (store, proxy, start):
        first, key, plan = new_key(), new_key(), PartPlan.for_size(PART + 2**20)
        await store.write(first, pieces(DATA), len(DATA))
        proxy.received, proxy.kills_after = 0, 2**20
        with pytest.raises(StorageUnavailable):
            await store.write(key, pieces(bytes(4 * 2**20)), 4 * 2**20)
        for call in (store.stat(first), content(store, first), store.delete(key)):
            with pytest.raises(StorageUnavailable):
                await call
        start()
        assert await content(store, first) == DATA
        # Nothing, or the whole file: no row names it, and the repeat has a key of its own.
        assert (stat := await store.stat(key)) is None or stat.size == 4 * 2**20
        again = new_key()
        written = await store.write(again, pieces(bytes(4 * 2**20)), 4 * 2**20)
        assert written.size == 4 * 2**20
        multipart = await store.begin_multipart(key, "video/mp4", plan)
        proxy.received, proxy.kills_after = 0, 2**20
        with pytest.raises(StorageError):
            await store.write_part(key, multipart, plan, 1, pieces(bytes(PART)))
        start()
        # rclone keeps parts in its memory. Their upload has ended, and is not taken for a complete one.
        with pytest.raises(ObjectMissing):
            await store.complete_multipart(key, multipart, plan)
        assert await content(store, first) == DATA


async def test_a_completion_whose_answer_is_lost_is_repeated(tmp_path: Path) -> None:
    async with killable_store(tmp_path / "s3") as (store, proxy, _):
        key, plan = new_key(), PartPlan.for_size(PART + 2**20)
        multipart = await store.begin_multipart(key, "video/mp4", plan)
        for number in (1, 2):
            await store.write_part(key, multipart, plan, number, pieces(bytes(plan.length(number))))
        await store.parts(key, multipart, plan)
        proxy.loses_answers = True
        with pytest.raises(StorageUnavailable):
            await store.complete_multipart(key, multipart, plan)
        proxy.loses_answers = False
        assert (await store.complete_multipart(key, multipart, plan)).size == plan.size
        assert (await store.complete_multipart(key, multipart, plan)).size == plan.size


async def test_a_full_disk_of_temporary_files_is_a_full_store(
    tmp_path: Path, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files on their way to a bucket are collected on this machine."""
    monkeypatch.setattr(tempfile, "tempdir", str(small_disk))
    async with killable_store(tmp_path / "s3") as (store, _, _start):
        key, plan = new_key(), PartPlan.for_size(2 * PART)
        multipart = await store.begin_multipart(key, "video/mp4", plan)
        for size in (0, 2**20 + 5):
            filler = leave_free(small_disk, size)
            with pytest.raises(StorageFull):
                await store.write(key, pieces(LARGE), len(LARGE))
            with pytest.raises(StorageFull):
                await store.write_part(key, multipart, plan, 1, pieces(bytes(PART)))
            filler.unlink()
        assert (await store.write_part(key, multipart, plan, 1, pieces(bytes(PART)))).number == 1
        monkeypatch.setattr(tempfile, "tempdir", str(small_disk / "none"))
        with pytest.raises(StorageUnavailable):
            await store.write(key, pieces(DATA), len(DATA))
