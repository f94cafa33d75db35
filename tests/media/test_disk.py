"""The disk of media: spools, shares of its space and of steps, and a full disk, which is no owner's fault."""

import asyncio
import errno
import os
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from domain.post import Media, MediaType
from domain.shares import Exhausted, Shares
from media.admission import LEAST_BYTES, Admission, MediaDisk, WaitingSteps
from media.decoder_pool import DecoderPool
from media.fetch import MediaFetcher
from media.shared_files import SharedFiles
from media.spool import Spool, off_the_loop
from media.step_media import MediaTools, StepMedia
from platforms.errors import ErrorKind, PlatformError
from platforms.registry import platforms
from tests.domain.test_shares import Clock
from tests.media import files
from tests.media.hostile import HostileServer, answer
from tests.media.test_step_media import Noted


@pytest.fixture
def numbers() -> Path:
    """Return the folder in which the system lists this process's open files."""
    folder = Path("/proc/self/fd")
    if not folder.exists():
        pytest.skip("this system does not list a process's open files")
    return folder


def test_an_unused_spool_opens_no_file(numbers: Path) -> None:
    before = len(list(numbers.iterdir()))
    with Spool() as room:
        assert room.size == 0
        assert len(list(numbers.iterdir())) == before
        room.append(b"used")
        assert len(list(numbers.iterdir())) == before + 1
    assert len(list(numbers.iterdir())) == before


@pytest.mark.parametrize("content", [b"", b"something"])
def test_a_closed_spool_stays_closed(content: bytes) -> None:
    spool = Spool()
    if content:
        spool.append(content)
    spool.close()
    with pytest.raises(ValueError, match="closed"):
        spool.read_at(0, 1)
    with pytest.raises(ValueError, match="closed"):
        spool.write_at(0, b"late")
    spool.close()


@pytest.mark.parametrize(("size", "elsewhere"), [(1_000, False), (10_000_000, True)])
async def test_only_large_files_use_a_thread(size: int, elsewhere: bool) -> None:
    thread = await off_the_loop(size, threading.get_ident)
    assert (thread != threading.get_ident()) is elsewhere


async def test_a_large_file_is_closed_by_a_thread() -> None:
    disk = Shares(100 * 2**20)
    spool = Spool(disk=disk.take("a", 0))
    spool.append(bytes(17 * 2**20))
    spool.close()
    with pytest.raises(ValueError, match="closed"):
        spool.append(b"late")
    async with asyncio.timeout(60):
        while disk.free < disk.total:  # noqa: ASYNC110 - no event is set
            await asyncio.sleep(0.01)


def test_written_bytes_count_until_closed() -> None:
    disk = Shares(100)
    with Spool(disk=disk.take("a", 0)) as spool, Spool(disk=disk.take("a", 0)) as copy:
        spool.append(bytes(25))
        spool.write_at(0, bytes(10))
        spool.copy_to(copy)
        assert disk.free == 50
        with pytest.raises(Exhausted):
            copy.append(b"x")
        assert copy.size == 25
    assert disk.free == 100


def test_unused_reservations_are_returned() -> None:
    disk = Shares(100)
    with Spool(disk=disk.take("a", 0)) as spool:
        spool.reserve(40)
        spool.append(bytes(10))
        assert disk.free == 60
        spool.release_unused()
        assert disk.free == 90


def seconds(wait: timedelta, exactly: float) -> bool:
    return exactly * 0.8 <= wait.total_seconds() <= exactly * 1.2


def test_each_waiting_step_waits_longer() -> None:
    waiting = WaitingSteps(Clock())
    waits = [waiting.postpone("ws", f"step {number}", 2) for number in range(100)]
    assert all(seconds(wait, 2 * (number + 1)) for number, wait in enumerate(waits))
    # A step that is retried moves to the end of the line; steps of other workspaces do not count.
    assert seconds(waiting.postpone("ws", "step 7", 2), 200)
    assert seconds(waiting.postpone("other", "step", 2), 2)


def test_a_wait_is_neither_too_short_nor_too_long() -> None:
    waiting = WaitingSteps(Clock())
    assert seconds(waiting.postpone("ws", "step", 0.01), 1)
    assert seconds(waiting.postpone("ws", "another", 1000), 300)


def test_steps_that_continue_or_vanish_stop_counting() -> None:
    clock = Clock()
    waiting = WaitingSteps(clock)
    for number in range(9):
        waiting.postpone("ws", f"step {number}", 2)
    for number in range(5):
        waiting.admit("ws", f"step {number}")
    assert seconds(waiting.postpone("ws", "step", 2), 10)
    clock.now = 100
    assert seconds(waiting.postpone("ws", "late", 2), 2)
    for step in ("step", "late"):
        waiting.admit("ws", step)
    assert waiting.__dict__["_until"] == {}


MIB = 2**20


class Disk:
    """A disk that others fill."""

    def __init__(self, free: int) -> None:
        self.free = free

    def __call__(self) -> int:
        return self.free


@pytest.fixture
def tiny_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Mount a disk of 1 MiB at the folder for temporary files."""
    if os.geteuid() or subprocess.call(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", tmp_path]):
        pytest.skip("only root may mount a disk, and not in every container")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield tmp_path
    subprocess.check_call(["umount", "--lazy", tmp_path])


async def fetch_error(server: HostileServer, disk: MediaDisk, content: bytes, kind: MediaType) -> PlatformError | None:
    server.routes["/file"] = answer(content)
    admission, fetcher = Admission(disk), MediaFetcher(private_hosts=[f"127.0.0.1:{server.port}"])
    tools = MediaTools(SharedFiles(fetcher, admission), DecoderPool(), admission=admission)
    telegram = platforms()["telegram"]
    source = StepMedia(tools, "workspace", "post", telegram, telegram.rules.files, Noted(), lambda _: None)
    try:
        async with source.open(Media(type=kind, url=f"http://127.0.0.1:{server.port}/file")):
            return None
    except PlatformError as error:
        return error
    finally:
        await tools.close()


async def test_a_nearly_full_disk_fails_no_post(tiny_disk: Path, server: HostileServer) -> None:
    (tiny_disk / "of somebody else").write_bytes(bytes(MIB - 48 * 1024))
    error = await fetch_error(server, MediaDisk(), files.jpeg() + bytes(100_000), MediaType.IMAGE)
    assert error is not None
    assert (error.kind, error.code) == (ErrorKind.TRANSIENT, "no_disk_space")
    assert await fetch_error(server, MediaDisk(), files.jpeg(), MediaType.IMAGE) is None, "a small file still has room"
    (tiny_disk / "of somebody else").unlink()
    assert await fetch_error(server, MediaDisk(), files.jpeg() + bytes(100_000), MediaType.IMAGE) is None


@pytest.mark.parametrize("limit", [None, LEAST_BYTES])
async def test_a_file_beyond_the_limit_of_the_disk_waits_for_the_operator(
    limit: int | None, server: HostileServer
) -> None:
    document = b"%PDF-1.7" + bytes(LEAST_BYTES // 4)
    error = await fetch_error(server, MediaDisk(limit, Disk(LEAST_BYTES)), document, MediaType.DOCUMENT)
    assert error is not None
    assert (error.kind, error.code) == (ErrorKind.TRANSIENT, "no_disk_space")


def test_the_limit_follows_the_disk() -> None:
    free = Disk(800 * MIB)
    disk = MediaDisk(free=free)
    assert (disk.total, disk.file_bytes) == (400 * MIB, 100 * MIB)
    with disk.take("workspace") as file:
        file.resize(100 * MIB)
        free.free = 700 * MIB
        assert disk.measure() == disk.total == 400 * MIB, "its own files do not make the disk smaller"
        free.free = 100 * MIB
        assert disk.measure() == disk.total == 100 * MIB
        assert disk.free == 0
        file.resize(90 * MIB)
        with pytest.raises(OSError, match="25 MiB") as caught:
            file.resize(91 * MIB)
        assert caught.value.errno == errno.ENOSPC
    free.free = 10**15
    assert disk.measure() == 16 * 2**30


def test_an_operators_limit_is_as_large_as_the_disk_at_most() -> None:
    free = Disk(800 * MIB)
    disk = MediaDisk(512 * MIB, free)
    assert disk.total == 512 * MIB
    free.free = 200 * MIB
    assert disk.measure() == disk.total == 200 * MIB


def test_a_full_disk_is_logged_once_and_again_when_it_has_room() -> None:
    free = Disk(10 * MIB)
    with capture_logs() as lines:
        disk = MediaDisk(free=free)
        assert disk.measure() == 5 * MIB
        assert disk.total == LEAST_BYTES
        free.free = 800 * MIB
        disk.measure()
        disk.measure()
    assert [line["event"] for line in lines] == ["media.disk_full", "media.disk_has_room"]
    assert lines[0]["folder"] == tempfile.gettempdir()


def test_a_workspace_has_room_for_its_largest_file_and_a_copy() -> None:
    disk = MediaDisk(400, Disk(400))
    assert 2 * disk.file_bytes <= disk.most
