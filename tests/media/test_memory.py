"""The memory that a worker needs for a large video does not grow with the video."""

import asyncio
import sys

import httpx
import pytest

from benchmarks.memory import served
from cli.stack.ports import HOST, free_port
from sandbox.server import running_sandbox

SIZE = 64 * 2**20
MOST = 25 * 2**20


@pytest.mark.thorough
@pytest.mark.parametrize("platforms", [("twitter", "youtube"), ("facebook", "linkedin")])
async def test_a_large_video_takes_some_ten_megabytes(platforms: tuple[str, ...]) -> None:
    port = free_port()
    async with running_sandbox() as sandbox, httpx.AsyncClient(timeout=30) as client:
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
