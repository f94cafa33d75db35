"""Leases: which of all processes does a background task, so that a fleet does no more work than one process.

The statement that renews them also says for which tasks there is work. The others rest.

A lease is for load and not for correctness. A process that was frozen may still do a round that another one does: the
rows decide, as they do between two requests.
"""

import asyncio
import os
import secrets
import socket
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import replace
from functools import partial

import structlog

from reconcile.lease_policy import DURATION, LeasePolicy
from reconcile.rounds import BackgroundTask, is_part_unavailable
from store.database import Database
from store.due import Due
from store.maintenance.beats import Beat, beat, release_leases, take_over_lease

log = structlog.get_logger(__name__)

_MORE_AFTER_S = 0.2
_RELEASE_S = 2.0
"""How long a process that ends waits for the database to take back its leases; else they end by themselves."""


class Leases:
    """The leases of one process."""

    def __init__(
        self, database: Database, *hearers: Callable[[Beat | None], Awaitable[None]], policy: LeasePolicy | None = None
    ) -> None:
        self._database = database
        self._policy = policy or LeasePolicy()
        self._hearers = hearers
        """Take the database's answer at each renewal; None if there was none."""
        self._holder = f"{socket.gethostname()}/{os.getpid()}/{secrets.token_hex(4)}"
        self._names: list[str] = []
        self._lasting = set[str]()
        self._until: dict[str, float] = {}
        """When the leases of this process end, by the event loop's clock. It runs while the process is frozen."""
        self._changed = asyncio.Condition()
        self._sought: list[tuple[BackgroundTask, tuple[str, ...]]] = []
        """The tasks that look for due rows, each with its leases."""
        self._works_until: dict[str, float] = {}
        """Until when tasks that look for due rows do their rounds, by the name of the task."""
        self._beat: Beat | None = None

    def leased(self, task: BackgroundTask, *names: str, at_start: bool = False, lasts: bool = False) -> BackgroundTask:
        """Return a task that does its rounds only while this process holds one of these leases.

        Several leases let as many processes do the task. Without any, each process does it. In both cases it rests
        while there is no work for it. With `at_start`, each process does the first round. A round that `lasts` is ended
        when this process loses its lease, which others do not take over.
        """
        self._names += [name for name in names if name not in self._names]
        if task.due:
            self._sought.append((task, names))
        if task.is_shared:
            self._policy.share(task.postponed)
        if lasts:
            self._lasting.update(names)
            task = replace(task, work=partial(self._work_while_held, task.work, names))
        return replace(task, turn=_Turns(self, task, names, at_start=at_start).wait)

    def task(self) -> BackgroundTask:
        """Return the task that renews the leases, and takes free ones, at the pace of the policy."""
        return BackgroundTask(self._renew_all, 0.0, "leases.not_renewed", close=self.release, turn=self._policy.wait)

    @property
    def held(self) -> list[str]:
        """The names of the leases that this process holds."""
        now = asyncio.get_running_loop().time()
        return [name for name, until in self._until.items() if until > now]

    async def renew(self) -> int:
        """Renew the leases, and take or give back those that the policy says; return how many were taken."""
        began, held = asyncio.get_running_loop().time(), self.held
        asked = {*held, *self._policy.names(self._names)}
        pool = self._database.answers
        self._beat = await beat(pool, self._holder, asked, DURATION, self._work_to_seek(held))
        self._policy.hear(self._beat)
        leases = set(self._beat.leases)
        if self._policy.takes_over:
            leases |= await take_over_lease(pool, self._holder, set(self._names) - self._lasting, DURATION)
        elif leases and self._policy.rests:
            await self.release()
            leases.clear()
        until = began + DURATION.total_seconds()
        async with self._changed:
            self._until = dict.fromkeys(leases, until)
            # Longer than until the next answer: what one round leaves behind, another one finds.
            self._works_until |= dict.fromkeys(self._beat.work, until)
            self._changed.notify_all()
        return len(leases.difference(held))

    def has_work(self, name: str) -> bool:
        """Return whether the task of this name, which looks for due rows, does its rounds now."""
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

    async def _work_while_held(self, work: Callable[[], Awaitable[object]], names: Collection[str]) -> None:
        lost = asyncio.create_task(self.wait_for(lambda: set(names).isdisjoint(self.held)))
        work_round = asyncio.ensure_future(work())
        try:
            await asyncio.wait({lost, work_round}, return_when=asyncio.FIRST_COMPLETED)
            if work_round.done():
                await work_round
        finally:
            for waiting in (lost, work_round):
                waiting.cancel()
            await asyncio.gather(lost, work_round, return_exceptions=True)

    async def _renew_all(self) -> None:
        self._beat = None
        try:
            while await self.renew():  # noqa: ASYNC110 there is no event
                # Other processes that start at the same time take theirs.
                await asyncio.sleep(_MORE_AFTER_S)
        finally:
            if self._beat is None:
                self._policy.hear(None)
            for hear in self._hearers:
                await hear(self._beat)

    def _work_to_seek(self, held: Collection[str]) -> dict[str, Sequence[Due]]:
        return {
            task.postponed: task.due
            for task, names in self._sought
            if not names or task.postponed in self._policy.work or not set(names).isdisjoint(held)
        }


class _Turns:
    """The rounds of one task: only under a lease, if it needs one, and only if there may be work for it."""

    def __init__(self, leases: Leases, task: BackgroundTask, names: tuple[str, ...], *, at_start: bool) -> None:
        self._leases = leases
        self._task = task
        self._names = names
        self._at_start = at_start
        self._last_at = float("-inf")

    async def wait(self) -> None:
        """Wait until the task may do a round."""
        await self._leases.wait_for(self._is_due)
        self._last_at = asyncio.get_running_loop().time()

    def _is_due(self) -> bool:
        if self._at_start and self._last_at == float("-inf"):
            return True
        if self._names and set(self._names).isdisjoint(self._leases.held):
            return False
        task, now = self._task, asyncio.get_running_loop().time()
        return not task.due or self._leases.has_work(task.postponed) or now >= self._last_at + task.rests_s
