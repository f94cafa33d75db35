"""The cost of gates: the writes of a send, publishNow, a gate that is shut, and the time until `paused`."""

import asyncio
import contextlib
import functools
import itertools
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from unittest import mock

from benchmarks.campaigns.bench import PLATFORM, Bench
from benchmarks.campaigns.measure import Bar, Figure, Job, p99, timed
from benchmarks.processes import cpu_seconds, part_pids
from domain.attempts import AttemptResult, AttemptState
from domain.ids import new_id
from domain.pauses import campaign_gate
from domain.transitions import AnswerTo, published
from store.database import Database
from store.pauses.gates import close_gate, open_gate
from store.publishing import sending

Change = Callable[[], Awaitable[None]]
_WRITERS, _SENDS, _PLANNED, _ROUNDS = 8, 1000, 100, 3
_VERSIONS = {"gates": "begin_send_v6", "no gates": "begin_send_v1"}
_GATES = 1000
_ANSWER_HELD_S = 1.0
"""How long the platform holds its answers back, so that requests are out when the pause begins."""
_IDLE_POSTS, _HERD = 20, 100
_ADD_GATES = """
INSERT INTO gates (workspace_id, kind, id) SELECT $1, 'account', 'mastodon/none_' || n FROM generate_series(1, $2) AS n
"""
_REMOVE_GATES = "DELETE FROM gates WHERE workspace_id = $1 AND id LIKE 'mastodon/none_%'"
_SIDES = False, True, True, False
"""Whether there are gates. No side has the better places in this order."""


async def sends(bench: Bench) -> Job:
    """Compare the two writes of a send with those of the release that knew no gates.

    Each side is measured twice in a round, in the order of _SIDES: the tables grow meanwhile.
    """
    rates: dict[str, list[float]] = {name: [] for name in _VERSIONS}
    spent: dict[str, list[float]] = {name: [] for name in _VERSIONS}
    postgres = part_pids(bench.product.dev)["postgres"]
    with bench.stopped_worker():
        for _, has_gates in itertools.product(range(_ROUNDS), _SIDES):
            name, ago = "gates" if has_gates else "no gates", datetime.now(UTC) - timedelta(minutes=1)
            first, prefix = await bench.copies(_PLANNED // 2, ago), await bench.copies(_SENDS // 2, ago)
            async with _version_called(bench, name):
                # A change of the triggers lets every session plan its statements again.
                await send_all(bench, first)
                before = cpu_seconds(postgres)
                seconds = await timed(functools.partial(send_all, bench, prefix))
            rates[name].append(_SENDS / seconds)
            spent[name].append((cpu_seconds(postgres) - before) / _SENDS * 1000)
            for sent in (first, prefix):
                await bench.forget(sent)
    ours, floor = (statistics.median(rates[name]) for name in _VERSIONS)
    yield Figure(f"begin_send and settle, {_WRITERS} writers", ours, "/s", floor, Bar(least_ratio=0.95))
    ours, floor = (statistics.median(spent[name]) for name in _VERSIONS)
    yield Figure("PostgreSQL's time for them", ours, "ms", floor, Bar(most_ratio=1.10))


@contextlib.asynccontextmanager
async def _version_called(bench: Bench, name: str) -> AsyncIterator[None]:
    """Let the product's write call another version, without the trigger that refuses what knows no gate."""
    statement = f"SELECT * FROM {_VERSIONS[name]}($1, $2, $3, $4, $5, $6, $7)"
    async with bench.connection() as owner:
        await owner.execute(f"ALTER TABLE attempts {'ENABLE' if name == 'gates' else 'DISABLE'} TRIGGER check_gate")
        with mock.patch("store.publishing.sending._BEGIN", statement):
            yield
        await owner.execute("ALTER TABLE attempts ENABLE TRIGGER check_gate")


async def send_all(bench: Bench, prefix: str) -> None:
    """Write the two phases of a send for each target of some posts, by several writers."""
    async with bench.connection() as owner:
        rows = await owner.fetch("SELECT id FROM targets WHERE post_id LIKE $1 || '%' ORDER BY id", prefix)
    targets = iter([row["id"] for row in rows])

    async def write() -> None:
        for target_id in targets:
            await send(bench.database, target_id)

    await asyncio.gather(*(write() for _ in range(_WRITERS)))


async def send(database: Database, target_id: str) -> None:
    """Write the two phases of a send, as a worker does before and after its request."""
    attempt = await sending.begin_send(database, target_id, 1, None, 0, None)
    assert not isinstance(attempt, str), attempt
    result = AttemptResult(AttemptState.DONE, "a benchmark")
    transition = published(datetime.now(UTC), target_id, None, None, None)
    await sending.settle(database, target_id, AnswerTo(attempt.id), transition, result)


async def open_gates(bench: Bench) -> Job:
    """Compare publishNow and a herd beside many open gates with the same without any.

    Both sides are measured twice, in the order of _SIDES: a publishNow right after a herd is slower than one before it.
    """
    calls: dict[bool, list[float]] = {side: [] for side in _SIDES}
    herds: dict[bool, list[float]] = {side: [] for side in _SIDES}
    await bench.publish_now(5)
    for has_gates in _SIDES:
        async with bench.connection() as owner:
            await owner.execute(_REMOVE_GATES, bench.workspace_id)
            if has_gates:
                await owner.execute(_ADD_GATES, bench.workspace_id, _GATES)
        herds[has_gates].append(await bench.herd(_HERD))
        calls[has_gates] += await bench.publish_now(_IDLE_POSTS)
    ours, floor = (1 / statistics.median(calls[has_gates]) for has_gates in (True, False))
    yield Figure(f"publishNow beside {_GATES} open gates", ours, "/s", floor, Bar(least_ratio=0.97))
    ours, floor = (statistics.mean(herds[has_gates]) for has_gates in (True, False))
    yield Figure(f"targets of a herd beside {_GATES} open gates", ours, "/s", floor, Bar(least_ratio=0.97))


async def closing(bench: Bench) -> Job:
    """Measure how long a gate takes to shut, and how long until `paused` is answered."""
    gate = campaign_gate(new_id("cmp"))

    async def shut() -> None:
        async with bench.database.transaction() as session:
            await close_gate(session, bench.workspace_id, gate)

    async def reopen() -> None:
        async with bench.database.transaction() as session:
            await open_gate(session, bench.workspace_id, gate)

    async with bench.connection() as owner:
        update = "UPDATE workspaces SET name = name WHERE id = $1"
        floor = [await timed(lambda: owner.execute(update, bench.workspace_id)) for _ in range(_IDLE_POSTS)]
    idle = [await _shut_once(shut, reopen) for _ in range(_IDLE_POSTS)]
    yield Figure("a gate is shut", p99(idle), "ms", p99(floor), Bar(most=50))
    herd = asyncio.create_task(bench.herd(_HERD))
    busy = []
    while not herd.done():
        busy.append(await _shut_once(shut, reopen))
        await asyncio.sleep(0.1)
    await herd
    yield Figure("a gate is shut in a herd", p99(busy), "ms", p99(floor), Bar(most=1000))
    yield Figure("`paused`, nothing killed", await _paused_after(bench), "s", bar=Bar(most=2))
    yield Figure("`paused`, the worker killed just then", await _paused_after(bench, "worker"), "s", bar=Bar(most=15))


async def _shut_once(shut: Change, reopen: Change) -> float:
    seconds = await timed(shut)
    await reopen()
    return seconds


async def _paused_after(bench: Bench, *killed: str) -> float:
    """Return the seconds until `paused` is answered while posts are being sent."""
    api = bench.product.api
    held = {"platform": PLATFORM, "fault": "accept_then_delay", "operation": "publish", "times": 2 * _HERD}
    await bench.product.control("POST", "faults", held | {"seconds": _ANSWER_HELD_S})
    herd = asyncio.create_task(bench.herd(_HERD))
    while not await bench.product.rows("SELECT FROM attempts WHERE state = 'sending'"):  # noqa: ASYNC110 there is no event
        await asyncio.sleep(0.02)
    had = bench.product.kill(*killed)
    began = time.perf_counter()
    view = (await api.post("/v1/pauses", json={"scope": "workspace"}, headers={"Prefer": "wait=0"})).json()
    while view["status"] != "paused":
        await asyncio.sleep(0.05)
        view = (await api.get(f"/v1/pauses/{view['id']}")).json()
    seconds = time.perf_counter() - began
    await bench.product.control("DELETE", "faults")
    if had:
        await bench.product.back(had)
    (await api.post(f"/v1/pauses/{view['id']}/resume", json={"missed": "publish"})).raise_for_status()
    await herd
    return seconds
