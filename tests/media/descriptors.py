"""The files that this process has open."""

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
