"""Remember which processes are ours, and end those that a hard-killed stack left behind; others are never touched."""

import asyncio
import json
import signal
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import psutil
from pydantic import BaseModel, TypeAdapter, ValidationError

from cli.stack.files import write_private
from cli.stack.process import Child

_CLOCK_SLACK = 5.0
"""Seconds: a process's start time is counted from boot, whose own time moves when the clock is set."""
_GRACE = 3.0


class Record(BaseModel):
    """The identity of a process. Its pid alone may belong to another process by now."""

    pid: int
    started: float
    argv: list[str]

    def find(self) -> psutil.Process | None:
        """Return the process if it is still the one recorded here, and alive."""
        try:
            process = psutil.Process(self.pid)
            with process.oneshot():
                same = abs(process.create_time() - self.started) < _CLOCK_SLACK
                # The end of it, for the launcher has these words behind its own; without the program's name, for some
                # systems' Python starts itself again under another one.
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
        """Note a child that was just started."""
        self._records[name] = Record(pid=child.pid, started=child.started, argv=child.argv)
        self._write()

    def forget(self, name: str) -> None:
        """Strike out a child that is gone."""
        if self._records.pop(name, None) is not None:
            self._write()

    def _write(self) -> None:
        write_private(
            self._path, json.dumps({name: record.model_dump() for name, record in self._records.items()}, indent=2)
        )


def find_orphans(path: Path) -> dict[str, psutil.Process]:
    """Return what an earlier ledger names and still runs."""
    try:
        records = _RECORDS.validate_json(path.read_text())
    except (OSError, ValidationError):
        return {}
    return {name: process for name, record in records.items() if (process := record.find()) is not None}


async def end_orphans(path: Path) -> list[str]:
    """End what an earlier ledger names and still runs; returns the names."""
    found = find_orphans(path)
    await end_all(found.values(), signal.SIGTERM, _GRACE)
    return list(found)


async def end_all(processes: Iterable[psutil.Process], number: signal.Signals, grace: float) -> None:
    """Ask processes that are not our children to end, insist after `grace` seconds, and wait until they are gone."""
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
