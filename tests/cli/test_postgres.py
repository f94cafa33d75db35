import asyncio
import os
import secrets
import signal
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import psutil
import pytest

from cli.errors import UserError
from cli.stack import postgres as module
from cli.stack.orphans import ProcessLedger, end_all
from cli.stack.parts import postgres_part
from cli.stack.postgres import Postgres, processes_in
from cli.stack.process import spawn
from cli.stack.supervisor import PartSupervisor
from tests.cli.parts import alive, kill, until

PASSWORD = secrets.token_urlsafe(12)


@asynccontextmanager
async def started(folder: Path, port: int | None = None) -> AsyncIterator[tuple[Postgres, PartSupervisor, list[str]]]:
    """Run PostgreSQL as a stack does, on data that stay in the folder."""
    messages: list[str] = []
    postgres = Postgres(folder / "postgres", PASSWORD, port)
    part_supervisor = PartSupervisor(
        postgres_part(postgres), folder / "postgres.log", ProcessLedger(folder / "run.json"), messages.append
    )
    try:
        await part_supervisor.start()
        yield postgres, part_supervisor, messages
    finally:
        await part_supervisor.stop()


async def run(url: str, statement: str) -> object:
    connection = await asyncpg.connect(url, timeout=5)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


@pytest.fixture(scope="module")
async def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder, for its owner only, with a database in it; no server runs."""
    path = tmp_path_factory.mktemp("stack")
    path.chmod(0o700)
    async with started(path) as (postgres, _, _):
        await run(postgres.url, "CREATE TABLE kept (n int)")
        await run(postgres.url, "INSERT INTO kept VALUES (42)")
    return path


async def test_data_survives_a_restart(folder: Path) -> None:
    async with started(folder) as (postgres, _, _):
        assert await run(postgres.url, "SELECT n FROM kept") == 42
        assert await run(postgres.url, "SHOW fsync") == "on"
    assert processes_in(folder / "postgres") == []


async def test_a_port_is_kept_where_it_is_free(folder: Path) -> None:
    async with started(folder) as (postgres, _, _):
        port = postgres.port
    async with started(folder, port) as (again, _, _):
        assert again.port == port
        assert Postgres(folder / "postgres", PASSWORD, port).port != port


async def test_the_database_needs_the_password_and_grants_no_superuser(folder: Path) -> None:
    async with started(folder) as (postgres, _, _):
        with pytest.raises(asyncpg.InvalidPasswordError):
            await run(postgres.url.replace(PASSWORD, "wrong"), "SELECT 1")
        with pytest.raises(asyncpg.InvalidPasswordError):
            await run(postgres.url.replace("socialsyncer:", "postgres:"), "SELECT 1")
        assert await run(postgres.url, "SELECT current_setting('is_superuser')") == "off"
    assert stat.S_IMODE((folder / "postgres").stat().st_mode) == 0o700


async def test_a_killed_server_is_up_again_with_its_data(folder: Path) -> None:
    async with started(folder) as (postgres, part_supervisor, messages):
        kill(part_supervisor.pid)
        await until(lambda: any("is back" in line for line in messages), 15)
        assert await run(postgres.url, "SELECT n FROM kept") == 42


@pytest.fixture
def zombie() -> Iterator[subprocess.Popen[bytes]]:
    """Return a process that has ended, but whose exit status has not been read."""
    with subprocess.Popen([sys.executable, "-I", "-S", "-c", "pass"]) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        yield process


@pytest.mark.parametrize("whose", ["nobody's", "a stranger's", "a zombie's"])
async def test_a_stale_pid_file_does_not_keep_it_from_starting(
    folder: Path, zombie: subprocess.Popen[bytes], whose: str
) -> None:
    pid = {"nobody's": 4_000_000, "a stranger's": os.getpid(), "a zombie's": zombie.pid}[whose]
    lines = [pid, folder / "postgres", 1_700_000_000, 5432, "", "127.0.0.1", "  1234567         0", "ready   "]
    (folder / "postgres" / "postmaster.pid").write_text("\n".join(map(str, lines)) + "\n")
    async with started(folder) as (postgres, _, _):
        assert await run(postgres.url, "SELECT n FROM kept") == 42


async def test_running_server_is_stopped_before_a_start(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    async def end(processes: list[psutil.Process], number: signal.Signals, grace: float) -> None:
        asked.extend(process.pid for process in processes)
        await end_all(processes, number, grace)

    monkeypatch.setattr(module, "end_all", end)
    before = Postgres(folder / "postgres", PASSWORD, None)
    remains = await spawn(await before.command(), folder / "left.log")
    reaped = asyncio.create_task(remains.wait())
    async with asyncio.timeout(60):
        while True:
            try:
                await before.check()
                break
            except (OSError, asyncpg.CannotConnectNowError):
                await asyncio.sleep(0.05)
    async with started(folder) as (postgres, _, _):
        assert not alive(remains.pid)
        assert await run(postgres.url, "SELECT n FROM kept") == 42
    assert await reaped == 0
    # A child that just starts would be killed by the signal.
    assert asked == [remains.pid]


async def test_a_server_that_hangs_is_ended_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_ORPHAN_GRACE", 0.3)
    before = Postgres(folder / "postgres", PASSWORD, None)
    remains = await spawn(await before.command(), folder / "left.log")
    reaped = asyncio.create_task(remains.wait())
    await until(lambda: processes_in(folder / "postgres"))
    os.kill(remains.pid, signal.SIGSTOP)
    async with started(folder) as (postgres, _, _):
        assert await run(postgres.url, "SELECT n FROM kept") == 42
    assert await reaped == -signal.SIGKILL


async def test_an_unfinished_database_is_created_again(tmp_path: Path) -> None:
    half = tmp_path / "postgres.new"
    half.mkdir()
    (half / "PG_VERSION").write_text("18\n")
    async with started(tmp_path) as (postgres, _, _):
        assert await run(postgres.url, "SELECT 1") == 1
    assert not half.exists()


async def test_data_of_another_version_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "PG_VERSION").write_text("16\n")
    with pytest.raises(UserError, match="belongs to PostgreSQL 16, installed is 18"):
        async with started(tmp_path):
            pass


def test_a_missing_wheel_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(UserError, match="PostgreSQL is not installed: run `uv sync`"):
        Postgres(tmp_path, "", None)
