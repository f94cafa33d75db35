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
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

from benchmarks.fleet.processes import SETTINGS, Balancer, Event, FleetProcesses
from store.migrate import upgrade
from store.roles import Component
from tests.databases import ROLES
from tests.pgbouncer import PgBouncer, pgbouncer
from tests.postgres import postgres_server
from tests.releases.rolling import Clients
from tests.releases.trees import Fleet
from tests.running import running_stack
from tests.temporal import temporal_server

FROZEN_S = 15.0


class FleetRun(FleetProcesses):
    """A fleet on PgBouncer, and what happens to it."""

    def __init__(self, fleet: Fleet, pooler: PgBouncer, balancer: Balancer, api_key: str, seconds: float) -> None:
        super().__init__(fleet, balancer, api_key)
        self._pooler = pooler
        self._seconds = seconds
        self.events: list[Event] = []

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
            await self.observe(event, happens, self._seconds)

    async def _nothing(self) -> None:
        return

    async def _replace_apis(self) -> None:
        for number, former in enumerate(self.apis):
            self.apis.append(await self.add(Component.API))
            await self.balance()
            await former.stop()
            self.apis[number] = self.apis.pop()
            await self.balance()

    async def _replace_workers(self) -> None:
        for number, former in enumerate(self.workers):
            worker = await self.add(Component.WORKER)
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


async def main(seconds: float) -> int:
    """Run it with servers of its own, and print the figures."""
    os.environ.update(SETTINGS)
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
