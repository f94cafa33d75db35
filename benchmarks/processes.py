"""Processes of a benchmark, and the processor time that each uses."""

import asyncio
import contextlib
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil


@asynccontextmanager
async def program(
    *words: str, niceness: int = 0, environment: Mapping[str, str] | None = None
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run `python -m` with these words and wait until it is ready; it ends when its standard input does.

    It gets the `environment` in addition to this process's own.
    """
    process = await asyncio.create_subprocess_exec(
        *("nice", "-n", str(niceness), sys.executable, "-m", *words),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, **(environment or {})},
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


async def input_lines() -> asyncio.StreamReader:
    """Return the standard input of this program, to be read line by line."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


async def input_end() -> None:
    """Wait until the standard input ends, which ends a benchmark's program."""
    await (await input_lines()).read()


async def answer(process: asyncio.subprocess.Process, line: str = "") -> str:
    """Send a program a line, if there is one, and return its next line."""
    assert process.stdin is not None
    assert process.stdout is not None
    if line:
        process.stdin.write(f"{line}\n".encode())
    return (await process.stdout.readline()).decode().strip()


def part_pids(dev: dict[str, Any]) -> dict[str, int]:
    """Return the process ids of a development stack's parts, by their names."""
    parts = json.loads((Path(dev["dataDir"]) / "run.json").read_text())
    return {name: part["pid"] for name, part in parts.items() if isinstance(part, dict) and "pid" in part}


def cpu_seconds(pid: int) -> float:
    """Return the seconds of one core that a process and its descendants have used, including ended ones.

    For this process itself only its own time counts, because a whole stack may run below it.
    """
    if pid == os.getpid():
        return time.process_time()
    return sum(_own_seconds(process) for process in _tree(pid))


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
