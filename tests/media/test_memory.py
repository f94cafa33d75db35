"""The memory that a worker needs for a large video does not grow with the video."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from cli.stack.ports import HOST, free_port
from sandbox.server import running_sandbox

SIZE = 64 * 2**20
MOST = 25 * 2**20
PIECE = bytes(256 * 1024)


@asynccontextmanager
async def served(sample: bytes, size: int, port: int) -> AsyncIterator[None]:
    """Serve a video of `size` bytes: a small one, then a box that players skip."""
    rest = size - len(sample)
    head = sample + (1).to_bytes(4) + b"free" + rest.to_bytes(8)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(
                f"HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\nContent-Length: {size}\r\n\r\n".encode() + head
            )
            for sent in range(len(head), size, len(PIECE)):
                writer.write(PIECE[: size - sent])
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(answer, HOST, port):
        yield


@pytest.mark.thorough
@pytest.mark.parametrize("platforms", [("twitter", "youtube"), ("facebook", "linkedin")])
async def test_a_large_video_takes_some_ten_megabytes(platforms: tuple[str, ...]) -> None:
    port = free_port()
    async with running_sandbox() as (sandbox, _), httpx.AsyncClient(timeout=30) as client:
        small = f"{sandbox}/_/media/a.mp4"
        async with served((await client.get(small)).content, SIZE, port):
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tests.media.uploading"),
                *(sandbox, small, f"http://{HOST}:{port}/large.mp4", *platforms),
                stdout=asyncio.subprocess.PIPE,
            )
            output, _ = await process.communicate()
    assert process.returncode == 0
    assert int(output) < MOST
