"""Functions that start programs which end with this process, and that end them."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

_LAUNCH = Path(__file__).with_name("launch.py")


@dataclass(frozen=True, slots=True)
class User:
    """The system user of a program, if it is not ours."""

    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class Command:
    """The command line of a program. It receives `death_signal` when this process dies (Linux).

    It gets our environment without the variables that begin with one of `unset`, and with `env`.
    """

    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    unset: tuple[str, ...] = ()
    user: User | None = None
    death_signal: signal.Signals = signal.SIGKILL
    nice: int = 0
    """The program's niceness, as nice(1) counts it."""

    @property
    def environment(self) -> dict[str, str]:
        """Return the whole environment of the program."""
        return {name: value for name, value in os.environ.items() if not name.startswith(self.unset)} | dict(self.env)

    @property
    def launched(self) -> list[str]:
        """Return the command line that starts the program by the launcher."""
        options = {"death_signal": int(self.death_signal), "parent": os.getpid(), "nice": self.nice}
        if self.user is not None:
            options |= {"uid": self.user.uid, "gid": self.user.gid}
        return [sys.executable, "-I", "-S", str(_LAUNCH), json.dumps(options), *self.argv]


@dataclass(slots=True)
class Child:
    """A running program. It leads its own process group: a Ctrl-C in the terminal reaches only this process."""

    argv: list[str]
    process: Process
    started: float

    @property
    def pid(self) -> int:
        """Return the process id, which the launcher and the program share."""
        return self.process.pid

    async def wait(self) -> int:
        """Return the exit code once there is one; negative for a signal."""
        return await self.process.wait()

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the program; nothing happens if it has ended."""
        with suppress(ProcessLookupError):
            self.process.send_signal(number)

    def kill(self) -> None:
        """Kill the program and all processes of its group immediately."""
        if self.process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)

    async def end(self, number: signal.Signals, grace: float) -> None:
        """Ask the program to end, kill it after `grace` seconds, and wait until it has ended."""
        self.send(number)
        try:
            async with asyncio.timeout(grace):
                await self.wait()
        except TimeoutError:
            self.kill()
            await self.wait()


async def spawn(command: Command, log: Path) -> Child:
    """Start a program with its output appended to `log`. Call it from the main thread: its end also ends the child."""
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            *command.launched,
            stdin=DEVNULL,
            stdout=output,
            stderr=STDOUT,
            env=command.environment,
            cwd="/",
            start_new_session=True,
        )
    try:
        started = psutil.Process(process.pid).create_time()
    except psutil.NoSuchProcess:
        started = 0.0
    return Child(list(command.argv), process, started)


async def read_output(command: Command, stdin: str = "") -> tuple[int, str]:
    """Run a program to its end; return its exit code and its output."""
    process = await asyncio.create_subprocess_exec(
        *command.launched,
        stdin=PIPE,
        stdout=PIPE,
        stderr=STDOUT,
        env=command.environment,
        cwd="/",
        start_new_session=True,
    )
    try:
        output, _ = await process.communicate(stdin.encode())
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
    return process.returncode or 0, output.decode(errors="replace")
