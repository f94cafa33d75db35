"""The process's transport: pools of HTTP/1.1 connections over httpcore's streams, which handle TLS and reading."""

import asyncio
import contextlib
import ssl
import time
from collections.abc import AsyncIterable, AsyncIterator, Iterator
from typing import Self, cast

import httpcore
import httpx

from domain.printable import error_words
from domain.shares import demand_no_session


class Connection:
    """A connection that is not used again if the server sent more than its response.

    All accounts of a platform share a pool, so such bytes would be taken for the response to another account's request.
    """

    def __init__(self, origin: httpcore.Origin, stream: httpcore.AsyncNetworkStream) -> None:
        self.origin = origin
        self._http = httpcore.AsyncHTTP11Connection(origin, stream)
        self._stream = stream
        self._surplus: _Surplus | None = None

    @classmethod
    async def open(
        cls,
        origin: httpcore.Origin,
        context: ssl.SSLContext,
        network: httpcore.AsyncNetworkBackend,
        timeout: float | None,  # noqa: ASYNC109 - as httpcore has it
    ) -> Self:
        """Connect to a server; an https one must have a certificate that the context trusts."""
        host = origin.host.decode("ascii")
        stream = await network.connect_tcp(host, origin.port, timeout)
        if origin.scheme == b"https":
            try:
                stream = await stream.start_tls(context, host, timeout)
            except BaseException:
                # httpcore closes a connection that fails, but not one that is cancelled. It would stay open until it is
                # collected.
                await stream.aclose()
                raise
        return cls(origin, stream)

    @property
    def is_idle(self) -> bool:
        """Whether the response to each request has been read to its end."""
        return self._http.is_idle()

    async def send(self, request: httpcore.Request) -> httpcore.Response:
        """Send a request, and return its response as soon as its head has arrived."""
        return await self._http.handle_async_request(request)

    def can_be_used_again(self) -> bool:
        """Return whether nothing has arrived since the last response: no bytes, and no end of the connection.

        Call it between two exchanges only.
        """
        if self._http.has_expired():
            # The socket is readable: httpcore takes that for the end of the connection.
            return False
        self._surplus = self._surplus or _Surplus(self._http, self._stream)
        return not self._surplus.has_arrived()

    async def aclose(self) -> None:
        """Close the connection."""
        await self._http.aclose()


class _Surplus:
    """The bytes that one connection has received and that belong to no response.

    They can wait in h11's buffer, in the TLS layer and in anyio's queue below it. h11, httpcore and anyio offer only
    private names for them. The tests of the transport fail if one of these layers is forgotten.
    """

    def __init__(self, http: httpcore.AsyncHTTP11Connection, stream: httpcore.AsyncNetworkStream) -> None:
        self._http = http._h11_state  # noqa: SLF001 - see above
        self._tls: ssl.SSLObject | None = stream.get_extra_info("ssl_object")
        below = getattr(stream, "_stream", None)
        below = getattr(below, "transport_stream", below)
        self._protocol = getattr(below, "_protocol", None)

    def has_arrived(self) -> bool:
        """Return whether there are any. Call it between two exchanges only, because it may read some of them."""
        if self._http.trailing_data[0] or getattr(self._protocol, "read_queue", None):
            return True
        if self._tls is None:
            return False
        try:
            self._tls.read(1)
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLError:
            pass
        return True


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


_ERRORS: dict[type[Exception], type[httpx.TransportError]] = {
    httpcore.ConnectTimeout: httpx.ConnectTimeout,
    httpcore.ReadTimeout: httpx.ReadTimeout,
    httpcore.WriteTimeout: httpx.WriteTimeout,
    httpcore.PoolTimeout: httpx.PoolTimeout,
    httpcore.ConnectError: httpx.ConnectError,
    httpcore.ReadError: httpx.ReadError,
    httpcore.WriteError: httpx.WriteError,
    httpcore.LocalProtocolError: httpx.LocalProtocolError,
    httpcore.RemoteProtocolError: httpx.RemoteProtocolError,
}
"""httpx's names for the errors of httpcore's connections."""


class Transport(httpx.AsyncBaseTransport):
    """An httpx transport over a network backend of httpcore. It ignores proxies in the environment.

    A context takes some ten milliseconds to make, so transports may share one.
    """

    def __init__(
        self, network: httpcore.AsyncNetworkBackend | None = None, *, context: ssl.SSLContext | None = None
    ) -> None:
        self._pool = Pool(context or httpx.create_ssl_context(trust_env=False), network or httpcore.AnyIOBackend())

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request. Raises SessionHeld inside a database transaction."""
        demand_no_session()
        url = request.url
        if url.scheme not in {"http", "https"}:
            raise httpx.UnsupportedProtocol("only http and https are spoken")
        with _errors():
            response, connection = await self._pool.send(
                httpcore.Request(
                    request.method,
                    httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                    headers=request.headers.raw,
                    content=cast("httpx.AsyncByteStream", request.stream),
                    extensions=request.extensions,
                )
            )
        return httpx.Response(
            response.status,
            headers=response.headers,
            stream=_Body(response, connection, self._pool),
            extensions=dict(response.extensions),
        )

    async def aclose(self) -> None:
        """Close all connections."""
        await self._pool.aclose()


@contextlib.contextmanager
def _errors() -> Iterator[None]:
    """Raise httpx's errors for httpcore's, and httpx.ReadError for a TLS record that cannot be read.

    Neither anyio nor httpcore translates the latter.
    """
    try:
        yield
    except ssl.SSLError as error:
        raise httpx.ReadError(f"The connection is no longer TLS: {error}") from error
    except Exception as error:
        if type(error) not in _ERRORS:
            raise
        raise _ERRORS[type(error)](error_words(error)) from error


class _Body(httpx.AsyncByteStream):
    """The body of a response, whose connection is released once."""

    def __init__(self, response: httpcore.Response, connection: Connection, pool: Pool) -> None:
        self._response = response
        self._connection: Connection | None = connection
        self._pool = pool

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _errors():
            async for piece in cast("AsyncIterable[bytes]", self._response.stream):
                yield piece

    async def aclose(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            await self._response.aclose()
        finally:
            self._pool.release(connection)
