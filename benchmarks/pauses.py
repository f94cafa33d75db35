"""The cost of pauses and moves of ten thousand posts for the database: `uv run python -m benchmarks.pauses [POSTS]`.

Each time is beside its floor, one plain UPDATE of the same rows in the same run.
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.audit import WORKER
from domain.campaigns import CampaignStatus
from domain.pauses import MissedPolicy, campaign_gate
from domain.schedule import Shift
from reconcile.lifted_holds import lift_holds
from store.campaigns.campaigns import lock_campaign
from store.campaigns.changes import CampaignFields, add_campaign
from store.campaigns.pausing import pause_campaign, resume
from store.campaigns.shifting import ShiftRequest, shift_campaign
from store.database import Database
from store.maintenance.open_posts import open_due_between
from store.models import Campaign
from store.pauses.missed import count_missed
from store.workspaces.queries import create_workspace
from tests.databases import new_database
from tests.postgres import postgres_server

_POSTS = """
INSERT INTO posts (id, workspace_id, workflow_id, status, content, media_items, tags, timezone, scheduled_for,
  scheduled_wall, tiktok_settings, facebook_settings, due_at, answer_bytes, campaign_id, created_at, updated_at)
SELECT 'post_' || lpad(n::text, 8, '0'), :workspace, 'post_' || n, 'scheduled', 'text', '{}', '{}', 'Europe/Berlin',
  due, to_char(due AT TIME ZONE 'Europe/Berlin', 'YYYY-MM-DD"T"HH24:MI:SS'), '{}', '{}', due, 500, :campaign, now(),
  now()
FROM generate_series(1, :posts) AS n, LATERAL (SELECT date_trunc('second', now()) + n * interval '1 min' AS due) AS due
"""
_TARGETS = """
INSERT INTO targets (id, post_id, workspace_id, position, platform, account_id, settings, status, due_at)
SELECT posts.id || '_' || k, posts.id, workspace_id, k, 'twitter', 'tw_' || k, '{}', 'pending', due_at
FROM posts, generate_series(0, 1) AS k WHERE campaign_id = :campaign
"""
_FLOOR = """
UPDATE posts SET scheduled_for = scheduled_for + interval '1 s', due_at = due_at + interval '1 s', version = version + 1
WHERE campaign_id = :campaign
"""
_FLOOR_TARGETS = """
UPDATE targets SET due_at = targets.due_at + interval '1 s' FROM posts
WHERE targets.post_id = posts.id AND posts.campaign_id = :campaign
"""
_MISS = """
WITH missed AS (
  UPDATE posts SET status = 'publishing', due_at = now() - interval '1 hour' WHERE campaign_id = :campaign RETURNING id
)
UPDATE targets SET status = 'held', hold_reason = 'paused', begun_at = now(), due_at = now() - interval '1 hour'
FROM missed WHERE targets.post_id = missed.id
"""


async def main(posts: int) -> None:
    """Measure, and print a line for each piece of work."""
    with postgres_server() as server:
        database = Database(await new_database(server))
        async with database.transaction() as session:
            workspace = await create_workspace(session, "pauses")
            fields = CampaignFields("pauses", timezone="Europe/Berlin")
            campaign = await add_campaign(session, workspace, fields, CampaignStatus.ACTIVE, datetime.now(UTC))
            names = {"workspace": workspace, "campaign": campaign.id, "posts": posts}
            await session.execute(text(_POSTS), names)
            await session.execute(text(_TARGETS), names)
        async with database.engine.connect() as connection:
            await connection.execution_options(isolation_level="AUTOCOMMIT")
            await connection.execute(text("VACUUM ANALYZE"))
        await _measure(database, campaign, names)
        await database.close()


async def _measure(database: Database, campaign: Campaign, names: dict[str, Any]) -> None:
    gate = campaign_gate(campaign.id)

    async def floor(session: AsyncSession) -> None:
        await session.execute(text(_FLOOR), names)
        await session.execute(text(_FLOOR_TARGETS), names)

    async def miss(session: AsyncSession) -> None:
        await session.execute(text(_MISS), names)

    async def move(session: AsyncSession) -> None:
        await shift_campaign(session, await _locked(session, campaign), ShiftRequest(Shift(2, timedelta(0))), WORKER)

    async def begin(session: AsyncSession) -> None:
        await pause_campaign(session, await _locked(session, campaign), None, WORKER)

    async def end(policy: MissedPolicy, session: AsyncSession) -> None:
        pause, _ = await pause_campaign(session, await _locked(session, campaign), None, WORKER)
        await resume(session, pause, policy, timedelta(seconds=1), WORKER)

    async def count(session: AsyncSession) -> None:
        await count_missed(session, campaign.workspace_id, gate, datetime.now(UTC))

    async def compare(session: AsyncSession) -> None:
        long_ago = datetime(1970, 1, 1, tzinfo=UTC)
        await open_due_between(session, long_ago, datetime.now(UTC), None, 200, resting=False)

    await _timed(database, "one UPDATE of posts, one of targets (floor)", floor)
    await _timed(database, "move all", move)
    await _timed(database, "begin a pause", begin)
    for policy in MissedPolicy:
        await _timed(database, "(all are missed)", miss)
        await _timed(database, "count what was missed", count)
        await _timed(database, "a page of recovery's minute", compare)
        async with _clock("the round of lifted holds"):
            await lift_holds(database)
        await _timed(database, f"end a pause: {policy}", partial(end, policy))
        await _timed(database, "begin a pause", begin)


async def _locked(session: AsyncSession, campaign: Campaign) -> Campaign:
    locked = await lock_campaign(session, campaign.workspace_id, campaign.id)
    if locked is None:
        raise RuntimeError("the campaign is gone")
    return locked


async def _timed(database: Database, name: str, work: Callable[[AsyncSession], Awaitable[None]]) -> None:
    async with _clock(name), database.transaction() as session:
        await work(session)


@asynccontextmanager
async def _clock(name: str) -> AsyncIterator[None]:
    began = time.perf_counter()
    yield
    print(f"{(time.perf_counter() - began) * 1000:8.0f} ms  {name}", flush=True)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000))
