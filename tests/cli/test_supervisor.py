import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from cli.errors import UserError
from cli.stack import supervisor
from cli.stack.orphans import ProcessLedger, find_orphans
from cli.stack.supervisor import Part, PartSupervisor
from tests.cli.parts import SLEEP, STUBBORN, alive, kill, part, until


@asynccontextmanager
async def running(tmp_path: Path, what: Part, messages: list[str]) -> AsyncIterator[PartSupervisor]:
    part_supervisor = PartSupervisor(
        what, tmp_path / "thing.log", ProcessLedger(tmp_path / "run.json"), messages.append
    )
    try:
        yield part_supervisor
    finally:
        await part_supervisor.stop()


async def test_killed_part_is_restarted_immediately_and_reported(tmp_path: Path) -> None:
    messages: list[str] = []
    async with running(tmp_path, part(SLEEP), messages) as part_supervisor:
        await part_supervisor.start()
        first = part_supervisor.pid
        began = time.monotonic()
        kill(first)
        await until(lambda: any("is back" in line for line in messages))
        assert time.monotonic() - began < 5
        assert part_supervisor.pid not in {None, first}
        assert messages[0] == "Thing was ended by a signal (Killed); starting it again."


async def test_a_part_that_ends_by_itself_is_started_again(tmp_path: Path) -> None:
    messages: list[str] = []
    async with running(
        tmp_path, part("import time; time.sleep(0.3); raise SystemExit(7)"), messages
    ) as part_supervisor:
        await part_supervisor.start()
        await until(lambda: any("ended with exit code 7" in line for line in messages))


async def test_a_crashing_part_is_reported_with_its_log(tmp_path: Path) -> None:
    messages: list[str] = []
    code = "import time; time.sleep(0.2); print('the reason'); raise SystemExit(1)"
    async with running(tmp_path, part(code), messages) as part_supervisor:
        await part_supervisor.start()
        await until(lambda: any("the reason" in line and str(tmp_path / "thing.log") in line for line in messages))


async def test_part_that_never_starts_is_reported_with_its_log(tmp_path: Path) -> None:
    def not_well() -> None:
        raise OSError

    messages: list[str] = []
    async with running(
        tmp_path, part("print('no such table'); raise SystemExit(3)", not_well), messages
    ) as part_supervisor:
        with pytest.raises(UserError) as raised:
            await part_supervisor.start()
    sentence = raised.value.format_message()
    assert sentence.startswith("Thing does not start: it ended with exit code 3.")
    assert "no such table" in sentence
    assert len(messages) == supervisor._FIRST_TRIES - 1


async def test_silent_part_is_restarted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "_CHECK_EVERY", 0.1)
    monkeypatch.setattr(supervisor, "_RESTART_AFTER_SILENCE_S", 0.4)
    silent = False

    def check() -> None:
        if silent:
            raise OSError

    messages: list[str] = []
    async with running(tmp_path, part(SLEEP, check), messages) as part_supervisor:
        await part_supervisor.start()
        first = part_supervisor.pid
        silent = True
        await until(lambda: messages)
        assert "did not answer" in messages[0]
        silent = False
        await until(lambda: part_supervisor.pid not in {None, first} and "is back" in messages[-1])


async def test_a_short_silence_restarts_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "_CHECK_EVERY", 0.05)
    checks = iter([None, OSError(), OSError(), *[None] * 10_000])
    seen: list[object] = []

    def check() -> None:
        seen.append(next(checks))
        if isinstance(seen[-1], OSError):
            raise seen[-1]

    messages: list[str] = []
    async with running(tmp_path, part(SLEEP, check), messages) as part_supervisor:
        await part_supervisor.start()
        first = part_supervisor.pid
        await until(lambda: len(seen) > 5)
        assert part_supervisor.pid == first
        assert not messages


async def test_stopped_part_stays_stopped(tmp_path: Path) -> None:
    messages: list[str] = []
    async with running(tmp_path, part(SLEEP), messages) as part_supervisor:
        await part_supervisor.start()
        pid = part_supervisor.pid
        assert pid is not None
        assert set(find_orphans(tmp_path / "run.json")) == {"thing"}
        await part_supervisor.stop()
        assert not alive(pid)
        assert not messages
        assert find_orphans(tmp_path / "run.json") == {}


async def test_kill_ends_an_unresponsive_part(tmp_path: Path) -> None:
    async with running(tmp_path, part(STUBBORN), []) as part_supervisor:
        await part_supervisor.start()
        pid = part_supervisor.pid
        assert pid is not None
        part_supervisor.kill()
        await until(lambda: not alive(pid), 3)
