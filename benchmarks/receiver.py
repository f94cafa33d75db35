"""An endpoint of a client for benchmarks: a server on loopback that takes events at once, or hangs."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress

Take = Callable[[Mapping[str, str], bytes], Awaitable[object] | None]
"""A function that gets the headers of a request, with names in lower case, and its body.

The request is answered once what it returns, if anything, has ended.
"""


@asynccontextmanager
async def receiving(port: int, take: Take) -> AsyncIterator[None]:
    """Serve an endpoint for the length of the block; each connection may bring many requests."""
    connections = set[asyncio.Task[None]]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if task := asyncio.current_task():
            connections.add(task)
            task.add_done_callback(connections.discard)
        # It is cancelled at the end.
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                lines = [line.partition(": ") for line in head.split("\r\n")[1:] if line]
                headers = {name.lower(): value for name, _, value in lines}
                if answering := take(headers, await reader.readexactly(int(headers["content-length"]))):
                    await answering
                writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", port)
    try:
        yield
    finally:
        server.close()
        for connection in connections:
            connection.cancel()
