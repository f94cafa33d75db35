"""The creation of thousands of posts, and the delivery of their workflows at the pace, while others publish."""

import asyncio
import io
import statistics
import sys
from datetime import UTC, datetime, timedelta

import httpx
from sqlalchemy import func

from benchmarks.campaigns.bench import PLATFORM, Bench
from benchmarks.campaigns.measure import Bar, Figure, Job, p99, timed
from benchmarks.processes import answer, program
from domain.content import PostContent, TargetContent
from domain.delivery import BULK_STARTS_PER_S
from domain.ids import new_id, workflow_id
from domain.post import PostStatus
from store.models import Post
from store.posts.contents import NewPost, new_columns
from store.posts.creating_many import create_posts
from store.posts.delivery import count_behind

_DUE_IN = timedelta(hours=5)
_PUBLISHED, _HERD = 100, 100
_BARE_STARTS, _BARE_CALLERS = 500, 16


async def starts(bench: Bench) -> Job:
    """Create posts in one transaction, beside COPY of the same rows, and wait until every workflow runs."""
    accounts = await bench.accounts.lend([PLATFORM, PLATFORM])
    probe = await bench.create(datetime.now(UTC) + timedelta(days=1))
    read_idle = await _reads(bench, probe, asyncio.create_task(asyncio.sleep(3)))
    now_idle, herd_idle = await bench.publish_now(_PUBLISHED), await bench.herd(_HERD)
    floor = await _copied(bench, accounts)

    posts = [_post(bench, accounts, number) for number in range(bench.posts)]
    creating = asyncio.create_task(timed(lambda: _create(bench, posts)))
    read_busy = await _reads(bench, probe, creating)
    name = f"{bench.posts:,} posts to two accounts"
    yield Figure(f"{name} are inserted; the floor is COPY", await creating, "s", floor, Bar(10, 6))
    yield Figure("p99 of a GET meanwhile", p99(read_busy), "ms", p99(read_idle), Bar(250, 3))

    started = asyncio.create_task(timed(lambda: _all_started(bench)))
    ready = asyncio.create_task(_count_unready(bench, started))
    now_busy, herd_busy = await bench.publish_now(_PUBLISHED), await bench.herd(_HERD)
    seconds = await started
    yield Figure("p99 of publishNow while they start", p99(now_busy), "ms", p99(now_idle), Bar(most_ratio=1.5))
    yield Figure("targets of a herd while they start", herd_busy, "/s", herd_idle, Bar(least_ratio=0.9))
    at_pace = bench.posts / min(BULK_STARTS_PER_S, await _bare_rate(bench))
    most = 120 * max(bench.posts / 10_000, 0.1)
    yield Figure(f"{name} have workflows; the floor are bare starts", seconds, "s", at_pace, Bar(most, 1.2))
    yield Figure("/readyz was not 200", await ready, "times", bar=Bar(most=0))


def _post(bench: Bench, accounts: list[str], number: int) -> NewPost:
    post_id = new_id("post")
    due = datetime.now(UTC) + _DUE_IN + timedelta(milliseconds=100 * number)
    targets = [TargetContent(platform=PLATFORM, account_id=account, settings={}) for account in accounts]
    content = PostContent(content=f"Bulk {post_id}", media_items=[], targets=targets, scheduled_for=due, tags=["bulk"])
    return new_columns(
        post_id,
        bench.workspace_id,
        workflow_id(bench.workspace_id, post_id, None),
        content,
        status=PostStatus.SCHEDULED,
        due_at=due,
        now=datetime.now(UTC),
    )


async def _create(bench: Bench, posts: list[NewPost]) -> None:
    async with bench.database.transaction() as session:
        await create_posts(session, posts)


async def _copied(bench: Bench, accounts: list[str]) -> float:
    """Return the seconds in which COPY writes the rows of as many posts, and delete these."""
    posts = [_post(bench, accounts, number) for number in range(bench.posts)]
    ids = [post.columns["id"] for post in posts]
    with bench.stopped_worker():
        await _create(bench, posts)
        async with bench.connection() as owner:
            rows = {}
            for table, key in (("posts", "id"), ("targets", "post_id")):
                rows[table] = io.BytesIO()
                query = f"SELECT * FROM {table} WHERE {key} = ANY($1)"
                await owner.copy_from_query(query, ids, output=rows[table], format="binary")
            await owner.execute("DELETE FROM posts WHERE id = ANY($1)", ids)

            async def copy() -> None:
                async with owner.transaction():
                    for table, written in rows.items():
                        written.seek(0)
                        await owner.copy_to_table(table, source=written, format="binary")

            seconds = await timed(copy)
            await owner.execute("DELETE FROM posts WHERE id = ANY($1)", ids)
    return seconds


async def _reads(bench: Bench, post_id: str, during: asyncio.Task[object]) -> list[float]:
    """Return the seconds that a GET takes, again and again while a task runs."""
    seconds = []
    while not during.done():
        seconds.append(await timed(lambda: bench.product.api.get(f"/v1/posts/{post_id}")))
        await asyncio.sleep(0.01)
    return seconds


async def _all_started(bench: Bench) -> None:
    later = Post.due_at > func.now() + _DUE_IN / 2
    async with bench.database.reading() as session:
        while await count_behind(session, later):  # noqa: ASYNC110 there is no event
            await asyncio.sleep(0.2)


async def _count_unready(bench: Bench, started: asyncio.Task[float]) -> int:
    """Return how often the API was not ready until all posts have started."""
    unready = 0
    while not started.done():
        unready += (await bench.product.api.get("/readyz")).status_code != httpx.codes.OK
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
