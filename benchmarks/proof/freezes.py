"""Functions that freeze parts of the product with SIGSTOP and thaw them, while another worker continues."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

import httpx
import psutil

from benchmarks.proof.product import Product
from cli.stack.ports import HOST, free_port

_HEALTH_PORT = "SOCIALSYNCER_WORKER_HEALTH_PORT"
_UP_WITHIN = 60.0
_GRACE = 40.0


@contextmanager
def frozen(product: Product, part: str) -> Iterator[None]:
    """Freeze a part with all its processes.

    The stack's supervisor is frozen too, because it would end a part that does not answer.
    """
    pid = product.pid(part)
    if pid is None:
        raise RuntimeError(f"{part} is down")
    process = psutil.Process(pid)
    supervisor = process.parent()
    assert supervisor is not None
    every = [process, *process.children(recursive=True)]
    supervisor.suspend()
    for member in every:
        member.suspend()
    try:
        yield
    finally:
        for member in reversed(every):
            with suppress(psutil.NoSuchProcess):
                member.resume()
        supervisor.resume()


@asynccontextmanager
async def another_worker(product: Product) -> AsyncIterator[None]:
    """Run one more worker, with the environment of the stack's own."""
    pid, port = product.pid("worker"), free_port()
    if pid is None:
        raise RuntimeError("the worker is down")
    environment = {**psutil.Process(pid).environ(), _HEALTH_PORT: str(port)}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "worker"),
        env=environment,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        await _well(f"http://{HOST}:{port}/healthz")
        yield
    finally:
        if process.returncode is None:
            os.kill(process.pid, signal.SIGTERM)
        try:
            async with asyncio.timeout(_GRACE):
                await process.wait()
        except TimeoutError:
            process.kill()


async def _well(url: str) -> None:
    async with asyncio.timeout(_UP_WITHIN), httpx.AsyncClient(trust_env=False) as http:
        while True:
            with suppress(httpx.HTTPError):
                if (await http.get(url)).is_success:
                    return
            await asyncio.sleep(0.2)
