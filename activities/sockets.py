"""Carry httpcore's bytes over asyncio's own transports: a request costs a third less than over its anyio backend.

An idle connection is looked at twice. Whether a server has closed it is known without asking the system, so that a pool
may ask about each of its connections at every request; and right before it is used anew, the system is asked, so that
no request is written to a connection whose end has arrived but was not read yet: for a post, nobody could tell then
whether it went out.
"""

import asyncio
import select
import socket
import ssl
from collections import deque
from collections.abc import Iterable
from typing import Any, Self, cast

import aiohappyeyeballs
import httpcore
import httpx

from store.database import demand_no_connection

_STAGGER_S = 0.25
"""Between the tries of a host's addresses; source: RFC 8305, section 8."""
_READ_AHEAD = 256 * 1024
"""Bytes that may wait to be read before the server is held back."""
_MOST_CONNECTIONS = 100
_MOST_IDLE = 16
"""Few: the pool looks through all of its connections at every request."""
_IDLE_FOR_S = 5.0
_CLOSED = "the server has closed the connection"


class Socket(asyncio.Protocol, httpcore.AsyncNetworkStream):
    """Be one connection, in clear or with TLS."""

    def __init__(self) -> None:
        self._transport = cast("asyncio.Transport", None)
        self._poll = select.poll()
        self._arrived: deque[bytes] = deque()
        self._waiting = 0
        self._ended = False
        self._broken: Exception | None = None
        self._reader: asyncio.Future[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._idle = False
        """Whether it was read from since it was written to: what is written next begins a request."""

    # -- what the event loop tells ----------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)
        self._poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)

    def data_received(self, data: bytes) -> None:
        """Keep what has arrived, and hold the server back where too much is waiting."""
        self._arrived.append(data)
        self._waiting += len(data)
        if self._waiting > _READ_AHEAD:
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> None:
        """Note the end; asyncio closes the connection."""
        self._ended = True
        self._wake()

    def connection_lost(self, error: Exception | None) -> None:
        """Note the end, and why."""
        self._ended, self._broken = True, error
        self._writable.set()
        self._wake()

    def pause_writing(self) -> None:
        """Hold back who writes more than the server takes."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """Let them go on."""
        self._writable.set()

    def _wake(self) -> None:
        if self._reader and not self._reader.done():
            self._reader.set_result(None)

    # -- what httpcore asks for -------------------------------------------------------------------------------------

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        """Return what has arrived, nothing at the end. Raises httpcore's ReadTimeout, ReadError."""
        if not self._arrived and not self._ended:
            await self._arrival(timeout)
        self._idle = True
        if self._arrived:
            return self._take(max_bytes)
        if self._broken:
            raise httpcore.ReadError(str(self._broken)) from self._broken
        return b""

    async def _arrival(self, within: float | None) -> None:
        loop = asyncio.get_running_loop()
        reader = self._reader = loop.create_future()
        alarm = None if within is None else loop.call_later(within, _give_up, reader)
        try:
            await reader
        finally:
            self._reader = None
            if alarm:
                alarm.cancel()

    def _take(self, max_bytes: int) -> bytes:
        data = self._arrived.popleft()
        if len(data) > max_bytes:
            self._arrived.appendleft(data[max_bytes:])
            data = data[:max_bytes]
        before, self._waiting = self._waiting, self._waiting - len(data)
        if self._waiting <= _READ_AHEAD < before and not self._ended:
            self._transport.resume_reading()
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        """Send. Raises httpcore's WriteTimeout, WriteError, ConnectionNotAvailable where nothing was sent."""
        if not buffer:
            return
        if self._idle and (self._ended or self._poll.poll(0)):
            # The pool then takes another connection; no byte of the request has left.
            raise httpcore.ConnectionNotAvailable
        self._idle = False
        if self._ended:
            raise httpcore.WriteError(str(self._broken or _CLOSED))
        self._transport.write(buffer)
        if not self._writable.is_set():
            try:
                async with asyncio.timeout(timeout):
                    await self._writable.wait()
            except TimeoutError as error:
                raise httpcore.WriteTimeout from error

    async def aclose(self) -> None:
        """Close at once; who answered has been sent all, and who did not is not waited for."""
        self._transport.abort()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> Self:
        """Go on with TLS. Raises httpcore's ConnectTimeout, ConnectError."""
        if self._ended:
            # uvloop would wait for a handshake on what is closed already.
            raise httpcore.ConnectError(_CLOSED)
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(timeout):
                secure = await loop.start_tls(self._transport, self, ssl_context, server_hostname=server_hostname)
        except TimeoutError as error:
            self._transport.abort()
            raise httpcore.ConnectTimeout from error
        except OSError as error:
            self._transport.abort()
            raise httpcore.ConnectError(str(error)) from error
        if secure is None:
            raise httpcore.ConnectError(_CLOSED)
        self._transport = secure
        return self

    def get_extra_info(self, info: str) -> Any:
        """Answer whether a request may follow on this connection, and what else httpcore wants to know."""
        if info == "is_readable":
            return self._ended or bool(self._arrived)
        return self._transport.get_extra_info({"server_addr": "peername", "client_addr": "sockname"}.get(info, info))


def _give_up(reader: asyncio.Future[None]) -> None:
    if not reader.done():
        reader.set_exception(httpcore.ReadTimeout())


class Sockets(httpcore.AsyncNetworkBackend):
    """Connect to a host at whichever of its addresses answers first."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature is httpcore's
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> Socket:
        """Connect. Raises httpcore's ConnectTimeout, ConnectError."""
        loop = asyncio.get_running_loop()
        local = aiohappyeyeballs.addr_to_addr_infos((local_address, 0)) if local_address else None
        try:
            async with asyncio.timeout(timeout):
                addresses = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
                connected = await aiohappyeyeballs.start_connection(
                    addresses, local_addr_infos=local, happy_eyeballs_delay=_STAGGER_S
                )
                for option in socket_options or ():
                    connected.setsockopt(*option)
                _, stream = await loop.create_connection(Socket, sock=connected)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(f"{host} did not answer in time") from error
        except OSError as error:
            raise httpcore.ConnectError(str(error)) from error
        return stream

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature is httpcore's
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> Socket:
        """Refuse: networks are not on this machine."""
        raise httpcore.ConnectError("unix sockets are not connected to")

    async def sleep(self, seconds: float) -> None:
        """Wait between connection retries."""
        await asyncio.sleep(seconds)


class SocketTransport(httpx.AsyncHTTPTransport):
    """Be httpx's transport over such sockets, or over those of `network`. It heeds no proxies of the environment."""

    def __init__(
        self,
        network: httpcore.AsyncNetworkBackend | None = None,
        *,
        context: ssl.SSLContext | None = None,
    ) -> None:
        """To make a `context` takes some ten milliseconds, so several transports may share one."""
        context = context or httpx.create_ssl_context(trust_env=False)
        super().__init__(verify=context, trust_env=False)
        # httpx hands no network backend on to the pool it makes, so it gets this pool instead.
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=context,
            max_connections=_MOST_CONNECTIONS,
            max_keepalive_connections=_MOST_IDLE,
            keepalive_expiry=_IDLE_FOR_S,
            network_backend=network or Sockets(),
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request. Raises ConnectionHeld inside a database transaction."""
        demand_no_connection()
        return await super().handle_async_request(request)
