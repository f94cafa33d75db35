"""An import of which a part is killed at any moment leaves nothing or everything, and a repeat gets the same posts."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from tests.cli.parts import kill
from tests.cli.stacks import DevStack

pytestmark = pytest.mark.thorough

ROWS, ROUNDS = 250, 6
PARTS = ("api", "api", "postgres", "worker")
"""The part that is killed in each round, again from the beginning."""


@pytest.fixture
async def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[DevStack]:
    monkeypatch.setenv("SOCIALSYNCER_BULK_STARTS_PER_S", "1000")
    async with DevStack(tmp_path).running() as stack:
        yield stack


def rows(stack: DevStack, number: int) -> list[dict[str, Any]]:
    account = next(account for account in stack.dev["accounts"] if account["platform"] == "twitter")
    target = {"platform": "twitter", "accountId": account["accountId"]}
    return [
        {"content": f"File {number}, row {at}", "platforms": [target], "scheduledFor": "2030-12-01T09:00"}
        for at in range(ROWS)
    ]


async def send(stack: DevStack, number: int) -> httpx.Response | None:
    """Send an import, and return None if no answer comes."""
    headers = {"Authorization": f"Bearer {stack.dev['apiKey']}", "Idempotency-Key": f"file {number}"}
    async with httpx.AsyncClient(base_url=stack.dev["apiUrl"], trust_env=False, timeout=60) as client:
        try:
            return await client.post("/v1/imports", json={"posts": rows(stack, number)}, headers=headers)
        except httpx.TransportError:
            return None


async def stored_ids(stack: DevStack, number: int) -> list[str]:
    query = "SELECT id FROM posts WHERE content LIKE $1 ORDER BY id"
    return [row["id"] for row in await fetch(stack, query, f"File {number}, %")]


async def fetch(stack: DevStack, query: str, *arguments: object) -> list[asyncpg.Record]:
    """Return what a query finds, once PostgreSQL is back if it was killed."""
    connection = None
    async with asyncio.timeout(60):
        while connection is None:
            try:
                connection = await asyncpg.connect(stack.dev["databaseUrl"].replace("+asyncpg", ""))
            except (OSError, asyncpg.PostgresError):
                await asyncio.sleep(0.1)
    try:
        return list(await connection.fetch(query, *arguments))
    finally:
        await connection.close()


async def test_an_import_is_whole_or_nothing_whatever_is_killed(stack: DevStack) -> None:
    dice = random.Random(20261130)
    began = time.monotonic()
    assert (await send(stack, 0)) is not None
    usual_s = time.monotonic() - began
    whole = 0
    for number in range(1, ROUNDS + 1):
        sending = asyncio.create_task(send(stack, number))
        await asyncio.sleep(dice.uniform(0, 1.2 * usual_s))
        kill(stack.pids[PARTS[number % len(PARTS)]])
        first = await sending
        await stack.ready(30)
        before = await stored_ids(stack, number)
        assert len(before) in {0, ROWS}
        whole += bool(before)
        repeat = await send(stack, number)
        while repeat is None or repeat.status_code in {429, 503}:
            await asyncio.sleep(0.5)
            repeat = await send(stack, number)
        assert (repeat.status_code, repeat.json()["created"]) == (201, ROWS)
        ids = [result["id"] for result in repeat.json()["results"]]
        assert sorted(ids) == await stored_ids(stack, number)
        if before:
            assert (sorted(ids), repeat.headers["idempotent-replayed"]) == (before, "true")
        if first is not None and first.status_code == 201:
            assert first.content == repeat.content
    assert whole > 0
    async with asyncio.timeout(60):
        while await fetch(stack, "SELECT id FROM posts WHERE delivered_version < version LIMIT 1"):  # noqa: ASYNC110
            await asyncio.sleep(0.5)
