"""Leases: which of all processes does a background task, so that a fleet does no more work than one process.

The statement that renews them also says for which tasks there is work. The others rest.

A lease is for load and not for correctness. A process that was frozen may still do a round that another one does: the
rows decide, as they do between two requests.
"""

import asyncio
import os
import random
import secrets
import socket
from collections.abc import Awaitable, Callable, Collection
from dataclasses import replace
from datetime import timedelta

import structlog

from reconcile.rounds import BackgroundTask, is_part_unavailable
from store.database import Database
from store.maintenance.beats import Beat, beat, release_leases

log = structlog.get_logger(__name__)

DURATION = timedelta(seconds=15)
_EVERY_S = 5.0
"""The pause between two renewals: one may fail, and the lease holds."""
_MOST_NEW = 2
"""The number of further leases that a process asks for at a time, so that several processes share them."""
_MORE_AFTER_S = 0.2
_RELEASE_S = 2.0
"""How long a process that ends waits for the database to take back its leases; else they end by themselves."""


class Leases:
    """The leases of one process."""

    def __init__(self, database: Database, *hearers: Callable[[Beat | None], Awaitable[None]]) -> None:
        self._database = database
        self._hearers = hearers
        """Take the database's answer at each renewal; None if there was none."""
        self._holder = f"{socket.gethostname()}/{os.getpid()}/{secrets.token_hex(4)}"
        self._names: list[str] = []
        self._until: dict[str, float] = {}
        """When the leases of this process end, by the event loop's clock. It runs while the process is frozen."""
        self._changed = asyncio.Condition()
        self._sought: list[tuple[str, tuple[str, ...]]] = []
        """The works that tasks look for, each with the leases of its task; none if the task has none."""
        self._works_until: dict[str, float] = {}
        """Until when tasks that look for a work do their rounds, by its name."""
        self._beat: Beat | None = None

    def leased(self, task: BackgroundTask, *names: str) -> BackgroundTask:
        """Return a task that does its rounds only while this process holds one of these leases.

        Several leases let as many processes do the task. Without any, each process does it. In both cases it rests
        while there is no work for it.
        """
        self._names += [name for name in names if name not in self._names]
        if task.looks_for:
            self._sought.append((task.looks_for, names))
        return replace(task, turn=_Turns(self, task, names).wait)

    def task(self) -> BackgroundTask:
        """Return the task that renews the leases, and takes free ones, every few seconds."""
        return BackgroundTask(self._renew_all, _EVERY_S, "leases.not_renewed", close=self.release)

    @property
    def held(self) -> list[str]:
        """The names of the leases that this process holds."""
        now = asyncio.get_running_loop().time()
        return [name for name, until in self._until.items() if until > now]

    async def renew(self) -> int:
        """Renew the leases, and take up to two free ones; return how many were taken."""
        began, held = asyncio.get_running_loop().time(), self.held
        others = [name for name in self._names if name not in held]
        asked = random.sample(others, min(_MOST_NEW, len(others)))
        self._beat = await beat(
            self._database.answers, self._holder, [*held, *asked], DURATION, self._work_to_seek(held)
        )
        until = began + DURATION.total_seconds()
        async with self._changed:
            self._until = dict.fromkeys(self._beat.leases, until)
            # Longer than until the next answer: what one round leaves behind, another one finds.
            self._works_until |= dict.fromkeys(self._beat.work, until)
            self._changed.notify_all()
        return len(self._beat.leases.difference(held))

    def has_work(self, name: str) -> bool:
        """Return whether tasks that look for this work do their rounds now."""
        return self._works_until.get(name, float("-inf")) > asyncio.get_running_loop().time()

    async def wait_for(self, predicate: Callable[[], bool]) -> None:
        """Wait until a predicate is true. It is called after each renewal."""
        async with self._changed:
            await self._changed.wait_for(predicate)

    async def release(self) -> None:
        """Let other processes take the leases of this one."""
        self._until = {}
        try:
            async with asyncio.timeout(_RELEASE_S):
                await release_leases(self._database.answers, self._holder)
        except Exception as error:
            if not is_part_unavailable(error):
                raise
            log.warning("leases.not_released", reason=type(error).__name__)

    async def _renew_all(self) -> None:
        self._beat = None
        try:
            while await self.renew():  # noqa: ASYNC110 there is no event
                # Other processes that start at the same time take theirs.
                await asyncio.sleep(_MORE_AFTER_S)
        finally:
            for hear in self._hearers:
                await hear(self._beat)

    def _work_to_seek(self, held: Collection[str]) -> set[str]:
        return {work for work, names in self._sought if not names or not set(names).isdisjoint(held)}


class _Turns:
    """The rounds of one task: only under a lease, if it needs one, and only if there may be work for it."""

    def __init__(self, leases: Leases, task: BackgroundTask, names: tuple[str, ...]) -> None:
        self._leases = leases
        self._task = task
        self._names = names
        self._last_at = float("-inf")

    async def wait(self) -> None:
        """Wait until the task may do a round."""
        await self._leases.wait_for(self._is_due)
        self._last_at = asyncio.get_running_loop().time()

    def _is_due(self) -> bool:
        if self._names and set(self._names).isdisjoint(self._leases.held):
            return False
        work, now = self._task.looks_for, asyncio.get_running_loop().time()
        return work is None or self._leases.has_work(work) or now >= self._last_at + self._task.rests_s
