import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from cli.stack.orphans import ProcessLedger, Record, end_orphans, find_orphans
from cli.stack.process import Child, spawn
from tests.cli.parts import SLEEP, STUBBORN, alive, contents, python, until


@asynccontextmanager
async def running(tmp_path: Path, code: str = SLEEP) -> AsyncIterator[Child]:
    child = await spawn(python(code), tmp_path / "log")
    # The launcher becomes the program; its command line is the program's only from then on.
    await until(lambda: psutil.Process(child.pid).cmdline() == child.argv)
    try:
        yield child
    finally:
        child.kill()
        await child.wait()


async def test_orphaned_processes_are_ended(tmp_path: Path) -> None:
    async with running(tmp_path) as child:
        ProcessLedger(tmp_path / "run.json").record("api", child)
        ending = asyncio.create_task(child.wait())
        assert await end_orphans(tmp_path / "run.json") == ["api"]
        assert await ending == -signal.SIGTERM


async def test_orphans_that_ignore_signals_are_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.stack.orphans._GRACE", 0.3)
    async with running(tmp_path, STUBBORN) as child:
        await until(lambda: "on" in contents(tmp_path / "log"))
        ProcessLedger(tmp_path / "run.json").record("worker", child)
        await end_orphans(tmp_path / "run.json")
        assert await child.wait() == -signal.SIGKILL


async def test_reused_pid_of_another_program_is_left_alone(tmp_path: Path) -> None:
    async with running(tmp_path) as child:
        record = Record(pid=child.pid, started=child.started, argv=[child.argv[0], "-m", "worker"])
        (tmp_path / "run.json").write_text(json.dumps({"worker": record.model_dump()}))
        assert await end_orphans(tmp_path / "run.json") == []
        assert alive(child.pid)


async def test_reused_pid_of_the_same_program_is_left_alone(tmp_path: Path) -> None:
    async with running(tmp_path) as child:
        record = Record(pid=child.pid, started=child.started - 3600, argv=child.argv)
        (tmp_path / "run.json").write_text(json.dumps({"worker": record.model_dump()}))
        assert await end_orphans(tmp_path / "run.json") == []
        assert alive(child.pid)


def test_a_zombie_is_not_found() -> None:
    argv = [sys.executable, "-I", "-S", "-c", "pass"]
    with subprocess.Popen(argv) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        zombie = psutil.Process(process.pid)
        assert zombie.status() == psutil.STATUS_ZOMBIE
        assert Record(pid=process.pid, started=zombie.create_time(), argv=argv).find() is None


def test_a_missing_or_broken_ledger_names_nothing(tmp_path: Path) -> None:
    assert find_orphans(tmp_path / "run.json") == {}
    (tmp_path / "run.json").write_text('{"api": {"pid":')
    assert find_orphans(tmp_path / "run.json") == {}


async def test_ended_children_leave_the_ledger(tmp_path: Path) -> None:
    ledger = ProcessLedger(tmp_path / "run.json")
    async with running(tmp_path) as child:
        ledger.record("api", child)
        ledger.record("worker", child)
        ledger.forget("api")
        assert set(find_orphans(tmp_path / "run.json")) == {"worker"}
    assert find_orphans(tmp_path / "run.json") == {}
