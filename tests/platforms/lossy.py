"""A proxy on loopback, in front of a real server, that loses requests and responses."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

ENDS_WITHIN_S = 30.0


@dataclass(slots=True)
class Lossy:
    """A running proxy.

    Of every three requests with `method` to a path that ends with `path`, it loses one request, loses the response to
    another one, and passes the third.
    """

    url: str
    method: str
    path: str
    lost_requests: int = 0
    lost_answers: int = 0
    passed: int = 0
    _seen: int = field(default=0)

    def choose_loss(self, head: bytes) -> str:
        """Return what to do with a request: lose its `answer`, lose the `request`, or let it be `passed`."""
        method, address, _ = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ", 2)
        if method != self.method or not urlsplit(address).path.endswith(self.path):
            return ""
        self._seen += 1
        loss = ("answer", "request", "passed")[self._seen % 3]
        self.lost_answers += loss == "answer"
        self.lost_requests += loss == "request"
        self.passed += loss == "passed"
        return loss


@asynccontextmanager
async def losing(server: str, method: str, path: str) -> AsyncIterator[Lossy]:
    """Run a proxy in front of a server for the length of the block. Each connection serves one request."""
    host, port = urlsplit(server).hostname, urlsplit(server).port

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            loss = proxy.choose_loss(head)
            if loss != "request":
                answer = await _answer(host, port, _without_keeping(head), reader)
                if loss != "answer":
                    writer.write(_without_keeping(answer))
                    await writer.drain()
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    proxy = Lossy(f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}", method, path)
    try:
        yield proxy
    finally:
        listening.close()


async def _answer(host: str | None, port: int | None, head: bytes, body: asyncio.StreamReader) -> bytes:
    """Return the whole response to a request whose body is still being received."""
    reader, writer = await asyncio.open_connection(host, port)

    async def pass_on() -> None:
        writer.write(head)
        while piece := await body.read(65_536):
            writer.write(piece)
            await writer.drain()

    passing = asyncio.create_task(pass_on())
    try:
        async with asyncio.timeout(ENDS_WITHIN_S):
            return await reader.read()
    finally:
        passing.cancel()
        with contextlib.suppress(asyncio.CancelledError, OSError):
            await passing
        writer.close()


def _without_keeping(message: bytes) -> bytes:
    """Return a request or a response that asks for the connection to be closed after it."""
    head, separator, body = message.partition(b"\r\n\r\n")
    lines = [line for line in head.split(b"\r\n") if not line.lower().startswith((b"connection:", b"keep-alive:"))]
    return b"\r\n".join([*lines, b"Connection: close"]) + separator + body
