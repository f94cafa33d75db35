"""The cost of events: pages of a feed, and deliveries to endpoints."""

import asyncio
import contextlib
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Sequence
from datetime import timedelta

from benchmarks.campaigns.bench import Bench
from benchmarks.campaigns.measure import Bar, Figure, Job, p99, timed
from benchmarks.receiver import receiving
from cli.stack.ports import free_port
from store.announcer import CHANNEL
from store.events.feed import FeedPosition, read_events

HEALTHY_PORT, HANGING_PORT = free_port(), free_port()
"""Where the endpoints of a benchmark listen. The stack is started with leave to call them."""
_HERD_ROUNDS, _DELIVERY_ROUNDS = 8, 10
_REST_S = 0.5
"""Seconds before events are added: longer than a worker's pause after it has looked for events."""
_EVENTS, _PAGES, _DELIVERIES = 100_000, 200, 1000
_HERD, _HERD_IN, _HERD_ENDPOINTS = 300, timedelta(seconds=10), 3
_ADD_EVENTS = """
INSERT INTO events (workspace_id, type, data)
SELECT $1, 'post.published', json_build_object('postId', 'post_' || n) FROM generate_series(1, $2::int) AS n
"""


async def pages_of_a_feed(bench: Bench) -> Job:
    """Compare pages of a long feed with reads of one event by its key."""
    async with bench.connection() as owner:
        await owner.execute(_ADD_EVENTS, bench.workspace_id, _EVENTS)
        await owner.execute("ANALYZE events")
        event_id = await owner.fetchval("SELECT id FROM events LIMIT 1")
        by_key = "SELECT data FROM events WHERE id = $1"
        floor = [await timed(lambda: owner.fetch(by_key, event_id)) for _ in range(_PAGES)]
        seconds, after = [], FeedPosition()
        for _ in range(_PAGES):
            began = time.perf_counter()
            page = await read_events(bench.database, bench.workspace_id, after, None, 100)
            seconds.append(time.perf_counter() - began)
            after = page.end
        await owner.execute("DELETE FROM events")
    yield Figure("a page of 100 of a feed of 100,000 events", p99(seconds), "ms", p99(floor), Bar(most=5))


@contextlib.asynccontextmanager
async def _endpoint(bench: Bench, port: int, *events: str) -> AsyncIterator[str]:
    """Let the workspace have an endpoint on a port for the length of the block; yield its id."""
    body = {"url": f"http://127.0.0.1:{port}/", "events": events}
    created = await bench.product.api.post("/v1/webhooks/settings", json=body, headers={"Prefer": "wait=5"})
    created.raise_for_status()
    try:
        yield created.json()["id"]
    finally:
        await bench.product.api.delete(f"/v1/webhooks/settings/{created.json()['id']}")


async def _switch(bench: Bench, webhook_id: str, *, enabled: bool) -> None:
    """Switch an endpoint on, or off without anything that waits for it."""
    changed = await bench.product.api.patch(f"/v1/webhooks/settings/{webhook_id}", json={"enabled": enabled})
    changed.raise_for_status()
    if not enabled:
        async with bench.connection() as owner:
            await owner.execute("DELETE FROM deliveries WHERE webhook_id = $1", webhook_id)


async def deliveries_beside_a_hanging_endpoint(bench: Bench) -> Job:
    """Measure 1,000 deliveries to an endpoint, alone and beside one that stops to answer, in turns."""
    times: list[float] = []
    alone, beside = list[float](), list[float]()

    is_over = asyncio.Event()

    def hang(_headers: object, body: bytes) -> Awaitable[object] | None:
        # It takes the test that follows its creation.
        return None if b'"webhook.test"' in body else is_over.wait()

    async def deliver() -> float:
        await asyncio.sleep(_REST_S)
        times.clear()
        async with bench.connection() as owner, owner.transaction():
            await owner.execute(_ADD_EVENTS, bench.workspace_id, _DELIVERIES)
            # As the end of a post does: otherwise a part of each time is that until the worker's next look.
            await owner.execute("SELECT pg_notify($1, '')", CHANNEL)
            began = time.perf_counter()
        async with asyncio.timeout(120):
            while len(times) < _DELIVERIES:  # noqa: ASYNC110 there is no event
                await asyncio.sleep(0.01)
        return times[-1] - began

    async def deliver_beside(hanging_id: str) -> float:
        is_over.clear()
        await _switch(bench, hanging_id, enabled=True)
        seconds = await deliver()
        await _switch(bench, hanging_id, enabled=False)
        is_over.set()
        return seconds

    async with (
        receiving(HEALTHY_PORT, lambda *_: times.append(time.perf_counter())),
        receiving(HANGING_PORT, hang),
        _endpoint(bench, HEALTHY_PORT, "post.published"),
        _endpoint(bench, HANGING_PORT, "post.published") as hanging_id,
    ):
        await _switch(bench, hanging_id, enabled=False)
        # The first ones open connections, and read the secret.
        await deliver()
        for number in range(_DELIVERY_ROUNDS):
            # Which is first changes, so that neither gains by what the other has left.
            for is_beside in (number % 2 == 1, number % 2 == 0):
                if is_beside:
                    beside.append(await deliver_beside(hanging_id))
                else:
                    alone.append(await deliver())
    ours, floor = statistics.median(beside), statistics.median(alone)
    yield Figure(f"{_DELIVERIES} deliveries beside an endpoint that hangs", ours, "s", floor, Bar(2, 1.2))


async def herd_beside_endpoints(bench: Bench) -> Job:
    """Compare herds of posts of which three endpoints get all events with herds that no client follows, in turns."""
    alone, beside = list[float](), list[float]()
    taken = 0

    def take(*_: object) -> None:
        nonlocal taken
        taken += 1

    async def herd_beside(endpoints: Sequence[str]) -> float:
        for webhook_id in endpoints:
            await _switch(bench, webhook_id, enabled=True)
        rate = await bench.herd(_HERD, _HERD_IN)
        for webhook_id in endpoints:
            await _switch(bench, webhook_id, enabled=False)
        return rate

    async with receiving(HEALTHY_PORT, take), contextlib.AsyncExitStack() as stack:
        new = [_endpoint(bench, HEALTHY_PORT, "*") for _ in range(_HERD_ENDPOINTS)]
        endpoints = [await stack.enter_async_context(endpoint) for endpoint in new]
        # The first herd on a stack is slower than those that follow.
        await herd_beside(endpoints)
        for number in range(_HERD_ROUNDS):
            # Which is first changes, so that neither gains by what the other has left.
            for is_beside in (number % 2 == 1, number % 2 == 0):
                if is_beside:
                    beside.append(await herd_beside(endpoints))
                else:
                    alone.append(await bench.herd(_HERD, _HERD_IN))
    assert taken, "no event was delivered"
    for name, rates in (("alone", alone), ("beside", beside)):
        sys.stderr.write(f"herds {name}: {', '.join(f'{rate:.0f}' for rate in rates)} targets/s\n")
    ours, floor = statistics.median(beside), statistics.median(alone)
    yield Figure("targets of a herd beside three endpoints", ours, "/s", floor, Bar(least_ratio=0.95))
