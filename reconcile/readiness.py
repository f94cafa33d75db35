"""Readiness: whether posts can be published. It may be requested at any rate, and responds in time whatever hangs."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from datetime import timedelta

import structlog

from activities.options import POSTS_QUEUE
from domain.post import LATE_AFTER
from reconcile.clock import ahead_of_database
from reconcile.rounds import BackgroundTask
from reconcile.storage import StorageCheck
from storage.base import Storage
from store.apps import refused_apps
from store.database import Database
from store.maintenance.beats import Beat, read_state
from store.maintenance.series import count_behind_series
from store.maintenance.waiting import count_late
from store.posts.delivery import count_undelivered
from store.rows import database_now
from store.schema.revisions import code_version
from workflows.client.queues import Queues

log = structlog.get_logger(__name__)

Parts = dict[str, bool | int | str]

_TIMEOUT_S, _SOON_S = 3.0, 0.5
_GIVEN_UP_S = 15.0
"""The time limit of a probe that hangs, so that a new probe can find a part that is available again."""
STATE_FRESH = timedelta(seconds=20)
"""How old the state may be that a process shows: the process that measures it was killed, and no other has its lease
yet."""
_OF_ROWS = ("sweep", "planner", "latePosts", "refusedApps")
_FRESH_S = 1.0
_FRESH_QUEUES_S = 5.0
"""Temporal itself updates its counts no more often."""
_STANDS_S = 60.0
"""For how long the tasks of a queue wait although workers ask for them until those workers count as missing: a task
that has just come waits for a moment, too."""
_FRESH_STORAGE_S = 5.0
"""A bucket's owner pays for each look."""


class Readiness:
    """Probes of the parts, each separate and at most once at a time. A fresh result is used again."""

    def __init__(
        self, database: Database, queues: Queues, late_after: timedelta = LATE_AFTER, storage: Storage | None = None
    ) -> None:
        self._database = database
        self._queues = queues
        self._measure_skew = ahead_of_database(database)
        self._skew, self._skew_until = timedelta(0), float("-inf")
        """By how much this machine's clock is ahead, by the last beat, and until when that counts."""
        self._late_after = late_after
        self._stands_since: float | None = None
        """Since when the tasks of the posts' queue wait although workers ask for them, by the event loop's clock."""
        self._storage = StorageCheck(database, storage) if storage else None
        away: Parts = {"database": False, "sweep": False, "planner": False}
        self._database_probe = _Probe(self._beat, away, _FRESH_S)
        self._shared = (
            _Probe(self._rows, {"sweep": False, "planner": False}, _FRESH_S),
            _Probe(self._posts_queue, {"temporal": False, "worker": False}, _FRESH_S),
            _Probe(self._platform_queues, {}, _FRESH_QUEUES_S),
        )
        """What is the same for all processes; one process probes it for all."""
        self._own = [_Probe(self._stored, {"storage": False}, _FRESH_STORAGE_S)] if storage else []
        self._queues_of_state: Parts = {}
        """Temporal and the queues in the newest state, which count until `_fresh_until`."""
        self._fresh_until = float("-inf")
        self._has_read_state = False

    @property
    def room_for_uploads(self) -> int | None:
        """Return how many bytes uploads may still take; None if the store does not know."""
        return self._storage.room if self._storage else None

    async def signing_keys(self) -> list[bytes]:
        """Return the keys that sign addresses of uploads, the current one first; none without a store.

        Raises StorageError.
        """
        return await self._storage.signing_keys() if self._storage else []

    async def parts(self) -> Parts:
        """Return the health of each part by name, and the numbers of late posts and refused apps. Never raises.

        `worker` is false if no worker polls the posts' queue, if those that do get no task of it, or if none polls
        a platform's queue that has work; each such queue is included under its name. `storage` is false if this process
        does not see the store of uploads that the database names, and missing if there is none. `latePosts`,
        `refusedApps` and `schema` are missing if the database is unavailable. `version` is that of the code, `schema`
        the revision of the database's schema.

        Most of it is the state that one process has measured. If that is old, this process probes the parts itself.
        """
        return await self._parts(_TIMEOUT_S)

    async def parts_soon(self) -> Parts:
        """Return what `parts` does, but wait only for the database: another part that hangs counts as unavailable."""
        return await self._parts(_SOON_S)

    async def measure(self, former: Parts | None = None) -> Parts:
        """Probe the parts that are the same for all processes, as the process that measures them for all.

        `former` is an earlier result of which the rows have not changed: they are not read again.
        """
        rows, *queues = self._shared
        health: Parts = {name: former[name] for name in _OF_ROWS if name in former} if former else {}
        for parts in await asyncio.gather(*(probe.result() for probe in (queues if former else [rows, *queues]))):
            health |= parts
        return health

    def hear(self, beat: Beat | None) -> None:
        """Take up the database's answer to a beat as that of a probe; None if there was none."""
        if beat is not None:
            self._database_probe.note(self._take(beat))

    async def _parts(self, within_s: float) -> Parts:
        begun_at = asyncio.get_running_loop().time()
        if self._has_read_state and not self._is_fresh():
            # A worker that rests has last read the state a while ago. A newer one may be in its row.
            await self._database_probe.result(min(_SOON_S, within_s / 2))
        within_s -= asyncio.get_running_loop().time() - begun_at
        is_fresh = self._is_fresh()
        probes = self._own if is_fresh else [*self._shared, *self._own]
        database, *others = await asyncio.gather(
            self._database_probe.result(), *(probe.result(within_s) for probe in probes)
        )
        return _health([*others, self._queues_of_state if is_fresh else {}, database])

    def _is_fresh(self) -> bool:
        return asyncio.get_running_loop().time() < self._fresh_until

    def tasks(self) -> list[BackgroundTask]:
        """Return the checks that a process repeats whether or not it is asked."""
        return [self._storage.task()] if self._storage else []

    async def close(self) -> None:
        """Cancel running probes."""
        probes = (self._database_probe, *self._shared, *self._own)
        tasks = [probe.task for probe in probes if probe.task and not probe.task.done()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _beat(self) -> Parts:
        return self._take(await read_state(self._database))

    def _take(self, beat: Beat) -> Parts:
        """Return the parts that the rows tell: all of them if the state is fresh."""
        parts: Parts = {"database": True, "schema": beat.schema}
        self._skew = beat.skew
        self._skew_until = asyncio.get_running_loop().time() + STATE_FRESH.total_seconds()
        if beat.state is None or beat.age >= STATE_FRESH:
            return parts
        self._fresh_until = asyncio.get_running_loop().time() + (STATE_FRESH - beat.age).total_seconds()
        self._has_read_state = True
        state = beat.state["parts"]
        self._queues_of_state = {name: value for name, value in state.items() if name not in _OF_ROWS}
        return parts | {name: state[name] for name in _OF_ROWS if name in state}

    async def _ahead(self) -> timedelta:
        is_known = asyncio.get_running_loop().time() < self._skew_until
        return self._skew if is_known else await self._measure_skew()

    async def _rows(self) -> Parts:
        async with self._database.reading() as session:
            now = await database_now(session)
            late = await count_late(session, now - self._late_after)
            undelivered = await count_undelivered(session, now)
            refused = len(await refused_apps(session))
            _, unplanned = await count_behind_series(session, now)
        return {
            "sweep": undelivered.untried == 0,
            "planner": unplanned == 0,
            "latePosts": late,
            "refusedApps": refused,
        }

    async def _posts_queue(self) -> Parts:
        state = await self._queues.posts(self._ahead)
        now = asyncio.get_running_loop().time()
        self._stands_since = (self._stands_since or now) if state.stands else None
        stands = self._stands_since is not None and now - self._stands_since >= _STANDS_S
        # Every post needs a worker of this queue: it is reported missing even without work.
        served = state.polled and not stands
        return {"temporal": True, "worker": served, **({} if served else {POSTS_QUEUE: False})}

    async def _stored(self) -> Parts:
        return {"storage": self._storage is None or await self._storage.check()}

    async def _platform_queues(self) -> Parts:
        states = await self._queues.platforms(self._ahead)
        return {name: False for name, state in states.items() if state.backlog and not state.polled}


_NAMES = (
    "database",
    "temporal",
    "worker",
    "sweep",
    "planner",
    "storage",
    "latePosts",
    "refusedApps",
    "version",
    "schema",
)


def _health(results: Sequence[Parts]) -> Parts:
    """Return the results of all probes together, in the order in which monitors know them."""
    health: Parts = {"version": code_version()}
    for parts in results:
        health |= parts
    unpolled = [name for name in health if name not in _NAMES]
    return {name: health[name] for name in (*_NAMES, *unpolled) if name in health} | (
        {"worker": False} if unpolled else {}
    )


def ready(parts: Parts) -> bool:
    """Return whether every part is healthy. Late posts and refused apps do not count, because both have alerts."""
    return not any(value is False for value in parts.values())


class _Probe:
    """The probe of one part. Its result stays valid for a moment; without one in time the part is unavailable."""

    def __init__(self, probe: Callable[[], Awaitable[Parts]], away: Parts, fresh_s: float) -> None:
        self._probe = probe
        self._away = away
        self._fresh_s = fresh_s
        self._result = away
        self._well = True
        self._began_at = self._ended_at = float("-inf")
        self.task: asyncio.Task[None] | None = None

    async def result(self, within_s: float = _TIMEOUT_S) -> Parts:
        """Return the result of the running probe, or the last one if it is fresh; `away` if the probe takes longer.

        Another caller may have begun a new probe meanwhile, which says nothing about the part yet.
        """
        task = self._begin()
        if task is not None and (remaining_s := self._began_at + within_s - asyncio.get_running_loop().time()) > 0:
            # Later callers wait no longer than earlier ones.
            await asyncio.wait([task], timeout=remaining_s)
        return self._result if task is None or task.done() else self._away

    def note(self, result: Parts) -> None:
        """Take up a result that was learned without the probe."""
        self._result, self._well, self._ended_at = result, True, asyncio.get_running_loop().time()

    def _begin(self) -> asyncio.Task[None] | None:
        """Return the running probe, or a new one if the last result is no longer fresh; None if it is fresh."""
        # An empty context, because the probe belongs to no request and must not be logged with one's id.
        now = asyncio.get_running_loop().time()
        if self.task and not self.task.done():
            return self.task
        if now - self._ended_at < self._fresh_s:
            return None
        self._began_at, self.task = now, asyncio.create_task(self._run(), context=Context())
        return self.task

    async def _run(self) -> None:
        try:
            async with asyncio.timeout(_GIVEN_UP_S):
                self._result, self._well = await self._probe(), True
        except Exception as error:  # noqa: BLE001 a monitor gets its answer whatever there is
            if self._well:
                log.warning("readiness.lost", parts=list(self._away), reason=type(error).__name__)
            self._result, self._well = self._away, False
        finally:
            self._ended_at = asyncio.get_running_loop().time()
