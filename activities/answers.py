"""Bounds on the work of reading an answer from a server that is not trusted.

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
"""Bytes that a piece must have on average once there are more than the free ones; a slow line brings some 1,400."""


@dataclass(slots=True)
class _Head:
    read: int = 0


_head: ContextVar[_Head | None] = ContextVar("head", default=None)


@contextmanager
def reading_head() -> Iterator[None]:
    """Count what is read meanwhile by this task as the head of an answer."""
    token = _head.set(_Head())
    try:
        yield
    finally:
        _head.reset(token)


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
        # Where activities.transport looks for bytes that have arrived unasked.
        self._stream = getattr(stream, "_stream", None)

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        head = _head.get()
        if head is None:
            return await self._inner.read(max_bytes, timeout)
        data = await self._inner.read(min(max_bytes, _HEAD_READ), timeout)
        head.read += len(data)
        if head.read > MOST_HEAD_BYTES:
            raise httpcore.RemoteProtocolError("the head of the answer is too long")
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
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
