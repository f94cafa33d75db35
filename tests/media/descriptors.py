"""The files that this process has open."""

import asyncio
import contextlib
import os
import stat
from pathlib import Path


def open_files() -> int:
    """Count the open files that are not sockets: connections of the services in this process come and go."""
    count = 0
    for entry in Path("/dev/fd").iterdir():
        with contextlib.suppress(OSError):
            count += not stat.S_ISSOCK(os.fstat(int(entry.name)).st_mode)
    return count


async def wait_for_open_files(most: int) -> None:
    """Wait until no more files are open: other threads of this process open some for a moment, as by an import."""
    async with asyncio.timeout(60):
        while open_files() > most:  # noqa: ASYNC110 there is no event
            await asyncio.sleep(0.02)
