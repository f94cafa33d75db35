"""Connections that send a short request in one piece, and bound the work of reading the answer of a strange server.

A parser takes as long for a piece of one byte as for one of 64 KiB, and holds up everything else in this process
meanwhile. So an answer may not consist of tiny pieces, and its head not of endless ones.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from ssl import SSLContext
from typing import Any

import httpcore
import httpx

MOST_HEAD_BYTES = 32 * 1024
"""Bytes before the body of an answer, those of interim answers (1xx) and of a body that came with them included."""
_HEAD_READ = 4 * 1024
"""Bytes that are read at a time until the body begins, so that little of it is counted as head."""
_TURN = 32
"""Pieces of a body after which everything else in this process gets its turn."""
_FREE_PIECES = 4096
_SMALLEST_PIECE = 256
"""Bytes that a piece must have on average beyond the free ones; a slow connection brings some 1,400."""


@dataclass(slots=True)
class _Exchange:
    """A request that is sent, and the head of its answer."""

    holds_head: bool
    """Whether the request's head waits for the first piece of its body, to leave in one write."""
    read: int = 0


_exchange: ContextVar[_Exchange | None] = ContextVar("exchange", default=None)


@contextmanager
def exchanging(request: httpx.Request) -> Iterator[None]:
    """Send the request's head and its body in one piece, and count what this task reads as the head of the answer."""
    token = _exchange.set(_Exchange(isinstance(request.stream, httpx.ByteStream)))
    try:
        yield
    finally:
        _exchange.reset(token)


class BoundedBody(httpx.AsyncByteStream):
    """The body of an answer; raises httpx.RemoteProtocolError if it comes in pieces too small."""

    def __init__(self, stream: httpx.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the pieces."""
        pieces, received = 0, 0
        async for piece in self._stream:
            pieces += 1
            received += len(piece)
            if pieces > _FREE_PIECES + received // _SMALLEST_PIECE:
                raise httpx.RemoteProtocolError("the body comes in pieces too small")
            if pieces % _TURN == 0:
                await asyncio.sleep(0)
            yield piece

    async def aclose(self) -> None:
        """Give the connection back."""
        await self._stream.aclose()


class BoundedHeads(httpcore.AsyncNetworkBackend):
    """A network backend whose connections over TCP read no more than so much of a head; it makes no others."""

    def __init__(self, network: httpcore.AsyncNetworkBackend) -> None:
        self._network = network

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature is httpcore's
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect as the backend below does."""
        return _Stream(await self._network.connect_tcp(host, port, timeout, local_address, socket_options))


class _Stream(httpcore.AsyncNetworkStream):
    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._inner = stream
        self._held = b""
        # Where platforms.http.transport looks for bytes that have arrived unasked.
        self._stream = getattr(stream, "_stream", None)

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        exchange = _exchange.get()
        if exchange is None:
            return await self._inner.read(max_bytes, timeout)
        data = await self._inner.read(min(max_bytes, _HEAD_READ), timeout)
        exchange.read += len(data)
        if exchange.read > MOST_HEAD_BYTES:
            raise httpcore.RemoteProtocolError("the head of the answer is too long")
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        exchange = _exchange.get()
        if exchange is not None and exchange.holds_head:
            # httpcore writes the head first, then the body, then its end, if only as no bytes at all.
            exchange.holds_head, self._held = False, buffer
            return
        if self._held:
            buffer, self._held = self._held + buffer, b""
        await self._inner.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def start_tls(
        self,
        ssl_context: SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> httpcore.AsyncNetworkStream:
        try:
            return _Stream(await self._inner.start_tls(ssl_context, server_hostname, timeout))
        except BaseException:
            # httpcore closes what fails, but not what is cancelled: the connection would stay until it is collected.
            await self._inner.aclose()
            raise

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)
