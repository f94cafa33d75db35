"""The end of a pause that has missed thousands of posts, and the move of thousands of posts."""

import asyncio
import json
import secrets
import time
from datetime import UTC, datetime, timedelta

from benchmarks.campaigns.bench import HELD, Bench
from benchmarks.campaigns.measure import Bar, Figure, Job, timed
from domain.delivery import BULK_STARTS_PER_S
from store.models import Post
from store.posts.delivery import count_behind

_SPACING_S = 3600
_UPDATE_POSTS = "UPDATE posts SET due_at = due_at + interval '1 day', version = version + 1 WHERE id LIKE $1 || '%'"
_UPDATE_TARGETS = "UPDATE targets SET due_at = due_at + interval '1 day' WHERE post_id LIKE $1 || '%'"
_DELETE_SURPLUS = "DELETE FROM posts WHERE id IN (SELECT id FROM posts WHERE id LIKE $1 || '%' ORDER BY id OFFSET $2)"


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
    """Move the posts of a campaign by two days, and wait until the workflows of some know."""
    api, key = bench.product.api, secrets.token_hex(8)
    created = await api.post("/v1/campaigns", json={"name": "A benchmark"}, headers={"Idempotency-Key": key})
    campaign_id = created.raise_for_status().json()["id"]
    begin = datetime.now(UTC) + timedelta(hours=5)
    prefix = await bench.copies(bench.posts, begin, post=json.dumps({"campaign_id": campaign_id}))
    floor = await _updated(bench, prefix)
    began = time.perf_counter()
    answer = await api.post(
        f"/v1/campaigns/{campaign_id}/shift", json={"by": "P2D"}, headers={"Idempotency-Key": f"{key}-2"}, timeout=120
    )
    seconds = time.perf_counter() - began
    assert answer.raise_for_status().json()["result"]["moved"] == bench.posts, answer.text
    name = f"{bench.posts:,} posts of a campaign"
    yield Figure(f"{name} move; the floor is UPDATE", seconds, "s", floor, Bar(5, 2))
    async with bench.connection() as owner:
        await owner.execute(_DELETE_SURPLUS, prefix, bench.delivered_posts)
    began, name = time.perf_counter(), f"{bench.delivered_posts:,} posts of a campaign"
    async with bench.database.reading() as session:
        while await count_behind(session, Post.campaign_id == campaign_id):  # noqa: ASYNC110 there is no event
            await asyncio.sleep(0.2)
    told, at_pace = time.perf_counter() - began, bench.delivered_posts / BULK_STARTS_PER_S
    yield Figure(f"{name} are told; the floor is the pace", told, "s", at_pace, Bar(most_ratio=1.2))
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
