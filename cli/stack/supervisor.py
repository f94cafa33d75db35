"""The supervisor of a stack's parts: it starts each, watches it, and restarts it when it dies."""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cli.errors import UserError
from cli.stack.orphans import ProcessLedger
from cli.stack.process import Child, Command, spawn

_POLL = 0.05
_CHECK_EVERY = 5.0
_CHECK_TIMEOUT = 5.0
_RESTART_AFTER_SILENCE_S = 30.0
"""Seconds without a successful check: long enough for a machine under load, on which a restart would make things worse.
"""
_READY_WITHIN = 90.0
"""Seconds for a part to start; PostgreSQL may have to recover first."""
_FIRST_TRIES = 3
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.25, 4.0
"""Seconds between restarts, doubling; with the longest, a part can still be ready within 15 s of its death."""
_STABLE_AFTER = 20.0
_LAST_LINES = 8


Report = Callable[[str], None]
"""A function that prints a message on the terminal."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a stack: `start` prepares and returns its command, `check` raises while it is not ready."""

    name: str
    label: str
    start: Callable[[], Awaitable[Command]]
    check: Callable[[], Awaitable[None]]
    stop_signal: signal.Signals = signal.SIGTERM
    grace: float = 10.0


class PartSupervisor:
    """The supervisor of one part: it restarts the part until `stop` is called."""

    def __init__(self, part: Part, log: Path, ledger: ProcessLedger, report: Report) -> None:
        self.part = part
        self.log = log
        self._ledger = ledger
        self._report = report
        self._child: Child | None = None
        self._stopping = False
        self._came_up = False
        self._up = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """Return the process id while the part runs."""
        return self._child.pid if self._child else None

    async def start(self) -> None:
        """Start the part and wait until it is healthy. Raises UserError if it does not start."""
        self._task = asyncio.create_task(self._keep(), name=f"keep {self.part.name}")
        up = asyncio.create_task(self._up.wait())
        try:
            await asyncio.wait({self._task, up}, return_when=asyncio.FIRST_COMPLETED)
            if self._task.done():
                self._task.result()
        finally:
            up.cancel()

    async def stop(self) -> None:
        """End the part by its own signal, and wait until it has ended."""
        self._stopping = True
        if self._child is not None:
            await self._child.end(self.part.stop_signal, self.part.grace)
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError, UserError):
                await self._task

    def kill(self) -> None:
        """Kill the part immediately."""
        self._stopping = True
        if self._child is not None:
            self._child.kill()

    async def _keep(self) -> None:
        failures = 0
        while True:
            began = time.monotonic()
            try:
                reason = await self._run_once()
            except UserError as error:
                if not self._came_up:
                    raise
                reason = error.format_message()
            if self._stopping:
                return
            failures = 1 if time.monotonic() - began > _STABLE_AFTER else failures + 1
            if not self._came_up and failures >= _FIRST_TRIES:
                raise UserError(f"{self.part.label} does not start: it {reason}.{self._last_lines()}")
            message = f"{self.part.label} {reason}; starting it again."
            self._report(message + (self._last_lines() if failures > 1 else ""))
            await asyncio.sleep(min(_SHORTEST_PAUSE * 2 ** (failures - 1), _LONGEST_PAUSE))

    async def _run_once(self) -> str:
        """Run the program once; return how it ended."""
        began = time.monotonic()
        command = await self.part.start()
        child = self._child = await spawn(command, self.log)
        self._ledger.record(self.part.name, child)
        ended = asyncio.create_task(child.wait())
        try:
            if not await self._wait_until_ready(ended, began + _READY_WITHIN, _POLL):
                return await self._await_end(child, ended, f"was not ready within {_READY_WITHIN:.0f} s")
            if self._came_up:
                self._report(f"{self.part.label} is back after {time.monotonic() - began:.1f} s.")
            self._came_up = True
            self._up.set()
            while True:
                await asyncio.wait({ended}, timeout=_CHECK_EVERY)
                if not await self._wait_until_ready(
                    ended, time.monotonic() + _RESTART_AFTER_SILENCE_S, _CHECK_EVERY / 5
                ):
                    return await self._await_end(child, ended, f"did not answer for {_RESTART_AFTER_SILENCE_S:.0f} s")
        finally:
            ended.cancel()
            if child.process.returncode is None:
                child.kill()
                await child.wait()
            self._child = None
            self._ledger.forget(self.part.name)

    async def _wait_until_ready(self, ended: asyncio.Task[int], deadline: float, pause: float) -> bool:
        """Wait for a successful check; return False if the program ends or the time runs out first."""
        while not ended.done() and time.monotonic() < deadline:
            try:
                async with asyncio.timeout(_CHECK_TIMEOUT):
                    await self.part.check()
            except Exception:  # noqa: BLE001 whatever a check raises means the same: not well
                await asyncio.wait({ended}, timeout=pause)
            else:
                return True
        return False

    async def _await_end(self, child: Child, ended: asyncio.Task[int], silent: str) -> str:
        if silent and not ended.done():
            child.kill()
            await ended
            return silent
        code = await ended
        return f"was ended by a signal ({signal.strsignal(-code)})" if code < 0 else f"ended with exit code {code}"

    def _last_lines(self) -> str:
        with suppress(OSError):
            lines = self.log.read_text(errors="replace").splitlines()[-_LAST_LINES:]
            if lines:
                return f" Its log {self.log} ends with:\n" + "\n".join(f"    {line[:300]}" for line in lines)
        return f" Its log is {self.log}."
