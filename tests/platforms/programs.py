"""Servers of other programs, run in parallel with the tests."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from tests.platforms.rig import EACH_ITS_CONNECTION

ENDS_WITHIN_S = 20.0


@asynccontextmanager
async def serving(command: Sequence[str], url: str, log: Path, within: float) -> AsyncIterator[httpx.AsyncClient]:
    """Run a server for the length of the block, from its first response at `url`; yields a client.

    Raises RuntimeError with the server's output if it ends before, TimeoutError after `within` seconds.
    """
    with log.open("wb") as written:
        process = await asyncio.create_subprocess_exec(*command, stdout=written, stderr=written)
    try:
        async with httpx.AsyncClient(limits=EACH_ITS_CONNECTION) as client:
            async with asyncio.timeout(within):
                while not await _answers(client, url):
                    if process.returncode is not None:
                        output = await asyncio.to_thread(log.read_text)
                        raise RuntimeError(f"{command[0]} ended: {output}")
                    await asyncio.sleep(0.2)
            yield client
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                async with asyncio.timeout(ENDS_WITHIN_S):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()


async def _answers(client: httpx.AsyncClient, url: str) -> bool:
    try:
        return (await client.get(url)).is_success
    except httpx.TransportError:
        return False
