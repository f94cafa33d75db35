"""Functions that freeze parts of the product, restore its stores from a copy, and set the clocks of parts wrong."""

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import httpx
import psutil

from benchmarks.proof.product import Product
from benchmarks.stack import command
from benchmarks.waiting import eventually
from cli.stack.ports import HOST, free_port
from domain.schedule import rfc3339

OWN_PARTS = ("api", "worker")
_STORES = {"database": "postgres", "temporal": "temporal"}
_DEAD_WITHIN = 10.0
_POLL = 0.02


class Copies:
    """Copies of both stores, made and restored while their servers are down, as after a crash."""

    def __init__(self, product: Product) -> None:
        self._product = product
        self._copy = product.folder / "copy"
        self._made_at = datetime.now(UTC)

    async def take(self) -> None:
        """Copy both stores as they are now; their servers are killed for it."""
        had = {part: self._product.pid(part) for part in _STORES.values()}
        with self._nothing_is_restarted():
            await self._kill(had)
            self._made_at = datetime.now(UTC)
            shutil.rmtree(self._copy, ignore_errors=True)
            self._copy.mkdir()
            for store in _STORES:
                await _copied(self._files(store, self._product.folder), self._copy)
        await self._product.back(had)

    async def put_back(self, stores: Collection[str]) -> float:
        """Restore the copy, which loses later commits, and follow docs/backup.md; return the seconds it took."""
        began = asyncio.get_running_loop().time()
        had = {part: self._product.pid(part) for part in (*OWN_PARTS, *(_STORES[store] for store in stores))}
        with self._product.inside.own_parts_do_not_start():
            with self._nothing_is_restarted():
                await self._kill(had)
                for store in stores:
                    for file in self._files(store, self._product.folder):
                        shutil.rmtree(file) if file.is_dir() else file.unlink()
                    await _copied(self._files(store, self._copy), self._product.folder)
            await self._product.rows("SELECT 1")
            options = [f"--{store}" for store in sorted(stores)]
            await command(self._product.dev, "restored", "--from", rfc3339(self._made_at), *options)
        await self._product.back(had)
        return asyncio.get_running_loop().time() - began

    async def with_clocks(self, seconds: Mapping[str, float]) -> None:
        """Start the API and the worker again, with their clocks wrong by this much."""
        self._product.inside.set_clocks(seconds)
        await self._product.back(self._product.kill(*OWN_PARTS))

    @contextmanager
    def _nothing_is_restarted(self) -> Iterator[None]:
        pid = self._product.pid("sandbox")
        supervisor = psutil.Process(pid).parent() if pid else None
        assert supervisor is not None
        supervisor.suspend()
        try:
            yield
        finally:
            supervisor.resume()

    async def _kill(self, had: Mapping[str, int | None]) -> None:
        processes = [psutil.Process(pid) for pid in had.values() if pid]
        every = [member for process in processes for member in (process, *process.children(recursive=True))]
        for member in every:
            with suppress(psutil.NoSuchProcess):
                member.send_signal(signal.SIGKILL)
        async with asyncio.timeout(_DEAD_WITHIN):
            while not all(map(_is_dead, every)):  # noqa: ASYNC110 no event says so
                await asyncio.sleep(_POLL)

    @staticmethod
    def _files(store: str, folder: Path) -> list[Path]:
        return [folder / "postgres"] if store == "database" else sorted(folder.glob("temporal.db*"))


def _is_dead(process: psutil.Process) -> bool:
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


async def _copied(files: Collection[Path], folder: Path) -> None:
    """Copy a folder with its owners, because PostgreSQL may run as another user."""
    copying = await asyncio.create_subprocess_exec("cp", "-a", *map(str, files), str(folder))
    assert await copying.wait() == 0


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
