"""An endpoint of a client for benchmarks: a server on loopback that takes every event at once."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress

Take = Callable[[Mapping[str, str], bytes], None]
"""A function that gets the headers of a request, with names in lower case, and its body."""


@asynccontextmanager
async def receiving(port: int, take: Take) -> AsyncIterator[None]:
    """Serve an endpoint for the length of the block; each connection may bring many requests."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # It is cancelled at the end.
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                lines = [line.partition(": ") for line in head.split("\r\n")[1:] if line]
                headers = {name.lower(): value for name, _, value in lines}
                take(headers, await reader.readexactly(int(headers["content-length"])))
                writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", port)
    try:
        yield
    finally:
        server.close()
