"""Planners are killed and requests are given up while series are changed: each occurrence keeps at most one post."""

import asyncio
import contextlib
import random
import secrets
import sys
from datetime import time
from typing import Any

import pytest
from sqlalchemy import func, select

from domain.series import OccurrenceState
from store.models import OccurrenceEntry, Post, Series
from store.roles import Component
from tests.api.conftest import Client
from tests.api.series.test_routes import body, create, no_series_remains
from tests.databases import url_as
from tests.stack import Stack

__all__ = ["no_series_remains"]
_RULES: tuple[dict[str, Any], ...] = (
    {"frequency": "daily", "times": [str(time(hour)) for hour in range(0, 24, 2)]},
    {"frequency": "daily", "times": ["09:00", "15:00"]},
    {"frequency": "weekly", "byDay": ["mo", "we", "fr"], "times": ["08:00", "10:00", "15:00"]},
)


@contextlib.asynccontextmanager
async def _planner(database_url: str) -> Any:
    command = (sys.executable, "-m", "tests.store.series.planner", database_url)
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    await process.stdout.readline()
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _change_at_random(api: Client, series_id: str, rng: random.Random, deleted: set[str]) -> None:
    """Change the series or one post of it; the client of every third request goes away before the answer."""
    path = f"/v1/series/{series_id}"
    posts = (await api.get(f"/v1/posts?seriesId={series_id}&limit=20")).json()["posts"]
    act = rng.choice(["rule", "text", "delete", "edit"])
    if act == "rule":
        request = api.patch(path, json={"recurrence": rng.choice(_RULES)})
    elif act == "text" or not posts:
        request = api.patch(path, json={"variations": [{"content": secrets.token_hex(4)} for _ in range(2)]})
    elif act == "delete":
        post = rng.choice(posts)
        response = await api.delete(f"/v1/posts/{post['id']}")
        if response.status_code == 200:
            deleted.add(post["occurrence"])
        return
    else:
        request = api.patch(f"/v1/posts/{rng.choice(posts)['id']}", json={"content": "by hand"})
    patience = rng.uniform(0.005, 0.1) if rng.random() < 0.3 else 60
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(patience):
            response = await request
        assert response.status_code in {200, 404, 409}, response.text


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(3))
async def test_no_occurrence_is_doubled_lost_or_returned_by_kills(api: Client, stack: Stack, seed: int) -> None:
    rng = random.Random(seed)
    series = await create(api, body(stack, recurrence=_RULES[0], variations=[{"content": "A"}, {"content": "B"}]))
    deleted: set[str] = set()
    url = url_as(stack.database_url, Component.WORKER)

    async def change() -> None:
        for _ in range(12):
            await _change_at_random(api, series["id"], rng, deleted)

    async def kill() -> None:
        for _ in range(4):
            async with _planner(url) as process:
                await asyncio.sleep(rng.uniform(0.05, 1))
                process.kill()

    await asyncio.gather(change(), change(), kill())
    last = await api.patch(f"/v1/series/{series['id']}", json={"recurrence": _RULES[1]})
    assert last.status_code == 200, last.text
    async with _planner(url), asyncio.timeout(60):
        while await _lacks_posts(stack, series["id"]):  # noqa: ASYNC110 no event
            await asyncio.sleep(0.1)
    await _check(api, stack, series["id"], deleted)


async def _lacks_posts(stack: Stack, series_id: str) -> bool:
    query = select(Series.plan_at <= func.now(), Series.behind_since).where(Series.id == series_id)
    async with stack.database.reading() as session:
        is_waiting, behind_since = (await session.execute(query)).one()
    return bool(is_waiting or behind_since)


async def _check(api: Client, stack: Stack, series_id: str, deleted: set[str]) -> None:
    async with stack.database.reading() as session:
        entries = list(await session.scalars(select(OccurrenceEntry).where(OccurrenceEntry.series_id == series_id)))
        posts = {post.id: post for post in await session.scalars(select(Post).where(Post.series_id == series_id))}
    occurrences = [post.occurrence for post in posts.values()]
    assert len(occurrences) == len(set(occurrences))
    assert {post.occurrence for post in posts.values()} <= {entry.occurrence for entry in entries}
    for entry in entries:
        if entry.state == OccurrenceState.WITHDRAWN:
            assert entry.post_id not in posts
        elif entry.post_id not in posts:
            # A deleted post takes its day: another time of that day gets none.
            assert entry.occurrence[:10] in {occurrence[:10] for occurrence in deleted}
    assert deleted.isdisjoint(occurrences)
    shown = (await api.get(f"/v1/series/{series_id}/occurrences")).json()["occurrences"]
    assert {entry["state"] for entry in shown} <= {"made", "skipped"}
    assert {entry["reason"] for entry in shown if entry["state"] == "skipped"} <= {"deleted", "day_taken"}
