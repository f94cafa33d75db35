"""A balancer of connections, as a cluster has one: it checks each process, and knows no HTTP beyond that."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import httpx

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
