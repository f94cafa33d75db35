"""An import of thousands of posts, and the delivery of their workflows at the pace, while others publish."""

import asyncio
import io
import json
import secrets
import statistics
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from sqlalchemy import func

from benchmarks.campaigns.bench import PLATFORM, Bench
from benchmarks.campaigns.measure import Bar, Figure, Job, p99, timed
from benchmarks.processes import answer, program
from domain.delivery import BULK_STARTS_PER_S
from store.models import Post
from store.posts.delivery import count_behind

_DUE_IN = timedelta(hours=5)
_PUBLISHED, _ROUNDS = 100, 2
_HERDS, _HERD, _HERD_IN = 3, 100, timedelta(seconds=5)
"""One herd of less than two seconds says little, and three end before all posts have workflows."""
_SOON = 100
_SOON_IN = timedelta(seconds=15)
"""When the posts of the first import are due; the second one takes five to ten seconds."""
_BARE_STARTS, _BARE_CALLERS = 500, 16
_LATENESS = """
SELECT extract(epoch FROM targets.published_at - targets.due_at)::float AS seconds
FROM targets JOIN posts ON posts.id = targets.post_id WHERE posts.tags @> ARRAY[$1]
"""


async def imports(bench: Bench) -> Job:
    """Import posts in one request, beside COPY of the same rows, while another client reads."""
    probe = await bench.create(datetime.now(UTC) + timedelta(days=1))
    with bench.stopped_worker():
        read_idle = await _reads(bench, probe, asyncio.create_task(asyncio.sleep(3)))
        read_busy: list[float] = []
        ours: list[float] = []
        floor: list[float] = []
        for _ in range(_ROUNDS):
            floor.append(await _copied(bench))
            importing = asyncio.create_task(_import(bench, bench.posts, _DUE_IN))
            read_busy += await _reads(bench, probe, importing)
            seconds, tag = await importing
            ours.append(seconds)
            async with bench.connection() as owner:
                await owner.execute("DELETE FROM posts WHERE tags @> ARRAY[$1]", tag)
    name = f"{bench.posts:,} posts to two accounts"
    seconds = statistics.median(ours)
    yield Figure(f"{name} are imported; the floor is COPY", seconds, "s", statistics.median(floor), Bar(10, 6))
    yield Figure("p99 of a GET meanwhile", p99(read_busy), "ms", p99(read_idle), Bar(250, 3))


async def starts(bench: Bench) -> Job:
    """Import posts, and wait until every workflow runs, while others publish and read."""
    probe, posts = await bench.create(datetime.now(UTC) + timedelta(days=1)), bench.posts
    publishing = asyncio.create_task(_publish(bench))
    read_idle = await _reads_and_looks(bench, probe, publishing)
    now_idle, herds_idle = await publishing
    _, soon_alone = await _import(bench, _SOON, _SOON_IN)
    late_alone = await _lateness(bench, soon_alone)

    _, soon = await _import(bench, _SOON, _SOON_IN)
    await _import(bench, posts - _SOON, _DUE_IN)
    started = asyncio.create_task(timed(lambda: _all_started(bench)))
    ready = asyncio.create_task(_count_unready(bench, started))
    late_busy = await _lateness(bench, soon)
    publishing = asyncio.create_task(_publish(bench))
    read_busy = await _reads(bench, probe, publishing)
    now_busy, herds_busy = await publishing
    seconds = await started
    # Temporal is slower with so many workflows, whatever they do: as many herds before as with all of them.
    herds = asyncio.create_task(_herds(bench))
    await _reads_and_looks(bench, probe, herds)
    herds_idle += await herds
    yield Figure(f"p99 late, {_SOON} of them due soon", late_busy, "ms", late_alone, Bar(most_ratio=1.5))
    yield Figure("p99 of publishNow while they start", p99(now_busy), "ms", p99(now_idle), Bar(most_ratio=1.5))
    busy, idle = statistics.median(herds_busy), statistics.median(herds_idle)
    yield Figure("targets of a herd while they start", busy, "/s", idle, Bar(least_ratio=0.9))
    yield Figure("p99 of a GET while they start and others publish", p99(read_busy), "ms", p99(read_idle), Bar(250, 3))
    at_pace = posts / min(BULK_STARTS_PER_S, await _bare_rate(bench))
    most = 120 * max(posts / 10_000, 0.1)
    name = f"{posts:,} posts to two accounts"
    yield Figure(f"{name} have workflows; the floor is bare starts", seconds, "s", at_pace, Bar(most, 1.2))
    yield Figure("/statusz?strict=true was not 200", await ready, "times", bar=Bar(most=0))


async def _publish(bench: Bench) -> tuple[list[float], list[float]]:
    """Publish posts in turn, then herds; return the seconds of each post, and each herd's targets a second."""
    return await bench.publish_now(_PUBLISHED), await _herds(bench)


async def _herds(bench: Bench) -> list[float]:
    rates = [await bench.herd(_HERD, _HERD_IN) for _ in range(_HERDS)]
    sys.stderr.write(f"herds: {', '.join(f'{rate:.0f}/s' for rate in rates)}\n")
    return rates


async def _import(bench: Bench, count: int, due_in: timedelta) -> tuple[float, str]:
    """Import posts that are due together; return the seconds, and their tag."""
    tag, accounts = f"bulk-{secrets.token_hex(4)}", await bench.accounts.lend([PLATFORM, PLATFORM])
    platforms = [{"platform": PLATFORM, "accountId": account} for account in accounts]
    due = (datetime.now(UTC) + due_in).isoformat()
    lines = [
        json.dumps({"content": f"Bulk {tag} {number}", "platforms": platforms, "scheduledFor": due, "tags": [tag]})
        for number in range(count)
    ]
    headers = {"Content-Type": "application/x-ndjson", "Idempotency-Key": tag}

    async def send() -> None:
        response = await bench.product.api.post("/v1/imports", content="\n".join(lines), headers=headers, timeout=300)
        assert response.status_code == httpx.codes.CREATED, response.text[:500]

    return await timed(send), tag


async def _lateness(bench: Bench, tag: str) -> float:
    """Return the lateness in milliseconds that one of a hundred targets exceeds, once all are published."""
    while None in (seconds := [row["seconds"] for row in await bench.product.rows(_LATENESS, tag)]):  # noqa: ASYNC110
        await asyncio.sleep(0.2)
    return p99(seconds)


async def _copied(bench: Bench) -> float:
    """Return the seconds in which COPY writes the rows of as many posts."""
    with bench.stopped_worker():
        prefix = await bench.copies(bench.posts, datetime.now(UTC) + _DUE_IN)
        async with bench.connection() as owner:
            rows = {}
            for table, key in (("posts", "id"), ("targets", "post_id")):
                rows[table] = io.BytesIO()
                query = f"SELECT * FROM {table} WHERE {key} LIKE $1 || '%'"
                await owner.copy_from_query(query, prefix, output=rows[table], format="binary")
            await bench.forget(prefix)

            async def copy() -> None:
                async with owner.transaction():
                    for table, written in rows.items():
                        written.seek(0)
                        await owner.copy_to_table(table, source=written, format="binary")

            seconds = await timed(copy)
        await bench.forget(prefix)
    return seconds


async def _reads(bench: Bench, post_id: str, during: asyncio.Task[Any]) -> list[float]:
    """Return the seconds that a GET takes, again and again while a task runs."""
    seconds = []
    while not during.done():
        seconds.append(await timed(lambda: bench.product.api.get(f"/v1/posts/{post_id}")))
        await asyncio.sleep(0.01)
    return seconds


async def _reads_and_looks(bench: Bench, post_id: str, during: asyncio.Task[Any]) -> list[float]:
    """Do what `_reads` does, and ask for readiness beside it, as is done while posts start."""
    looks = asyncio.create_task(_count_unready(bench, during))
    seconds = await _reads(bench, post_id, during)
    await looks
    return seconds


async def _all_started(bench: Bench) -> None:
    later = Post.due_at > func.now() + _DUE_IN / 2
    async with bench.database.reading() as session:
        while await count_behind(session, later):  # noqa: ASYNC110 there is no event
            await asyncio.sleep(0.5)


async def _count_unready(bench: Bench, during: asyncio.Task[Any]) -> int:
    """Return how often the API was not ready while a task ran."""
    unready = 0
    while not during.done():
        unready += (await bench.product.api.get("/statusz?strict=true")).status_code != httpx.codes.OK
        await asyncio.sleep(0.5)
    return unready


async def _bare_rate(bench: Bench) -> float:
    """Return how many workflows a second a bare client starts beside a bare worker."""
    address, due = bench.product.dev["temporalAddress"], datetime.now(UTC) + _DUE_IN
    rates = []
    async with (
        program("benchmarks.speed.bare", "worker", address),
        program("benchmarks.speed.bare", "client", address) as client,
    ):
        for _ in range(3):
            line = f"schedule {_BARE_STARTS} {_BARE_CALLERS} {due.isoformat()}"
            rates.append(_BARE_STARTS / float(await answer(client, line)))
    sys.stderr.write(f"bare starts: {', '.join(f'{rate:.0f}/s' for rate in rates)}\n")
    return statistics.median(rates)
