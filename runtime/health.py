"""Answer for a worker's life and readiness over HTTP."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta

from sqlalchemy.exc import SQLAlchemyError
from temporalio.client import Client
from temporalio.service import RPCError
from temporalio.worker import Worker

from runtime.settings import Settings
from store.database import Database

_TIMEOUT_S = 3.0


@contextlib.asynccontextmanager
async def serving_health(
    settings: Settings, database: Database, client: Client, workers: Sequence[Worker]
) -> AsyncIterator[None]:
    """Serve /healthz and /readyz on the configured port for the length of the block; nothing where none is set."""
    if settings.worker_health_port is None:
        yield
        return

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, TimeoutError, asyncio.LimitOverrunError, asyncio.IncompleteReadError):
            async with asyncio.timeout(2 * _TIMEOUT_S):
                head = await reader.readuntil(b"\r\n\r\n")
                path = head.split(b" ", 2)[1]
                parts = {"worker": all(each.is_running for each in workers)}
                if path != b"/healthz":
                    parts |= await ready(database, client)
                body = json.dumps({"status": "ok" if all(parts.values()) else "unavailable", **parts}).encode()
                status = b"200 OK" if all(parts.values()) else b"503 Service Unavailable"
                writer.write(b"HTTP/1.1 %s\r\ncontent-type: application/json\r\n" % status)
                writer.write(b"content-length: %d\r\nconnection: close\r\n\r\n%s" % (len(body), body))
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, settings.worker_health_host, settings.worker_health_port)
    async with server:
        yield


async def ready(database: Database, client: Client) -> dict[str, bool]:
    """Tell of each part that a worker depends on whether it answers."""
    return {"database": await _pings(database), "temporal": await _answers(client)}


async def _pings(database: Database) -> bool:
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            await database.ping()
    except (SQLAlchemyError, OSError, TimeoutError):
        return False
    return True


async def _answers(client: Client) -> bool:
    try:
        return await client.service_client.check_health(timeout=timedelta(seconds=_TIMEOUT_S))
    except (RPCError, RuntimeError):
        return False
