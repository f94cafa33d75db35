"""Connections that send a short request in one piece, and limit the work of reading an untrusted server's response.

A parser takes as long for a piece of one byte as for one of 64 KiB, and it blocks everything else in this process. So a
response may not consist of tiny pieces, and its head may not be endless.
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
"""Bytes before the body of a response, including interim responses (1xx) and a body that arrived with them."""
_HEAD_READ = 4 * 1024
"""Bytes per read until the body begins; few, so that little of the body is counted as head."""
_TURN = 32
"""Pieces of a body after which the other tasks of this process may run."""
_FREE_PIECES = 4096
_SMALLEST_PIECE = 256
"""Bytes per piece on average that are demanded beyond the free pieces; a slow connection yields some 1,400."""


@dataclass(slots=True)
class _Exchange:
    """A request in transit, and the head of its response."""

    holds_head: bool
    """Whether the request's head waits for the first piece of its body, so that both are sent in one write."""
    read: int = 0


_exchange: ContextVar[_Exchange | None] = ContextVar("exchange", default=None)


@contextmanager
def exchanging(request: httpx.Request) -> Iterator[None]:
    """Send a request's head and body in one piece, and count what this task reads as the head of the response."""
    token = _exchange.set(_Exchange(isinstance(request.stream, httpx.ByteStream)))
    try:
        yield
    finally:
        _exchange.reset(token)


class BoundedBody(httpx.AsyncByteStream):
    """The body of a response. Raises httpx.RemoteProtocolError if it comes in pieces that are too small."""

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
        """Release the connection."""
        await self._stream.aclose()


class BoundedHeads(httpcore.AsyncNetworkBackend):
    """A network backend whose TCP connections read a limited number of bytes as head; it makes no other connections."""

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
        """Connect as the underlying backend does."""
        return _Stream(await self._network.connect_tcp(host, port, timeout, local_address, socket_options))


class _Stream(httpcore.AsyncNetworkStream):
    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._inner = stream
        self._held = b""
        # platforms.http.transport looks here for unexpected bytes.
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
            # httpcore writes the head first, then the body, then its end, even if that is no bytes at all.
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
        return _Stream(await self._inner.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)
