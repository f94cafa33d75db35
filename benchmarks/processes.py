"""Processes of a benchmark, and the processor time that each uses."""

import asyncio
import contextlib
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil


@asynccontextmanager
async def program(*words: str, niceness: int = 0) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run `python -m` with these words and wait until it is ready; it ends when its standard input does."""
    process = await asyncio.create_subprocess_exec(
        *("nice", "-n", str(niceness), sys.executable, "-m", *words),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        if await answer(process) != "ready":
            raise SystemExit(f"{' '.join(words)} did not start")
        yield process
    finally:
        with contextlib.suppress(OSError):
            assert process.stdin is not None
            process.stdin.close()
        await process.wait()


async def answer(process: asyncio.subprocess.Process, line: str = "") -> str:
    """Send a program a line, if there is one, and return its next line."""
    assert process.stdin is not None
    assert process.stdout is not None
    if line:
        process.stdin.write(f"{line}\n".encode())
    return (await process.stdout.readline()).decode().strip()


def parts_of(dev: dict[str, Any]) -> dict[str, int]:
    """Return the process ids of a development stack's parts, by their names."""
    noted = json.loads((Path(dev["dataDir"]) / "run.json").read_text())
    return {name: each["pid"] for name, each in noted.items() if isinstance(each, dict) and "pid" in each}


def cpu_seconds(pid: int) -> float:
    """Return the seconds of one core that a process and its descendants have used, including ended ones.

    For this process itself only its own time counts, because a whole stack may run below it.
    """
    if pid == os.getpid():
        return time.process_time()
    return sum(_own_seconds(each) for each in _tree(pid))


def _tree(pid: int) -> Iterator[psutil.Process]:
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        yield process
        yield from process.children(recursive=True)


def _own_seconds(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system + times.children_user + times.children_system)
