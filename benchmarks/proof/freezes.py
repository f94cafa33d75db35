"""Functions that freeze parts of the product with SIGSTOP and thaw them, while another worker continues."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from functools import partial

import httpx
import psutil

from benchmarks.proof.product import Product
from benchmarks.waiting import eventually
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
        if not await eventually(partial(_is_well, f"http://{HOST}:{port}/healthz"), _UP_WITHIN):
            raise TimeoutError("the second worker is not well")
        yield
    finally:
        if process.returncode is None:
            os.kill(process.pid, signal.SIGTERM)
        try:
            async with asyncio.timeout(_GRACE):
                await process.wait()
        except TimeoutError:
            process.kill()


@asynccontextmanager
async def frozen_worker(
    product: Product, release: Callable[[], Awaitable[object]], margin_s: float
) -> AsyncIterator[None]:
    """Freeze the worker for the block, release what it waits for, and let another one continue.

    The other worker stays so many seconds longer than the block.
    """
    async with AsyncExitStack() as second_worker:
        with frozen(product, "worker"):
            await release()
            await second_worker.enter_async_context(another_worker(product))
            yield
        await asyncio.sleep(margin_s)


async def _is_well(url: str) -> bool:
    async with httpx.AsyncClient(trust_env=False) as http:
        with suppress(httpx.HTTPError):
            return (await http.get(url)).is_success
    return False
