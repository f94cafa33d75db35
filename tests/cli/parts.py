"""Small programs in place of a stack's parts, and functions that ask about processes."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

from cli.stack.process import Command
from cli.stack.supervisor import Part

SLEEP = "import time; time.sleep(600)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('on', flush=True); time.sleep(600)"
)


def python(code: str, *arguments: str) -> Command:
    """Run Python code as a program."""
    return Command([sys.executable, "-I", "-S", "-c", code, *arguments])


def part(code: str, check: Callable[[], None] = lambda: None, **more: object) -> Part:
    """Describe a part of a stack that runs Python code."""

    async def start() -> Command:
        return python(code)

    async def checked() -> None:
        check()

    return Part("thing", "Thing", start, checked, **more)  # type: ignore[arg-type]


def alive(pid: int) -> bool:
    with suppress(psutil.Error):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


async def until(condition: Callable[[], object], seconds: float = 60) -> None:
    """Wait for a condition; fails if it does not become true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        await asyncio.sleep(0.02)


def contents(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def kill(pid: int | None) -> None:
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
