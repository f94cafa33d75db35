"""The end of a pause that has missed thousands of posts, and the move of thousands of posts."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from benchmarks.campaigns.bench import HELD, Bench
from benchmarks.campaigns.measure import Bar, Figure, Job, timed
from domain.audit import WORKER
from domain.campaigns import CampaignStatus
from domain.ids import new_id
from domain.schedule import parse_shift
from store.campaigns.shifting import ShiftRequest, shift_campaign
from store.models import Campaign

_SPACING_S = 3600
_UPDATE_POSTS = "UPDATE posts SET due_at = due_at + interval '1 day', version = version + 1 WHERE id LIKE $1 || '%'"
_UPDATE_TARGETS = "UPDATE targets SET due_at = due_at + interval '1 day' WHERE post_id LIKE $1 || '%'"


async def resuming(bench: Bench) -> Job:
    """End a pause with `publish`: most posts of the one account are due later, at the spacing."""
    api = bench.product.api
    pause = (await api.post("/v1/pauses", json={"scope": "workspace"})).raise_for_status().json()
    begin = datetime.now(UTC) - timedelta(hours=1)
    prefix = await bench.copies(bench.posts, begin, post='{"status": "publishing"}', target=HELD)
    floor = await _updated(bench, prefix)
    began = time.perf_counter()
    answer = await api.post(
        f"/v1/pauses/{pause['id']}/resume", json={"missed": "publish", "spacing": _SPACING_S}, timeout=120
    )
    seconds = time.perf_counter() - began
    answer.raise_for_status()
    name = f"{bench.posts:,} missed posts"
    yield Figure(f"the end of a pause with {name}; the floor is UPDATE", seconds, "s", floor, Bar(5, 2))
    first = "SELECT count(*) FROM targets WHERE post_id LIKE $1 || '%' AND status = 'published'"
    while not (await bench.product.rows(first, prefix))[0]["count"]:  # noqa: ASYNC110 there is no event
        await asyncio.sleep(0.02)
    yield Figure("the first send after it", time.perf_counter() - began - seconds, "s", bar=Bar(most=2))
    await bench.forget(prefix)


async def shifting(bench: Bench) -> Job:
    """Move the posts of a campaign by two days."""
    campaign_id, now = new_id("cmp"), datetime.now(UTC)
    campaign = Campaign(
        id=campaign_id,
        workspace_id=bench.workspace_id,
        name="A benchmark",
        tags=[],
        timezone="UTC",
        blackouts=[],
        status=CampaignStatus.ACTIVE.value,
        version=1,
        created_at=now,
        updated_at=now,
    )
    async with bench.database.transaction() as session:
        session.add(campaign)
    begin = now + timedelta(hours=5)
    prefix = await bench.copies(bench.posts, begin, post=f'{{"campaign_id": "{campaign_id}"}}')
    floor = await _updated(bench, prefix)

    async def move(session: AsyncSession) -> None:
        locked = await session.get_one(Campaign, campaign_id, with_for_update=True)
        shift, _, _ = await shift_campaign(session, locked, ShiftRequest(parse_shift("P2D")), WORKER)
        assert shift.moved == bench.posts, shift

    with bench.stopped_worker():
        seconds = await bench.rolled_back(move)
    name = f"{bench.posts:,} posts of a campaign move"
    yield Figure(f"{name}; the floor is UPDATE", seconds, "s", floor, Bar(5, 2))
    await bench.forget(prefix)


async def _updated(bench: Bench, prefix: str) -> float:
    """Return the seconds in which two plain statements update the rows of posts, and leave them as they were."""
    async with bench.connection() as owner:
        transaction = owner.transaction()
        await transaction.start()

        async def update() -> None:
            await owner.execute(_UPDATE_POSTS, prefix)
            await owner.execute(_UPDATE_TARGETS, prefix)

        seconds = await timed(update)
        await transaction.rollback()
    return seconds
