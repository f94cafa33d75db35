"""A record of our processes, by which those of a hard-killed stack are ended; other processes are never touched."""

import asyncio
import json
import signal
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import psutil
from pydantic import BaseModel, TypeAdapter, ValidationError

from cli.data_dir import write_private
from cli.stack.process import Child

_CLOCK_SLACK = 5.0
"""Tolerance in seconds: a process's start time is counted from boot, and the time of boot moves when the clock is set.
"""
_GRACE = 3.0


class Record(BaseModel):
    """The identity of a process. Its pid alone may belong to another process by now."""

    pid: int
    started: float
    argv: list[str]

    def find(self) -> psutil.Process | None:
        """Return the process if it is still the recorded one and alive."""
        try:
            process = psutil.Process(self.pid)
            with process.oneshot():
                same = abs(process.create_time() - self.started) < _CLOCK_SLACK
                # Only the end is compared, because the launcher has these words after its own. The program's name is
                # left out, because some systems' Python starts itself again under another one.
                same = same and process.cmdline()[-len(self.argv) :][1:] == self.argv[1:]
                return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.Error:
            return None


_RECORDS = TypeAdapter(dict[str, Record])


class ProcessLedger:
    """The records of running children, kept in a file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._records: dict[str, Record] = {}

    def record(self, name: str, child: Child) -> None:
        """Record a child that was just started."""
        self._records[name] = Record(pid=child.pid, started=child.started, argv=child.argv)
        self._write()

    def forget(self, name: str) -> None:
        """Remove the record of a child that has ended."""
        if self._records.pop(name, None) is not None:
            self._write()

    def _write(self) -> None:
        write_private(
            self._path, json.dumps({name: record.model_dump() for name, record in self._records.items()}, indent=2)
        )


def find_orphans(path: Path) -> dict[str, psutil.Process]:
    """Return the processes of an earlier ledger that still run."""
    try:
        records = _RECORDS.validate_json(path.read_text())
    except (OSError, ValidationError):
        return {}
    return {name: process for name, record in records.items() if (process := record.find()) is not None}


async def end_orphans(path: Path) -> list[str]:
    """End the processes of an earlier ledger that still run; return their names."""
    orphans = find_orphans(path)
    await end_all(orphans.values(), signal.SIGTERM, _GRACE)
    return list(orphans)


async def end_all(processes: Iterable[psutil.Process], number: signal.Signals, grace: float) -> None:
    """Ask processes that are not our children to end, kill them after `grace` seconds, and wait for their end."""
    alive = list(processes)
    for process in alive:
        with suppress(psutil.Error):
            process.send_signal(number)
    alive = await _still_there(alive, grace)
    for process in alive:
        with suppress(psutil.Error):
            process.kill()
    await _still_there(alive, grace)


async def _still_there(processes: list[psutil.Process], seconds: float) -> list[psutil.Process]:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while True:
        processes = [process for process in processes if _alive(process)]
        if not processes or loop.time() > deadline:
            return processes
        await asyncio.sleep(0.05)


def _alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
