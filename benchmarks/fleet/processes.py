"""The processes of a fleet behind a balancer of connections, and new connections to it beside what happens."""

import asyncio
import contextlib
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx

from store.roles import Component
from tests.releases.trees import ROOT, Fleet, Part, Tree

CHECKED_EVERY_S = 0.5
_CHECK_S = 2.0
_PIECE = 64 * 1024


class Balancer:
    """A listening socket whose connections go to the processes that say at `/readyz` that they are ready."""

    def __init__(self) -> None:
        self._urls: list[str] = []
        self._ready: list[str] = []
        self._number = itertools.count()
        self.port = 0
        self.without_process = 0
        """Connections for which no process was ready."""

    @property
    def url(self) -> str:
        """Return the address for clients."""
        return f"http://127.0.0.1:{self.port}"

    def use(self, urls: Sequence[str]) -> None:
        """Send connections to these processes from now on, as soon as each is ready."""
        self._urls = list(urls)
        self._ready = [url for url in self._ready if url in self._urls]

    async def await_ready(self, count: int) -> None:
        """Wait until so many processes are ready."""
        while len(self._ready) < count:  # noqa: ASYNC110 there is no event
            await asyncio.sleep(CHECKED_EVERY_S / 5)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Balancer"]:
        """Serve for the length of the block."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=512)
        self.port = server.sockets[0].getsockname()[1]
        checks = asyncio.create_task(self._check_all())
        try:
            yield self
        finally:
            checks.cancel()
            server.close()

    async def _check_all(self) -> None:
        async with httpx.AsyncClient(trust_env=False, timeout=_CHECK_S) as client:
            while True:
                urls = list(self._urls)
                answers = await asyncio.gather(*(_is_ready(client, url) for url in urls))
                self._ready = [url for url, ready in zip(urls, answers, strict=True) if ready and url in self._urls]
                await asyncio.sleep(CHECKED_EVERY_S)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ready = self._ready
        try:
            if not ready:
                self.without_process += 1
                return
            port = int(ready[next(self._number) % len(ready)].rpartition(":")[2])
            inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
            await asyncio.gather(_copy(reader, inner_writer), _copy(inner_reader, writer))
        except OSError:
            # The client sees it, and counts it.
            return
        finally:
            writer.close()


async def _is_ready(client: httpx.AsyncClient, url: str) -> bool:
    try:
        # A new connection each: a process that drains still answers on old ones.
        return (await client.get(f"{url}/readyz", headers={"Connection": "close"})).is_success
    except httpx.HTTPError:
        return False


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while piece := await reader.read(_PIECE):
            writer.write(piece)
            await writer.drain()
    finally:
        with contextlib.suppress(OSError):
            writer.close()


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
