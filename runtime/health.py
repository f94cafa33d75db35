"""The HTTP endpoints of a worker: whether it runs, and whether posts can be published."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Sequence

from temporalio.worker import Worker

from reconcile.readiness import Parts, Readiness, ready
from runtime.settings import Settings

_TIMEOUT_S = 6.0


@contextlib.asynccontextmanager
async def serving_health(settings: Settings, readiness: Readiness, workers: Sequence[Worker]) -> AsyncIterator[None]:
    """Serve /healthz, /readyz and /statusz for the length of the block, if a port is configured."""
    if settings.worker_health_port is None:
        yield
        return

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, TimeoutError, asyncio.LimitOverrunError, asyncio.IncompleteReadError):
            async with asyncio.timeout(_TIMEOUT_S):
                head = await reader.readuntil(b"\r\n\r\n")
                path = head.split(b" ", 2)[1].partition(b"?")[0]
                parts: Parts = {"worker": all(worker.is_running for worker in workers)}
                required = parts
                if path != b"/healthz":
                    seen = await readiness.parts()
                    # A new worker replaces an old one although Temporal, or the workers of another platform, are away.
                    required = {**parts, "database": seen["database"]}
                    parts = {**seen, "worker": bool(parts["worker"] and seen["worker"])}
                is_ready = ready(required if path == b"/readyz" else parts)
                body = json.dumps({"status": "ok" if is_ready else "unavailable", **parts}).encode()
                status = b"200 OK" if is_ready else b"503 Service Unavailable"
                writer.write(b"HTTP/1.1 %s\r\ncontent-type: application/json\r\n" % status)
                writer.write(b"content-length: %d\r\nconnection: close\r\n\r\n%s" % (len(body), body))
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, settings.worker_health_host, settings.worker_health_port)
    try:
        async with server:
            yield
    finally:
        await readiness.close()
