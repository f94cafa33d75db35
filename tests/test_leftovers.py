"""Nothing of an interrupted test run stays behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.leftovers import folders, programs

_FILE = "SOCIALSYNCER_TEST_TELLS"
"""The variable that names the file into which the process that is to be killed writes its id."""


@pytest.mark.skipif(_FILE not in os.environ, reason="is run by the test below")
@pytest.mark.usefixtures("postgres_url", "temporal")
def test_that_waits_to_be_killed() -> None:
    Path(os.environ[_FILE]).write_text(str(os.getpid()))
    time.sleep(300)


def _wait(is_true: Callable[[], object], most_s: float) -> None:
    end = time.monotonic() + most_s
    while not is_true():
        assert time.monotonic() < end
        time.sleep(0.1)


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("hit", "number"),
    [("runner", signal.SIGINT), ("runner", signal.SIGTERM), ("runner", signal.SIGKILL), ("worker", signal.SIGKILL)],
)
def test_a_killed_run_leaves_no_server_and_no_files(tmp_path: Path, hit: str, number: signal.Signals) -> None:
    tells = tmp_path / "pid"
    options = ["-q", "-n", "1", "-p", "no:cacheprovider", f"--basetemp={tmp_path}/t"]
    with subprocess.Popen(
        [sys.executable, "-m", "pytest", *options, f"{__file__}::test_that_waits_to_be_killed"],
        env={**os.environ, _FILE: str(tells)},
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    ) as runner:
        _wait(lambda: tells.exists() and tells.read_text(), 90)
        worker = int(tells.read_text())
        assert {"postgres", "temporal"} <= {program.name() for program in programs(worker)}
        assert len(folders(worker)) == 2
        psutil.Process(runner.pid if hit == "runner" else worker).send_signal(number)
        _wait(lambda: not list(programs(worker)) and not folders(worker), 20)
        runner.kill()
