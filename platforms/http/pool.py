"""A pool of connections that are used again for the same server, the latest first."""

import asyncio
import ssl
import time

import httpcore

from platforms.http.connection import Connection

_MOST_REQUESTS = 100
_MOST_IDLE = 64
"""More than the steps of one platform that a worker runs at a time, so that a herd of posts finds them open."""
_IDLE_FOR_S = 2.0
"""Well below the five seconds after which many servers, Apache's and uvicorn's defaults among them, close an idle
connection: a send that meets the end of its connection is unconfirmed, and some platforms cannot be read back."""


class Pool:
    """Connections of HTTP/1.1 to any servers, each of which carries one request at a time.

    httpcore's own pool visits all connections and requests twice for each request, asks the system about each that is
    idle, and closes every idle one as soon as it has more connections than may be idle.
    """

    def __init__(self, context: ssl.SSLContext, network: httpcore.AsyncNetworkBackend) -> None:
        context.set_alpn_protocols(["http/1.1"])
        self._context = context
        self._network = network
        self._room = asyncio.Semaphore(_MOST_REQUESTS)
        self._idle: list[tuple[float, Connection]] = []
        """With the time until which they may be used again, the next to expire first."""
        self._closing = set[asyncio.Task[None]]()
        self._is_open = True

    async def send(self, request: httpcore.Request) -> tuple[httpcore.Response, Connection]:
        """Return the response to a request, and its connection, which must be released. Raises what httpcore raises."""
        timeouts = request.extensions.get("timeout", {})
        await self._wait_for_room(timeouts.get("pool"))
        connection: Connection | None = None
        try:
            connection = self._take(request.url.origin) or await Connection.open(
                request.url.origin, self._context, self._network, timeouts.get("connect")
            )
            return await connection.send(request), connection
        except BaseException:
            self.release(connection)
            raise

    def release(self, connection: Connection | None) -> None:
        """End a request. Its connection is kept if nothing of its response is still to be read, else closed."""
        self._room.release()
        if connection is None:
            return
        if connection.is_idle and self._is_open:
            self._idle.append((time.monotonic() + _IDLE_FOR_S, connection))
        else:
            self._close(connection)
        self._close_expired()

    async def aclose(self) -> None:
        """Close all connections that are idle; the others are closed once they are released."""
        self._is_open = False
        for _, connection in self._idle:
            self._close(connection)
        self._idle.clear()
        await asyncio.gather(*self._closing)

    async def _wait_for_room(self, timeout: float | None) -> None:  # noqa: ASYNC109 - as httpcore has it
        if not self._room.locked():
            await self._room.acquire()
            return
        try:
            async with asyncio.timeout(timeout):
                await self._room.acquire()
        except TimeoutError as error:
            raise httpcore.PoolTimeout(f"{_MOST_REQUESTS} requests are under way") from error

    def _take(self, origin: httpcore.Origin) -> Connection | None:
        """Return the connection to a server that was used last and can be used again; None if there is none."""
        self._close_expired()
        for index in range(len(self._idle) - 1, -1, -1):
            if self._idle[index][1].origin != origin:
                continue
            _, connection = self._idle.pop(index)
            if connection.can_be_used_again():
                return connection
            self._close(connection)
        return None

    def _close_expired(self) -> None:
        now = time.monotonic()
        while self._idle and (self._idle[0][0] < now or len(self._idle) > _MOST_IDLE):
            self._close(self._idle.pop(0)[1])

    def _close(self, connection: Connection) -> None:
        """Close a connection in a task of its own, so that no cancellation leaves it open."""
        task = asyncio.ensure_future(connection.aclose())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
