"""Uploads of which a part of the service is killed at any moment: a file that was answered stays, and none is stuck."""

import asyncio
import hashlib
import os
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from tests.cli.parts import kill
from tests.cli.stacks import DevStack

pytestmark = pytest.mark.thorough

FILE = b"\xff\xd8\xff\xe0" + os.urandom(2**20 + 7) * 20
DIGEST = hashlib.sha256(FILE).hexdigest()
ROUNDS = 6
PARTS = ("api", "api", "postgres")
"""The part that is killed in each round, again from the beginning."""
SECONDS = 1.0
"""How long a file takes."""


@pytest.fixture
async def stack(tmp_path: Path) -> AsyncIterator[DevStack]:
    async with DevStack(tmp_path).running() as stack:
        yield stack


async def pieces() -> AsyncIterator[bytes]:
    step = len(FILE) // 20 + 1
    for start in range(0, len(FILE), step):
        yield FILE[start : start + step]
        await asyncio.sleep(SECONDS / 20)


async def send(client: httpx.AsyncClient, upload: dict[str, Any], content: Any) -> httpx.Response | None:
    """Send a file, and return None if no answer comes."""
    headers = upload["headers"] | {"Content-Length": str(len(FILE))}
    try:
        return await client.put(upload["uploadUrl"], content=content, headers=headers)
    except httpx.TransportError:
        return None


async def end_claims(stack: DevStack) -> None:
    """Let the minute pass after which the claim of a process that died is over."""
    try:
        connection = await asyncpg.connect(stack.dev["databaseUrl"].replace("+asyncpg", ""))
    except (OSError, asyncpg.PostgresError):
        await asyncio.sleep(0.2)
        return
    await connection.execute("UPDATE uploads SET claimed_until = now() - interval '1 s' WHERE state = 'uploading'")
    await connection.close()


async def test_a_file_comes_whole_whatever_is_killed(stack: DevStack) -> None:
    dice = random.Random(20261130)
    key = {"Authorization": f"Bearer {stack.dev['apiKey']}"}
    answered = 0
    async with httpx.AsyncClient(base_url=stack.dev["apiUrl"], headers=key, trust_env=False, timeout=60) as client:
        for number in range(ROUNDS):
            body = {"filename": "a.jpg", "contentType": "image/jpeg", "size": len(FILE), "sha256": DIGEST}
            upload = (await client.post("/v1/media/presign", json=body)).json()
            sending = asyncio.create_task(send(client, upload, pieces()))
            await asyncio.sleep(dice.uniform(0.3, 1.2) * SECONDS)
            kill(stack.pids[PARTS[number % len(PARTS)]])
            first = await sending
            await stack.ready(30)
            file = (await client.get(f"/v1/media/{upload['id']}")).json()
            if first is not None and first.status_code == 200:
                answered += 1
                assert (file["state"], file["sha256"]) == ("ready", DIGEST)
            async with asyncio.timeout(60):
                while (repeat := await send(client, upload, FILE)) is None or repeat.status_code in {409, 503}:
                    await end_claims(stack)
            assert (repeat.status_code, repeat.json()["sha256"]) == (200, DIGEST), repeat.text
            assert hashlib.sha256((await client.get(upload["publicUrl"])).content).hexdigest() == DIGEST
        files = (await client.get("/v1/media")).json()["media"]
    assert [file["state"] for file in files] == ["ready"] * ROUNDS
    # Nothing is left of the uploads that broke off.
    stored = [path for path in stack.data.glob("media/objects/**/*") if path.is_file() and path.stat().st_size > 1000]
    assert len(stored) == ROUNDS
    assert answered < ROUNDS
