"""The processes of a fleet behind a balancer, and new connections to it beside what happens."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import httpx

from benchmarks.fleet.balancer import Balancer
from store.roles import Component
from tests.releases.folders import ROOT
from tests.releases.trees import Fleet, Part, Tree

APIS, WORKERS = 2, 4
NEW_CONNECTIONS_PER_S = 20
DRAIN_S = 3
"""More than the balancer takes to notice that a process is not ready."""
TREE = Tree("the present code", ROOT)
SETTINGS = {
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


class FleetProcesses:
    """The processes of a fleet, and connections to it."""

    def __init__(self, fleet: Fleet, balancer: Balancer, api_key: str) -> None:
        self._fleet = fleet
        self._balancer = balancer
        self._headers = {"Authorization": f"Bearer {api_key}"}
        self.apis: list[Part] = []
        self.workers: list[Part] = []

    async def start(self) -> None:
        """Start all processes, and wait until the balancer knows that the APIs are ready."""
        starts = [Component.API] * APIS + [Component.WORKER] * WORKERS
        parts = await asyncio.gather(*(self.add(component) for component in starts))
        self.apis, self.workers = parts[:APIS], parts[APIS:]
        await self.balance()

    async def stop(self) -> None:
        """Stop all processes."""
        await asyncio.gather(*(part.stop() for part in (*self.apis, *self.workers)))

    async def add(self, component: Component) -> Part:
        """Start one more process."""
        return await self._fleet.start(TREE, component)

    async def balance(self) -> None:
        """Let the balancer use the present APIs, and wait until all are ready."""
        self._balancer.use([part.url for part in self.apis])
        await self._balancer.await_ready(len(self.apis))

    async def observe(self, event: Event, happens: Callable[[], Awaitable[None]], seconds: float) -> None:
        """Let an event happen, with new connections meanwhile and for some seconds afterwards."""
        connecting = asyncio.create_task(self._connect_for_ever(event))
        await happens()
        await asyncio.sleep(seconds)
        connecting.cancel()
        await connecting
        print(f"{event.name}: {sum(event.statuses.values())} new connections, {event.failed} failed", flush=True)

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
