"""A post that becomes public while a request is on its way: no response is the same for it and for a stopped one."""

import asyncio
import os
import signal
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine
from sqlalchemy.util import await_only

from store.database import Pool
from tests.api.conftest import Client, create, read_answer
from tests.runtime.processes import api_processes
from tests.stack import Stack

DISTANT = "2029-02-01T14:00:00Z"
Change = Callable[[Client, Stack], Awaitable[tuple[str, Awaitable[httpx.Response]]]]
"""Makes a post; returns its id, and the request that would stop or change it."""


async def publish(connection: asyncpg.Connection, post_id: str) -> bool:
    """Publish a post in its rows as a worker does that is due now; False if a change was faster."""
    async with connection.transaction():
        try:
            row = await connection.fetchrow(
                "SELECT status, version FROM posts WHERE id = $1 FOR UPDATE NOWAIT", post_id
            )
        except asyncpg.LockNotAvailableError:
            return False
        if row is None or tuple(row) != ("scheduled", 1):
            return False
        now = datetime.now(UTC)
        await connection.execute(
            "UPDATE targets SET status = 'published', begun_at = $2, published_at = $2 WHERE post_id = $1", post_id, now
        )
        await connection.execute(
            "UPDATE posts SET status = 'published', published_at = $2, updated_at = $2 WHERE id = $1", post_id, now
        )
    return True


@asynccontextmanager
async def connection(stack: Stack) -> AsyncIterator[asyncpg.Connection]:
    opened = await asyncpg.connect(stack.database_url.replace("+asyncpg", ""))
    try:
        yield opened
    finally:
        await opened.close()


async def scheduled(api: Client, stack: Stack, **more: Any) -> str:
    account = stack.accounts["plain"]
    target = {"platform": account.platform, "accountId": account.id}
    body = {"content": f"due meanwhile {uuid.uuid4()}", "platforms": [target], "scheduledFor": DISTANT}
    return str((await create(api, body | more))["id"])


def new_key() -> dict[str, str]:
    return {"Idempotency-Key": str(uuid.uuid4())}


async def deleting(api: Client, stack: Stack) -> tuple[str, Awaitable[httpx.Response]]:
    post_id = await scheduled(api, stack)
    return post_id, api.delete(f"/v1/posts/{post_id}", headers=new_key())


async def deleting_many(api: Client, stack: Stack) -> tuple[str, Awaitable[httpx.Response]]:
    post_id = await scheduled(api, stack)
    return post_id, api.post("/v1/posts/bulk/delete", json={"ids": [post_id]}, headers=new_key())


async def changing(api: Client, stack: Stack) -> tuple[str, Awaitable[httpx.Response]]:
    post_id = await scheduled(api, stack)
    return post_id, api.patch(f"/v1/posts/{post_id}", json={"isDraft": True})


async def retrying(api: Client, stack: Stack) -> tuple[str, Awaitable[httpx.Response]]:
    post_id = await scheduled(api, stack)
    return post_id, api.post(f"/v1/posts/{post_id}/retry")


async def editing(api: Client, stack: Stack) -> tuple[str, Awaitable[httpx.Response]]:
    post_id = await scheduled(api, stack)
    return post_id, api.post(f"/v1/posts/{post_id}/edit", json={"content": "edited"})


async def in_campaign(api: Client, stack: Stack) -> tuple[str, str]:
    body = {"name": "Winter", "isDraft": False, "timezone": "UTC"}
    campaign_id = read_answer(await api.post("/v1/campaigns", json=body), 201)["id"]
    return await scheduled(api, stack, campaignId=campaign_id), f"/v1/campaigns/{campaign_id}"


async def ending_campaign(api: Client, stack: Stack) -> tuple[str, Awaitable[httpx.Response]]:
    post_id, path = await in_campaign(api, stack)
    return post_id, api.post(f"{path}/end", headers=new_key())


async def deleting_campaign(api: Client, stack: Stack) -> tuple[str, Awaitable[httpx.Response]]:
    post_id, path = await in_campaign(api, stack)
    return post_id, api.delete(f"{path}?posts=delete", headers=new_key())


async def deleting_series(api: Client, stack: Stack) -> tuple[str, Awaitable[httpx.Response]]:
    account = stack.accounts["plain"]
    post = {"content": "weekly", "platforms": [{"platform": account.platform, "accountId": account.id}]}
    rule = {"frequency": "weekly", "count": 1}
    body = {"name": "Tips", "timezone": "UTC", "start": "2029-02-01T14:00:00", "recurrence": rule, "post": post}
    series = read_answer(await api.post("/v1/series", json=body, headers=new_key()), 201)
    return series["next"][0]["postId"], api.delete(f"/v1/series/{series['id']}?posts=delete")


def stops(response: httpx.Response) -> bool:
    """Return whether a response says that the post is stopped."""
    body = response.json()
    if results := body.get("results"):
        [item] = results
        return item["httpStatus"] == 200 and "status" not in item
    if "deletedPosts" in body:
        return bool(body["deletedPosts"])
    if (result := body.get("result")) is not None:
        return bool(result.get("drafts") or result.get("deleted"))
    return response.status_code == 200 and body.get("status", "draft") == "draft"


CHANGES: dict[str, Change] = {
    "delete": deleting,
    "bulk delete": deleting_many,
    "PATCH": changing,
    "retry": retrying,
    "edit": editing,
    "end of its campaign": ending_campaign,
    "delete of its campaign": deleting_campaign,
    "delete of its series": deleting_series,
}


@dataclass
class Held:
    """A request that is held before one of its statements, while its post is published."""

    at: int
    post_id: str
    worker: asyncpg.Connection
    seen: int = 0
    is_published: bool = False

    async def before_statement(self) -> None:
        if self.seen == self.at:
            self.is_published = await publish(self.worker, self.post_id)
        self.seen += 1


HELD = ContextVar[Held | None]("HELD", default=None)


@pytest.fixture
def held_requests(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Hold the statements of requests that this test's own task and its children send."""
    rows = Pool.rows

    def before(*_: Any) -> None:
        if held := HELD.get():
            await_only(held.before_statement())

    async def holding(pool: Pool, statement: str, *arguments: object) -> Any:
        if held := HELD.get():
            await held.before_statement()
        return await rows(pool, statement, *arguments)

    monkeypatch.setattr(Pool, "rows", holding)
    event.listen(Engine, "before_cursor_execute", before)
    yield
    event.remove(Engine, "before_cursor_execute", before)


@pytest.mark.usefixtures("held_requests")
@pytest.mark.parametrize("name", CHANGES)
async def test_a_response_says_whether_the_post_was_stopped(api: Client, stack: Stack, name: str) -> None:
    outcomes = set()
    async with connection(stack) as worker:
        for at in range(100):
            post_id, request = await CHANGES[name](api, stack)
            held = Held(at, post_id, worker)
            token = HELD.set(held)
            response = await request
            HELD.reset(token)
            assert response.status_code < 500, response.text
            assert not (held.is_published and stops(response)), (at, response.text)
            outcomes.add((held.is_published, stops(response)))
            if held.seen <= at:
                break
    assert outcomes == {(True, False), (False, name not in {"retry", "edit"})}


async def test_a_request_that_waited_for_a_process_was_made_of_a_scheduled_post(running: Stack, tmp_path: Path) -> None:
    """The process stands still for six seconds around the due time, and the request waits in its socket."""
    ids: list[int] = []
    async with api_processes(running, tmp_path, 1, ids) as (url,), connection(running) as worker:
        headers = {"Authorization": f"Bearer {running.api_key}"}
        async with httpx.AsyncClient(base_url=url, headers=headers, trust_env=False, timeout=60) as client:
            account = running.accounts["plain"]
            target = {"platform": account.platform, "accountId": account.id}
            body = {"content": f"stopped {uuid.uuid4()}", "platforms": [target], "scheduledFor": DISTANT}
            post_id = read_answer(await client.post("/v1/posts", json=body), 201)["id"]
            os.kill(ids[0], signal.SIGSTOP)
            try:
                waiting = asyncio.create_task(client.delete(f"/v1/posts/{post_id}"))
                await asyncio.sleep(1)
                assert await publish(worker, post_id)
                await asyncio.sleep(5)
            finally:
                os.kill(ids[0], signal.SIGCONT)
            refused = await waiting
            assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
            assert "was published" in refused.json()["error"]
            answer = read_answer(await client.delete(f"/v1/posts/{post_id}"))
            assert answer == {"id": post_id, "deleted": True, "status": "published"}
