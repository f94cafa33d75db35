"""A request that waits for a calendar to change, by an API key or a view: events wake it, and it tells of no others."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from litestar import Litestar

from api import auth
from api.calendar import days
from api.calendar.days import read_days
from tests.api.calendar.test_calendar_views import make_view
from tests.api.conftest import Client, make_client, problems
from tests.stack import Stack

YEAR = datetime.now(UTC).year + 1
QUERY = {"from": f"{YEAR}-05-01", "to": f"{YEAR}-05-31"}


class Reads:
    """The reads of calendars."""

    def __init__(self) -> None:
        self.count = 0

    async def reach(self, count: int) -> None:
        """Wait until there were so many."""
        async with asyncio.timeout(60):
            while self.count < count:  # noqa: ASYNC110 there is no event
                await asyncio.sleep(0.01)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Reads:
    counted = Reads()

    async def count(*arguments: Any) -> Any:
        calendar = await read_days(*arguments)
        counted.count += 1
        return calendar

    monkeypatch.setattr("api.calendar.days.read_days", count)
    monkeypatch.setattr(days, "_APART_S", 0.0)
    return counted


@asynccontextmanager
async def waiting(client: Client, reads: Reads, wait: int = 60) -> AsyncIterator[asyncio.Task[httpx.Response]]:
    """Let a client read a calendar, and then wait for another one until the block ends."""
    tag = (await client.get("/v1/calendar", params=QUERY)).headers["ETag"]
    first = reads.count
    headers = {"If-None-Match": tag, "Prefer": f"wait={wait}"}
    request = asyncio.create_task(client.get("/v1/calendar", params=QUERY, headers=headers))
    # A look at the events of its workspace may wake it once more, unless an earlier request was seen by such a look.
    await reads.reach(first + 1)
    yield request
    request.cancel()


async def schedule(api: Client, stack: Stack, account_id: str, text: str) -> None:
    platforms = [{"platform": "mastodon", "accountId": account_id}]
    body = {"content": text, "platforms": platforms, "scheduledFor": f"{YEAR}-05-04T09:00:00Z"}
    assert (await api.send_post(body)).status_code == 201


async def connect(api: Client, stack: Stack) -> str:
    return (await stack.connect("mastodon", workspace_id=api.workspace_id)).id


async def test_a_view_waits_for_its_posts_and_learns_of_no_others(
    app: Litestar, stack: Stack, stranger: Client, reads: Reads
) -> None:
    shown, other = await connect(stranger, stack), await connect(stranger, stack)
    view = await make_view(stranger, accountId=shown)
    async with make_client(app, view["token"]) as viewer, waiting(viewer, reads) as request:
        before = reads.count
        await schedule(stranger, stack, other, "Not for the view")
        await reads.reach(before + 1)
        assert not request.done()
        await schedule(stranger, stack, shown, "For the view")
        async with asyncio.timeout(60):
            response = await request
    assert (response.status_code, response.headers["Preference-Applied"]) == (200, "wait=60")
    assert [post["text"] for day in response.json()["days"] for post in day["posts"]] == ["For the view"]


async def test_the_answer_is_the_same_after_the_wait(stranger: Client, reads: Reads) -> None:
    async with waiting(stranger, reads, wait=1) as request:
        response = await request
    assert (response.status_code, response.content) == (304, b"")
    # Without the tag of what the caller has, there is nothing to wait for.
    response = await stranger.get("/v1/calendar", params=QUERY, headers={"Prefer": "wait=60"})
    assert (response.status_code, response.headers.get("Preference-Applied")) == (200, None)


async def test_a_view_that_is_revoked_waits_no_longer(
    app: Litestar, stranger: Client, reads: Reads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth, "_CACHED_FOR_S", 0.0)
    view = await make_view(stranger)
    async with make_client(app, view["token"]) as viewer, waiting(viewer, reads) as request:
        await stranger.delete(f"/v1/calendar/views/{view['id']}")
        async with asyncio.timeout(60):
            response = await request
    assert [problem["code"] for problem in problems(response)] == ["invalid_credentials"]


async def test_a_request_beyond_those_that_may_wait_is_answered_at_once(
    app: Litestar, stranger: Client, reads: Reads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(days, "MOST_FOLLOWERS", 1)
    monkeypatch.setattr("api.calendar.routes.MOST_FOLLOWERS", 1)
    async with waiting(stranger, reads) as request:
        tag = (await stranger.get("/v1/calendar", params=QUERY)).headers["ETag"]
        headers = {"If-None-Match": tag, "Prefer": "wait=60"}
        response = await stranger.get("/v1/calendar", params=QUERY, headers=headers)
        assert (response.status_code, response.headers.get("Preference-Applied")) == (304, None)
        assert not request.done()
        # Views have a share of their own.
        view = await make_view(stranger)
        async with make_client(app, view["token"]) as viewer, waiting(viewer, reads) as second:
            assert not second.done()


async def test_a_request_that_is_woken_waits_for_its_turn(
    app: Litestar, stack: Stack, stranger: Client, reads: Reads
) -> None:
    """One event wakes all requests of a workspace, of which two read at a time."""
    account_id = await connect(stranger, stack)
    counts = app.state.deps.counts
    async with waiting(stranger, reads) as request:
        async with asyncio.timeout(60):
            # The second read may not have given its turn back.
            while counts._turns._shares.held_by(stranger.workspace_id):  # noqa: ASYNC110 there is no event
                await asyncio.sleep(0.01)
        with counts.take(stranger.workspace_id), counts.take(stranger.workspace_id):
            await schedule(stranger, stack, account_id, "Behind others")
            await asyncio.sleep(0.5)
            assert not request.done()
        async with asyncio.timeout(60):
            assert (await request).status_code == 200
