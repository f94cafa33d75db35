"""The cost of background tasks and reads beside thousands of posts that wait for their turn, or that a pause holds."""

import functools
import statistics
from datetime import UTC, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from benchmarks.campaigns.bench import HELD, Bench, Work
from benchmarks.campaigns.measure import Bar, Figure, Job, median_ms
from domain.delivery import BULK_STARTS_PER_S
from domain.ids import new_id
from domain.pauses import WORKSPACE_GATE
from store.campaigns.progress import count_progress
from store.maintenance.holds import claim_released_posts
from store.maintenance.late_posts import count_late, note_late
from store.maintenance.open_posts import open_due_between
from store.maintenance.waiting import count_waiting
from store.pauses.gates import close_gate
from store.pauses.missed import lock_free
from store.posts.delivery import claim_undelivered, claim_waiting, count_undelivered, take_turn

_TEN = 10
_WAITING = '{"delivered_version": 0, "next_delivery_at": "2099-01-01T00:00:00Z"}'
_PAGE, _TIMES = 200, 5


async def claims(bench: Bench) -> Job:
    """Measure both claims of deliveries beside posts that wait for their turn."""

    async def sweep(session: AsyncSession) -> None:
        now = datetime.now(UTC)
        await claim_undelivered(session, now, now - timedelta(seconds=10), 100)

    async def turn(session: AsyncSession) -> None:
        await take_turn(session, BULK_STARTS_PER_S // 5)
        await claim_waiting(session, datetime.now(UTC), BULK_STARTS_PER_S)

    async def ready(session: AsyncSession) -> None:
        await count_undelivered(session, datetime.now(UTC))

    works = {"the sweep's claim": (sweep, 150.0), "the claim of a turn": (turn, 10.0), "readiness": (ready, 150.0)}
    count = _TEN * bench.posts
    with bench.stopped_worker():
        floors = {name: await _rolled_back_ms(bench, work) for name, (work, _) in works.items()}
        prefix = await bench.copies(count, datetime.now(UTC) + timedelta(days=1), post=_WAITING)
        for name, (work, most) in works.items():
            ours = await _rolled_back_ms(bench, work)
            yield Figure(f"{name}, {count:,} posts wait", ours, "ms", floors[name], Bar(most=most))
        await bench.forget(prefix)


async def rounds(bench: Bench) -> Job:
    """Measure the rounds of background tasks beside posts that a pause holds."""
    now = datetime.now(UTC)

    async def recover(session: AsyncSession) -> None:
        soon = timedelta(minutes=2)
        await open_due_between(session, now - timedelta(days=1), now + soon, None, _PAGE, resting=False)

    async def watch(session: AsyncSession) -> None:
        await note_late(session, now - timedelta(minutes=1), now, 500)
        await count_late(session, now - timedelta(minutes=1))
        await count_waiting(session)

    async def release(session: AsyncSession) -> None:
        await claim_released_posts(session, now, released_before=now - timedelta(minutes=1), limit=50)

    async def lift(session: AsyncSession) -> None:
        await lock_free(session, now, _PAGE)

    works = {
        "recovery's page": recover,
        "the late watch": watch,
        "the release round": release,
        "the round of holds": lift,
    }
    with bench.stopped_worker():
        floors = {name: await _rolled_back_ms(bench, work) for name, work in works.items()}
        async with bench.database.transaction() as session:
            await close_gate(session, bench.workspace_id, WORKSPACE_GATE)
        begin = now - timedelta(hours=1)
        prefix = await bench.copies(bench.posts, begin, post='{"status": "publishing"}', target=HELD)
        for name, work in works.items():
            ours = await _rolled_back_ms(bench, work)
            yield Figure(f"{name}, {bench.posts:,} posts are held", ours, "ms", floors[name], Bar(most=50))
        await bench.forget(prefix)
        async with bench.connection() as owner:
            await owner.execute("DELETE FROM gates WHERE workspace_id = $1 AND kind = 'workspace'", bench.workspace_id)


async def progress(bench: Bench) -> Job:
    """Measure the progress of campaigns whose posts were just written."""
    for count, most in ((bench.posts, 10.0), (_TEN * bench.posts, 100.0)):
        campaign_id = new_id("cmp")
        begin = datetime.now(UTC) + timedelta(days=1)
        prefix = await bench.copies(count, begin, post=f'{{"campaign_id": "{campaign_id}"}}')

        async with bench.connection() as owner:
            one = "SELECT count(*) FROM posts WHERE campaign_id = $1"
            floor = await median_ms(functools.partial(owner.fetchval, one, campaign_id))
        counted = functools.partial(count_progress, bench.database, [campaign_id], datetime.now(UTC))
        yield Figure(f"progress of {count:,} posts", await median_ms(counted), "ms", floor, Bar(most=most))
        await bench.forget(prefix)


async def _rolled_back_ms(bench: Bench, work: Work) -> float:
    """Return the median time of some work in transactions that leave nothing."""
    await bench.rolled_back(work)
    return statistics.median([await bench.rolled_back(work) for _ in range(_TIMES)]) * 1000
