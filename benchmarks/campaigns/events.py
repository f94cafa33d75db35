"""The cost of events: the writes of a send beside listeners, pages of a feed, and deliveries to endpoints."""

import asyncio
import contextlib
import itertools
import statistics
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

from benchmarks.campaigns.bench import Bench
from benchmarks.campaigns.gates import send_all
from benchmarks.campaigns.measure import Bar, Figure, Job, p99, timed
from benchmarks.processes import cpu_seconds, part_pids
from benchmarks.receiver import receiving
from cli.stack.ports import free_port
from domain.ids import new_id
from store.events.feed import FeedPosition, read_events

HEALTHY_PORT, HANGING_PORT = free_port(), free_port()
"""Where the endpoints of a benchmark listen. The stack is started with leave to call them."""
_SENDS, _PLANNED, _ROUNDS = 1000, 100, 3
_BARS = {"no listener": 1.10, "one endpoint": 1.20, "three endpoints": 1.25}
_TRIGGERS = {
    "targets": ("emit_target_events", "emit_target_edits", "emit_target_risks"),
    "posts": ("emit_scheduled_post", "emit_changed_post", "emit_deleted_post"),
}
"""The triggers that write events. Others stay in the floor: they have their own reasons."""
_ENDPOINTS = {"no listener": 0, "one endpoint": 1, "three endpoints": 3}
_EVENTS, _PAGES, _DELIVERIES = 100_000, 200, 1000
_HERD, _HERD_ENDPOINTS = 300, 3
_ADD_EVENTS = """
INSERT INTO events (workspace_id, type, data)
SELECT $1, 'post.published', json_build_object('postId', 'post_' || n) FROM generate_series(1, $2::int) AS n
"""
_ADD_WEBHOOK = """
INSERT INTO webhooks (id, workspace_id, url, events, secret, secret_key)
VALUES ($1, $2, 'https://none.test/', '{*}', '', '')
"""


async def sends_beside_listeners(bench: Bench) -> Job:
    """Compare the two writes of a send beside none, one and three endpoints with the same without triggers."""
    names = ["no triggers", *_ENDPOINTS]
    spent: dict[str, list[float]] = {name: [] for name in names}
    postgres = part_pids(bench.product.dev)["postgres"]
    with bench.stopped_worker():
        for _, name in itertools.product(range(_ROUNDS), names):
            ago = datetime.now(UTC) - timedelta(minutes=1)
            first, prefix = await bench.copies(_PLANNED, ago), await bench.copies(_SENDS // 2, ago)
            async with _listening(bench, _ENDPOINTS.get(name, 0), triggers=name in _ENDPOINTS):
                # A change of the triggers lets every session plan its statements again.
                await send_all(bench, first)
                before = cpu_seconds(postgres)
                await send_all(bench, prefix)
                spent[name].append((cpu_seconds(postgres) - before) / _SENDS * 1000)
            for sent in (first, prefix):
                await bench.forget(sent)
    floor = statistics.median(spent["no triggers"])
    for name, most in _BARS.items():
        ours = statistics.median(spent[name])
        yield Figure(f"PostgreSQL's time for begin_send and settle, {name}", ours, "ms", floor, Bar(most_ratio=most))


@contextlib.asynccontextmanager
async def _listening(bench: Bench, endpoints: int, *, triggers: bool) -> AsyncIterator[None]:
    """Let the workspace have so many endpoints, or take the triggers away."""
    async with bench.connection() as owner:
        for table, names in _TRIGGERS.items():
            for name in names:
                await owner.execute(f"ALTER TABLE {table} {'ENABLE' if triggers else 'DISABLE'} TRIGGER {name}")
        await owner.execute("DELETE FROM listeners")
        if endpoints:
            await owner.execute("INSERT INTO listeners (workspace_id) VALUES ($1)", bench.workspace_id)
        for _ in range(endpoints):
            await owner.execute(_ADD_WEBHOOK, new_id("wh"), bench.workspace_id)
        try:
            yield
        finally:
            for table in _TRIGGERS:
                await owner.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
            for table in ("webhooks", "deliveries", "events", "listeners"):
                await owner.execute(f"DELETE FROM {table}")


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
async def _endpoint(bench: Bench, port: int, *events: str) -> AsyncIterator[None]:
    """Let the workspace have an endpoint on a port for the length of the block."""
    body = {"url": f"http://127.0.0.1:{port}/", "events": events}
    created = await bench.product.api.post("/v1/webhooks/settings", json=body, headers={"Prefer": "wait=5"})
    created.raise_for_status()
    try:
        yield
    finally:
        await bench.product.api.delete(f"/v1/webhooks/settings/{created.json()['id']}")


async def deliveries_beside_a_hanging_endpoint(bench: Bench) -> Job:
    """Measure 1,000 deliveries to an endpoint, alone and beside one that never answers."""
    times: list[float] = []
    alone, beside = list[float](), list[float]()

    async def hang(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        # It is cancelled at the end of the benchmark.
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(60)

    async def deliver() -> float:
        times.clear()
        began = time.perf_counter()
        async with bench.connection() as owner:
            await owner.execute(_ADD_EVENTS, bench.workspace_id, _DELIVERIES)
        async with asyncio.timeout(120):
            while len(times) < _DELIVERIES:  # noqa: ASYNC110 there is no event
                await asyncio.sleep(0.01)
        return times[-1] - began

    hanging = await asyncio.start_server(hang, "127.0.0.1", HANGING_PORT)
    async with (
        receiving(HEALTHY_PORT, lambda *_: times.append(time.perf_counter())),
        _endpoint(bench, HEALTHY_PORT, "post.published"),
    ):
        # The first ones open connections, and read the secret.
        await deliver()
        for _ in range(_ROUNDS):
            alone.append(await deliver())
            async with _endpoint(bench, HANGING_PORT, "post.published"):
                beside.append(await deliver())
    hanging.close()
    ours, floor = statistics.median(beside), statistics.median(alone)
    yield Figure(f"{_DELIVERIES} deliveries beside an endpoint that hangs", ours, "s", floor, Bar(2, 1.2))


async def herd_beside_endpoints(bench: Bench) -> Job:
    """Compare a herd of posts of which three endpoints get all events with one that no client follows."""
    rates: dict[int, list[float]] = {0: [], _HERD_ENDPOINTS: []}
    taken = 0

    def take(*_: object) -> None:
        nonlocal taken
        taken += 1

    async with receiving(HEALTHY_PORT, take):
        for _, count in itertools.product(range(_ROUNDS), rates):
            async with contextlib.AsyncExitStack() as endpoints:
                for _ in range(count):
                    await endpoints.enter_async_context(_endpoint(bench, HEALTHY_PORT, "*"))
                rates[count].append(await bench.herd(_HERD))
    assert taken, "no event was delivered"
    ours, floor = statistics.median(rates[_HERD_ENDPOINTS]), statistics.median(rates[0])
    yield Figure("targets of a herd beside three endpoints", ours, "/s", floor, Bar(least_ratio=0.95))
