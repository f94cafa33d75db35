"""Functions that restore the stores of a stack from a copy, and set the clocks of its parts wrong."""

import asyncio
import shutil
import signal
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import psutil

from benchmarks.proof.product import Product
from benchmarks.stack import command
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
