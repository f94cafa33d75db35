"""A watcher that ends what an interrupted or killed test process leaves: its servers, and their files in memory.

Each process that runs tests has a watcher, a process of a session of its own. Once the test process has ended, however
that was, the watcher ends all processes that were started from it, and removes the folders of its servers.
"""

import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

MEMORY = Path("/dev/shm")
_MARK = "SOCIALSYNCER_TEST_PROCESS"
"""The variable of the environment by which the programs that a test process starts are known, wherever they belong."""
_LOOK_EVERY_S = 0.3
_GRACE_S = 5.0


def folder_prefix(process: int) -> str:
    """Return how the names of the folders begin that a test process makes for its servers."""
    return f"posts-test-{process}-"


def watch() -> None:
    """Start the watcher of this process."""
    os.environ[_MARK] = str(os.getpid())
    os.posix_spawn(sys.executable, [sys.executable, __file__, os.environ[_MARK]], os.environ, setsid=True)


def programs(process: int) -> Iterator[psutil.Process]:
    """Yield the programs that a test process has started, and those that they have started."""
    for program in psutil.process_iter():
        with suppress(psutil.Error):
            # PostgreSQL may write its state over its environment, never over the folder in its command.
            is_ours = program.environ().get(_MARK) == str(process)
            if is_ours or any(folder_prefix(process) in word for word in program.cmdline()):
                yield program


def folders(process: int) -> list[Path]:
    """Return the folders of a test process's servers that are still there."""
    roots = (MEMORY, Path(tempfile.gettempdir()))
    return [folder for root in roots for folder in root.glob(f"{folder_prefix(process)}*")]


def _end(process: int) -> None:
    left = [program for program in programs(process) if program.pid not in {os.getpid(), process}]
    for program in left:
        with suppress(psutil.Error):
            # At this signal PostgreSQL removes its segments of shared memory. At others it waits, or leaves them.
            program.send_signal(signal.SIGQUIT)
    for program in psutil.wait_procs(left, _GRACE_S)[1]:
        with suppress(psutil.Error):
            program.kill()
    for folder in folders(process):
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    watched = int(sys.argv[1])
    while os.getppid() == watched:
        time.sleep(_LOOK_EVERY_S)
    _end(watched)
