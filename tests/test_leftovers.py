"""Nothing of an interrupted test run stays behind."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import psutil
import pytest

from tests.leftovers import folders, programs

_FILE = "SOCIALSYNCER_TEST_TELLS"
"""The variable that names the file into which the process that is to be killed writes its id."""
_ENDED_WITHIN_S = 20


@pytest.mark.skipif(_FILE not in os.environ, reason="is run by the test below")
@pytest.mark.usefixtures("postgres_url", "temporal")
async def test_that_waits_to_be_killed() -> None:
    Path(os.environ[_FILE]).write_text(str(os.getpid()))
    await asyncio.sleep(300)


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("hit", "number"),
    [("runner", signal.SIGINT), ("runner", signal.SIGTERM), ("runner", signal.SIGKILL), ("worker", signal.SIGKILL)],
)
async def test_a_killed_run_leaves_no_server_and_no_files(tmp_path: Path, hit: str, number: signal.Signals) -> None:
    tells = tmp_path / "pid"
    command = [sys.executable, "-m", "pytest", "-q", "-n", "1", "-p", "no:cacheprovider", f"--basetemp={tmp_path}/t"]
    runner = await asyncio.create_subprocess_exec(
        *command,
        f"{__file__}::test_that_waits_to_be_killed",
        env={**os.environ, _FILE: str(tells)},
        stdout=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    async with asyncio.timeout(90):
        while not (tells.exists() and tells.read_text()):
            await asyncio.sleep(0.1)
    worker = int(tells.read_text())
    names = {program.name() for program in programs(worker)}
    assert {"postgres", "temporal"} <= names
    assert len(folders(worker)) == 2
    psutil.Process(runner.pid if hit == "runner" else worker).send_signal(number)
    async with asyncio.timeout(_ENDED_WITHIN_S):
        while list(programs(worker)) or folders(worker):
            await asyncio.sleep(0.1)
    if runner.returncode is None:
        runner.kill()
    await runner.wait()
