"""The largest imports: whole, within bounds of time, and corrected."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from sqlalchemy import func, select

from api.posts.many.checking import MOST_ROWS
from domain.ids import new_id
from store.models import Post, Target
from tests.api.conftest import Client
from tests.api.test_limits import MOST_S
from tests.stack import Stack

pytestmark = pytest.mark.thorough


@asynccontextmanager
async def longest_gap() -> AsyncIterator[list[float]]:
    """Yield a list that gets the longest processor time of the event loop between two of its rounds."""
    gaps = [0.0]

    async def watch() -> None:
        while True:
            began = time.thread_time()
            await asyncio.sleep(0.005)
            gaps[0] = max(gaps[0], time.thread_time() - began)

    task = asyncio.create_task(watch())
    try:
        yield gaps
    finally:
        task.cancel()


async def send(client: Client, kind: str, body: bytes, key: str, **query: str) -> httpx.Response:
    headers = {"Idempotency-Key": key, "Content-Type": kind}
    # Comparing an answer of 1,000 rows with the document would take the event loop, too.
    client.event_hooks = {"response": []}
    return await client.post("/v1/imports", content=body, headers=headers, params=query, timeout=110)


async def test_ten_thousand_posts_are_imported_in_one_request(api: Client, stack: Stack) -> None:
    prefix, key = new_id("file"), new_id("key")
    targets = [
        {"platform": "twitter", "accountId": stack.accounts["plain"].id},
        {"platform": "mastodon", "accountId": (await stack.connect("mastodon")).id},
    ]
    body = b"\n".join(
        json.dumps(
            {
                "externalId": f"{prefix}/{number}",
                "content": f"{prefix}: an ordinary text of number {number} with a link https://example.com/{number}",
                "platforms": targets,
                "scheduledFor": f"2030-{1 + number % 12:02}-{1 + number % 28:02}T09:{number % 60:02}",
                "tags": [prefix],
            }
        ).encode()
        for number in range(MOST_ROWS)
    )
    async with longest_gap() as gaps:
        first = await send(api, "application/x-ndjson", body, key, timezone="Europe/Berlin")
    answer = first.json()
    assert (first.status_code, answer["total"], answer["created"]) == (201, MOST_ROWS, MOST_ROWS)
    assert (len(answer["results"]), answer["hasMore"]) == (1_000, True)
    assert gaps[0] < MOST_S
    async with stack.database.transaction() as session:
        ours = Post.external_id.startswith(prefix)
        assert await session.scalar(select(func.count()).where(ours)) == MOST_ROWS
        joined = select(func.count(Target.id)).join(Post, Post.id == Target.post_id)
        assert await session.scalar(joined.where(ours)) == 2 * MOST_ROWS
    repeat = await send(api, "application/x-ndjson", body, key, timezone="Europe/Berlin")
    assert (repeat.content, repeat.headers["idempotent-replayed"]) == (first.content, "true")
    again = await send(api, "application/x-ndjson", body, new_id("key"), timezone="Europe/Berlin")
    assert again.json()["unchanged"] == MOST_ROWS


async def test_a_spreadsheet_of_five_thousand_rows_is_corrected(api: Client, stack: Stack) -> None:
    prefix, account = new_id("sheet"), stack.accounts["plain"].id
    header = "externalId;content;platforms;scheduledFor"
    lines = [
        f'{prefix}/{at};"{prefix}; ""row"" {at}";twitter:{account};2030-11-{1 + at % 28:02}T09:00'
        for at in range(5_000)
    ]

    async def send_sheet(*rows: str) -> httpx.Response:
        body = "\r\n".join(["\N{ZERO WIDTH NO-BREAK SPACE}" + header, *rows]).encode()
        return await send(api, "text/csv", body, new_id("key"), onExisting="update", timezone="Europe/Berlin")

    assert (await send_sheet(*lines)).json()["created"] == 5_000
    corrected = set(range(0, 5_000, 400))
    changed = [line.replace("09:00", "10:30") if at in corrected else line for at, line in enumerate(lines)]
    answer = (await send_sheet(*changed)).json()
    assert (answer["updated"], answer["unchanged"]) == (len(corrected), 5_000 - len(corrected))
    async with stack.database.transaction() as session:
        versions = select(Post.external_id).where(Post.external_id.startswith(prefix), Post.version > 1)
        assert set(await session.scalars(versions)) == {f"{prefix}/{at}" for at in corrected}
    async with longest_gap() as gaps:
        whole = await send_sheet(*(line.replace("09:00", "11:00").replace("10:30", "11:00") for line in changed))
    assert whole.json()["updated"] == 5_000
    assert gaps[0] < MOST_S
