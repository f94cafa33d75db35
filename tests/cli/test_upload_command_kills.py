"""`socialsyncer upload` while parts of the stack are killed, and a file that is larger than the API's memory."""

import asyncio
import hashlib
import json
import os
import random
import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.cli.parts import kill, until
from tests.cli.stacks import DevStack, socialsyncer
from tests.media.files import jpeg

pytestmark = [pytest.mark.thorough, pytest.mark.timeout(300)]

HEAD = b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isomiso2"
GIB = 2**30
MOST_GROWTH_KB = 64 * 1024
PARTS = ("api", "postgres", "api")
"""The part that is killed in each round."""


@pytest.fixture
async def stack(tmp_path: Path) -> AsyncIterator[DevStack]:
    async with DevStack(tmp_path).running() as stack:
        yield stack


def client(stack: DevStack) -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {stack.dev['apiKey']}"}
    return httpx.AsyncClient(base_url=stack.dev["apiUrl"], headers=headers, trust_env=False, timeout=120)


async def upload(stack: DevStack, path: Path) -> dict[str, object]:
    """Run the command again and again, as a person does, until the file is there."""
    async with asyncio.timeout(120):
        while True:
            code, output, _ = await socialsyncer("upload", path, "--json", "--data-dir", stack.data)
            if code == 0:
                shown: dict[str, object] = json.loads(output)
                return shown
            await asyncio.sleep(0.5)


def peak_kb(pid: int) -> int:
    match = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert match
    return int(match[1])


async def test_an_upload_survives_kills_and_is_published_once(stack: DevStack, tmp_path: Path) -> None:
    dice, parts = random.Random(20261130), stack.data / "media" / "parts"
    for number, part in enumerate(PARTS):
        content = HEAD + dice.randbytes(40 * 2**20)
        path = tmp_path / f"film-{number}.mp4"
        path.write_bytes(content)
        sending = asyncio.create_task(upload(stack, path))
        await until(lambda: any(parts.iterdir()))
        await asyncio.sleep(dice.uniform(0, 0.3))
        kill(stack.pids[part])
        shown = await sending
        await stack.ready(30)
        assert (shown["state"], shown["sha256"]) == ("ready", hashlib.sha256(content).hexdigest())
        async with client(stack) as api:
            received = await api.get(httpx.URL(str(shown["publicUrl"])).path)
            assert hashlib.sha256(received.content).hexdigest() == shown["sha256"]
            (await api.delete(f"/v1/media/{shown['id']}")).raise_for_status()
    path = tmp_path / "photo.jpg"
    path.write_bytes(jpeg())
    address = (await upload(stack, path))["publicUrl"]
    publishing = asyncio.create_task(
        stack.publish("With an upload", publishNow=True, mediaItems=[{"type": "image", "url": address}])
    )
    await asyncio.sleep(0.2)
    kill(stack.pids["worker"])
    await publishing
    assert len(await stack.published("With an upload", 90)) == 1
    async with asyncio.timeout(90):
        # Those that were deleted; the picture and the marker stay.
        while len([*(stack.data / "media" / "objects").glob("*/*")]) > 2:  # noqa: ASYNC110
            await asyncio.sleep(1)
    assert [*parts.iterdir()] == []


async def test_a_file_of_a_gibibyte_takes_little_memory(stack: DevStack, tmp_path: Path) -> None:
    path = tmp_path / "large.mp4"
    path.write_bytes(HEAD)
    os.truncate(path, GIB)
    (tmp_path / "small.mp4").write_bytes(HEAD + os.urandom(2**20))
    await upload(stack, tmp_path / "small.mp4")
    pid = stack.pids["api"]
    before = peak_kb(pid)

    async def blocks() -> AsyncIterator[bytes]:
        with path.open("rb") as file:
            while block := file.read(2**20):
                yield block

    async with client(stack) as api:
        body = {"filename": "large.mp4", "contentType": "video/mp4"}
        begun = (await api.post("/v1/media/presign", json=body)).json()
        at_once = await api.put(begun["uploadUrl"], content=blocks(), headers=begun["headers"])
        assert (at_once.status_code, at_once.json()["size"]) == (200, GIB)
        in_parts = await upload(stack, path)
        assert in_parts["sha256"] == at_once.json()["sha256"]
        public = httpx.URL(str(in_parts["publicUrl"])).path
        async with api.stream("GET", public) as answer:
            assert sum([len(piece) async for piece in answer.aiter_raw()]) == GIB
    assert stack.pids["api"] == pid
    assert peak_kb(pid) - before <= MOST_GROWTH_KB
