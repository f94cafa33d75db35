"""A fleet of 2 APIs and 4 workers: `uv run python -m benchmarks.fleet [SECONDS]`.

Clients create posts and read by new connections, through a balancer, and the processes reach PostgreSQL through
PgBouncer (Debian's package), while they are replaced one after the other, killed and frozen. Exits with 1 if a new
connection failed while processes were replaced, or if a post was lost or public twice. The seconds are how long the
fleet serves after each event; 5 by default, in all some five minutes.
"""

import asyncio
import os
import shutil
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx

from benchmarks.fleet.balancer import Balancer
from store.migrate import upgrade
from store.roles import Component
from tests.databases import ROLES
from tests.pgbouncer import PgBouncer, pgbouncer
from tests.postgres import postgres_server
from tests.releases.folders import ROOT
from tests.releases.rolling import Clients
from tests.releases.trees import Fleet, Part, Tree
from tests.running import running_stack
from tests.temporal import temporal_server

APIS, WORKERS = 2, 4
NEW_CONNECTIONS_PER_S = 20
DRAIN_S = 3
"""More than the balancer takes to notice that a process is not ready."""
FROZEN_S = 15.0
_TREE = Tree("the present code", ROOT)
_SETTINGS = {
    "SOCIALSYNCER_API_DRAIN_S": str(DRAIN_S),
    "SOCIALSYNCER_REQUESTS_PER_MINUTE": "0",
    "SOCIALSYNCER_POSTS_PER_MINUTE": "0",
    "SOCIALSYNCER_WORKER_GRACE_S": "10",
}


@dataclass(slots=True)
class Event:
    """An event of the fleet, and the statuses of new connections meanwhile. `planned`: none may fail."""

    name: str
    planned: bool
    statuses: Counter[str] = field(default_factory=Counter)

    @property
    def failed(self) -> int:
        """Return the number of connections without a success."""
        return sum(count for status, count in self.statuses.items() if not status.startswith("2"))


class FleetRun:
    """The fleet, its clients, and what happens to it."""

    def __init__(self, fleet: Fleet, pooler: PgBouncer, balancer: Balancer, api_key: str, seconds: float) -> None:
        self._fleet = fleet
        self._pooler = pooler
        self._balancer = balancer
        self._headers = {"Authorization": f"Bearer {api_key}"}
        self._seconds = seconds
        self.apis: list[Part] = []
        self.workers: list[Part] = []
        self.events: list[Event] = []

    async def start(self) -> None:
        """Start all processes, and wait until the balancer knows that the APIs are ready."""
        starts = [Component.API] * APIS + [Component.WORKER] * WORKERS
        parts = await asyncio.gather(*(self._fleet.start(_TREE, component) for component in starts))
        self.apis, self.workers = parts[:APIS], parts[APIS:]
        await self._balance()

    async def run(self) -> None:
        """Let each event happen, with clients beside it."""
        planned: list[tuple[str, Callable[[], Awaitable[None]]]] = [
            ("nothing", self._nothing),
            ("both APIs are replaced", self._replace_apis),
            ("all workers are replaced", self._replace_workers),
        ]
        unplanned: list[tuple[str, Callable[[], Awaitable[None]]]] = [
            ("a worker is killed", self._kill_worker),
            ("a worker is frozen", self._freeze_worker),
            ("PgBouncer is killed and started again", self._restart_pooler),
            ("an API is killed", self._kill_api),
        ]
        self.events = [Event(name, True) for name, _ in planned] + [Event(name, False) for name, _ in unplanned]
        for event, (_, happens) in zip(self.events, planned + unplanned, strict=True):
            connecting = asyncio.create_task(self._connect_for_ever(event))
            await happens()
            await asyncio.sleep(self._seconds)
            connecting.cancel()
            await connecting
            print(f"{event.name}: {sum(event.statuses.values())} new connections, {event.failed} failed", flush=True)

    async def _balance(self) -> None:
        self._balancer.use([part.url for part in self.apis])
        await self._balancer.await_ready(len(self.apis))

    async def _nothing(self) -> None:
        return

    async def _replace_apis(self) -> None:
        for number, former in enumerate(self.apis):
            self.apis.append(await self._fleet.start(_TREE, Component.API))
            await self._balance()
            await former.stop()
            self.apis[number] = self.apis.pop()
            await self._balance()

    async def _replace_workers(self) -> None:
        for number, former in enumerate(self.workers):
            worker = await self._fleet.start(_TREE, Component.WORKER)
            await former.stop()
            self.workers[number] = worker

    async def _kill_worker(self) -> None:
        self.workers.pop().kill()

    async def _freeze_worker(self) -> None:
        process = self.workers[0].process
        process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(FROZEN_S)
        process.send_signal(signal.SIGCONT)

    async def _restart_pooler(self) -> None:
        await asyncio.to_thread(self._pooler.stop)
        await asyncio.to_thread(self._pooler.start)

    async def _kill_api(self) -> None:
        # The balancer notices it; connections until then fail, as on any machine that vanishes.
        self.apis.pop().kill()

    async def _connect_for_ever(self, event: Event) -> None:
        """Read by new connections at an even pace, until it is cancelled; those that have begun end."""
        async with asyncio.TaskGroup() as requests:
            try:
                while True:
                    requests.create_task(self._connect(event))
                    await asyncio.sleep(1 / NEW_CONNECTIONS_PER_S)
            except asyncio.CancelledError:
                return

    async def _connect(self, event: Event) -> None:
        try:
            async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
                response = await client.get(f"{self._balancer.url}/v1/posts?limit=1", headers=self._headers)
            event.statuses[str(response.status_code)] += 1
        except httpx.HTTPError as error:
            event.statuses[type(error).__name__] += 1


async def main(seconds: float) -> int:
    """Run it with servers of its own, and print the figures."""
    os.environ.update(_SETTINGS)
    if shutil.which("pgbouncer") is None:
        raise SystemExit("Install Debian's package pgbouncer.")
    with tempfile.TemporaryDirectory() as folder, postgres_server() as url, pgbouncer(url) as pooler:
        async with (
            temporal_server() as temporal,
            running_stack(url, temporal) as stack,
            Balancer().running() as balancer,
        ):
            await upgrade(stack.database_url, [replace(role, has_limits=True) for role in ROLES])
            fleet, clients = Fleet(stack, Path(folder) / "log", pooler.url), Clients(stack)
            clients.urls = [balancer.url]
            run = FleetRun(fleet, pooler, balancer, stack.api_key, seconds)
            try:
                await run.start()
                sending = asyncio.create_task(clients.send_for_ever())
                await run.run()
                sending.cancel()
                await sending
                figures = await clients.count()
            finally:
                await fleet.close()
    planned = sum(event.failed for event in run.events if event.planned)
    print(f"posts: {figures}")
    print(f"new connections that failed while processes were replaced: {planned}")
    return int(planned > 0 or bool(figures.doubled) or bool(figures.unpublished))


if __name__ == "__main__":
    sys.exit(asyncio.run(main(float(sys.argv[1]) if sys.argv[1:] else 5.0)))
