"""API processes with limits of their own, beside a development stack."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from cli.stack.ports import HOST, free_port
from cli.stack.temporal import NAMESPACE

_READY_WITHIN_S = 120


def api_environment(dev: dict[str, Any], limit: int) -> dict[str, str]:
    """Return the settings of an API process beside a stack, with a limit of requests and of posts; 0 is none."""
    return {
        "SOCIALSYNCER_DATABASE_URL": dev["databaseUrl"],
        "SOCIALSYNCER_SANDBOX_URL": dev["sandboxUrl"],
        "SOCIALSYNCER_REQUESTS_PER_MINUTE": str(limit),
        "SOCIALSYNCER_POSTS_PER_MINUTE": str(limit),
        "SOCIALSYNCER_LOG_LEVEL": "info",
        "TEMPORAL_ADDRESS": dev["temporalAddress"],
        "TEMPORAL_NAMESPACE": NAMESPACE,
    }


@asynccontextmanager
async def api(dev: dict[str, Any], limit: int) -> AsyncIterator[tuple[str, int]]:
    """Run an API process beside a stack; yield its address and process id."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli.main", "api", "--port", str(port)),
        env={**os.environ, **api_environment(dev, limit)},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with httpx.AsyncClient(base_url=f"http://{HOST}:{port}", trust_env=False) as client:
            async with asyncio.timeout(_READY_WITHIN_S):
                while not await _is_up(client):
                    if process.returncode is not None:
                        raise SystemExit(f"an API process ended with {process.returncode}")
                    await asyncio.sleep(0.2)
        yield f"http://{HOST}:{port}", process.pid
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _is_up(client: httpx.AsyncClient) -> bool:
    try:
        return (await client.get("/healthz")).status_code == 200
    except httpx.TransportError:
        return False
