import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import psutil
import pytest

from cli.stack.process import Command, User, read_output, spawn
from tests.cli.parts import SLEEP, STUBBORN, alive, contents, python, until


async def test_a_child_ends_when_asked(tmp_path: Path) -> None:
    child = await spawn(python(SLEEP), tmp_path / "log")
    await child.end(signal.SIGTERM, 5)
    assert child.process.returncode == -signal.SIGTERM


async def test_unresponsive_child_is_killed_after_its_grace(tmp_path: Path) -> None:
    child = await spawn(python(STUBBORN), tmp_path / "log")
    await until(lambda: "on" in contents(tmp_path / "log"))
    began = time.monotonic()
    await child.end(signal.SIGTERM, 0.2)
    assert child.process.returncode == -signal.SIGKILL
    assert 0.2 <= time.monotonic() - began < 3


async def test_a_childs_output_is_appended_to_its_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("before\n")
    child = await spawn(python("import sys; print('out'); print('err', file=sys.stderr)"), log)
    assert await child.wait() == 0
    assert log.read_text().splitlines()[0] == "before"
    assert set(log.read_text().splitlines()[1:]) == {"out", "err"}


async def test_a_child_leads_its_own_group_and_keeps_its_pid_through_the_launcher(tmp_path: Path) -> None:
    child = await spawn(python("import os; print(os.getpid(), os.getpgid(0), os.getsid(0))"), tmp_path / "log")
    await child.wait()
    assert (tmp_path / "log").read_text().split() == [str(child.pid)] * 3


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's death")
async def test_a_child_dies_with_a_parent_that_was_killed(tmp_path: Path) -> None:
    code = f"""
import asyncio, sys
from pathlib import Path
from cli.stack.process import spawn
from tests.cli.parts import python, SLEEP
async def main():
    child = await spawn(python(SLEEP), Path({str(tmp_path)!r}) / "log")
    print(child.pid, flush=True)
    await asyncio.sleep(600)
asyncio.run(main())
"""
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[2]
    )
    assert parent.stdout is not None
    pid = int(await parent.stdout.readline())
    assert alive(pid)
    parent.kill()
    await parent.wait()
    await until(lambda: not alive(pid), 5)


async def test_a_program_that_is_missing_is_named_in_the_output() -> None:
    code, output = await read_output(Command(["/nowhere/program"]))
    assert code != 0
    assert "/nowhere/program cannot be run: No such file or directory" in output


async def test_variables_can_be_withheld_from_a_child(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPORT", "1")
    show = "import os; print(os.environ.get('PGPORT'), os.environ['ADDED'])"
    command = Command([sys.executable, "-I", "-S", "-c", show], env={"ADDED": "yes"}, unset=("PG",))
    assert await read_output(command) == (0, "None yes\n")


async def test_a_program_receives_its_input() -> None:
    code, output = await read_output(python("print(input()[::-1])"), "abc\n")
    assert (code, output) == (0, "cba\n")


@pytest.mark.skipif(os.geteuid() != 0 or sys.platform != "linux", reason="only root can become somebody else")
async def test_root_drops_to_a_user_that_can_only_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("readable")
    secret.chmod(0o600)
    code = "import os, sys; print(os.geteuid(), open(sys.argv[1]).read()); open(sys.argv[1], 'a')"
    command = Command([sys.executable, "-I", "-S", "-c", code, str(secret)], user=User(65534, 65534))
    status, output = await read_output(command)
    assert status == 1
    assert "65534 readable" in output
    assert "PermissionError" in output


async def test_a_childs_start_time_is_the_kernels(tmp_path: Path) -> None:
    child = await spawn(python(SLEEP), tmp_path / "log")
    assert child.started == psutil.Process(child.pid).create_time()
    await child.end(signal.SIGKILL, 1)
