"""Unnamed files: created when they are needed, deleted when they are closed."""

import asyncio
import threading
from pathlib import Path

import pytest

from domain.shares import Exhausted, Shares
from media.spool import Spool, off_the_loop


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
