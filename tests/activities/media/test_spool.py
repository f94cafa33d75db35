"""Files without a name: made when they are needed, gone when they are closed."""

import threading
from pathlib import Path

import pytest

from activities.media.spool import Spool, off_the_loop


@pytest.fixture
def numbers() -> Path:
    """Be the folder in which the system lists this process's open files."""
    folder = Path("/proc/self/fd")
    if not folder.exists():
        pytest.skip("this system does not list a process's open files")
    return folder


def test_room_that_nobody_uses_takes_no_file(numbers: Path) -> None:
    before = len(list(numbers.iterdir()))
    with Spool() as room:
        assert room.size == 0
        assert len(list(numbers.iterdir())) == before
        room.append(b"used")
        assert len(list(numbers.iterdir())) == before + 1
    assert len(list(numbers.iterdir())) == before


@pytest.mark.parametrize("content", [b"", b"something"])
def test_what_is_closed_is_not_opened_again(content: bytes) -> None:
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
async def test_only_work_on_large_files_is_worth_a_thread(size: int, elsewhere: bool) -> None:
    thread = await off_the_loop(size, threading.get_ident)
    assert (thread != threading.get_ident()) is elsewhere
