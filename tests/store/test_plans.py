"""Background tasks read a few rows by an index, however many posts, targets and accounts there are."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sized
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from reconcile.measures import measure
from store.accounts.connected import claim_accounts_to_recheck
from store.accounts.renewals import claim_due
from store.accounts.resealing import count_without_key
from store.database import Database, TimeLimits
from store.maintenance.late_posts import end_late, note_late
from store.maintenance.loose_ends import loose_keys
from store.maintenance.open_posts import open_due_between
from store.maintenance.preflight import due_for_preflight
from store.maintenance.zones import wall_times
from store.models import Target
from store.posts.chains import FIRST_PLACE, search_ready
from store.posts.delivery import claim_undelivered, claim_waiting, take_turn
from store.posts.idempotency import delete_expired_keys
from store.publishing.claims import posts_of_other_targets
from tests.databases import new_database

POSTS, ACCOUNTS = 200_000, 50_000
GROWING = ("posts", "targets", "attempts", "idempotency_keys", "accounts")
_FILL = f"""
INSERT INTO workspaces (id, name) SELECT 'ws_' || n, 'Workspace ' || n FROM generate_series(1, 100) AS n;
INSERT INTO accounts (workspace_id, id, platform, user_id, username, credentials)
SELECT 'ws_' || 1 + n % 100, 'acc_' || n, 'twitter', n, n, '\\x0102030405060708aa'
FROM generate_series(1, {ACCOUNTS}) AS n;
INSERT INTO posts (id, workspace_id, workflow_id, status, content, media_items, tags, timezone, scheduled_for,
  scheduled_wall, tiktok_settings, facebook_settings, due_at, answer_bytes, version, delivered_version, created_at,
  updated_at, published_at)
SELECT 'post_' || n, 'ws_' || 1 + n % 100, 'wf_' || n,
  CASE WHEN n % 10 = 0 THEN 'scheduled' ELSE 'published' END, 'a post', '[]', '{{}}', 'UTC',
  CASE WHEN n % 10 = 0 THEN now() + interval '30 days' + n * interval '1 s' ELSE now() - n * interval '30 s' END,
  CASE WHEN n % 10 = 0 THEN '2027-01-01T00:00:00' END, '{{}}', '{{}}',
  CASE WHEN n % 10 = 0 THEN now() + interval '30 days' + n * interval '1 s' ELSE now() - n * interval '30 s' END,
  500, 1, 1, now() - interval '30 days', now() - n * interval '30 s',
  CASE WHEN n % 10 <> 0 THEN now() - n * interval '30 s' END
FROM generate_series(1, {POSTS}) AS n;
INSERT INTO targets (id, post_id, workspace_id, position, platform, account_id, settings, status, due_at, begun_at,
  platform_post_id, published_at)
SELECT 'tgt_' || n, 'post_' || n, 'ws_' || 1 + n % 100, 0, 'twitter',
  -- One account has half of all posts of its workspace.
  'acc_' || CASE WHEN n % 200 = 1 THEN 1 ELSE n % {ACCOUNTS} END, '{{}}',
  CASE WHEN n % 10 = 0 THEN 'pending' ELSE 'published' END,
  CASE WHEN n % 10 = 0 THEN now() + interval '30 days' + n * interval '1 s' ELSE now() - n * interval '30 s' END,
  CASE WHEN n % 10 <> 0 THEN now() - n * interval '30 s' END, CASE WHEN n % 10 <> 0 THEN 'public_' || n END,
  CASE WHEN n % 10 <> 0 THEN now() - n * interval '30 s' END
FROM generate_series(1, {POSTS}) AS n;
INSERT INTO attempts (target_id, step, state, started_at, finished_at)
SELECT 'tgt_' || n, 'publish', 'done', now(), now() FROM generate_series(1, {POSTS}) AS n WHERE n % 10 <> 0;
INSERT INTO idempotency_keys (workspace_id, key, generation, request_sha256, post_id, expires_at, check_at)
SELECT 'ws_' || 1 + n % 100, n, 1, '\\x00', 'post_' || n, now() - interval '2 days', now() + interval '20 days'
FROM generate_series(1, {POSTS}) AS n;
"""
Rows = Callable[[AsyncSession], Awaitable[Sized | int | bool | None]]


@dataclass(frozen=True)
class Reads:
    """The scans and rows that a database has read of a table."""

    sequential: int
    rows: int


@pytest.fixture(scope="module")
async def database(postgres_url: str) -> AsyncIterator[Database]:
    database = Database(await new_database(postgres_url), limits=TimeLimits(statement=100, lock=5))
    async with database.transaction() as session:
        await session.execute(text("SET LOCAL session_replication_role = replica"))
        for statement in filter(str.strip, _FILL.split(";\n")):
            await session.execute(text(statement.replace(":", "\\:")))
    async with database.reading() as session:
        await session.execute(text("VACUUM ANALYZE"))
    yield database
    await database.close()


async def reads(session: AsyncSession) -> dict[str, Reads]:
    await session.execute(text("SELECT pg_stat_force_next_flush()"))
    await session.execute(text("SELECT pg_stat_clear_snapshot()"))
    query = text(
        "SELECT relname, seq_scan, seq_tup_read + coalesce(idx_tup_fetch, 0) FROM pg_stat_user_tables"
        " WHERE relname = ANY (:names)"
    )
    rows = await session.execute(query, {"names": list(GROWING)})
    return {name: Reads(sequential, count) for name, sequential, count in rows}


async def wall_changes(database: Database, now: datetime) -> int:
    return len([row async for row in wall_times(database, now, now - timedelta(minutes=5))])


@pytest.mark.thorough
async def test_no_task_reads_all_rows(database: Database) -> None:
    now = datetime.now(UTC)
    target = Target(id="tgt_x", workspace_id="ws_2", account_id="acc_1", platform="twitter")
    tasks: dict[str, Rows] = {
        "sweep": lambda session: claim_undelivered(session, now, now, 100),
        "turn": take_turn,
        "bulk": lambda session: claim_waiting(session, now, 100),
        "chains": lambda session: search_ready(session, FIRST_PLACE, 1000),
        "accounts": claim_accounts_to_recheck,
        "renewals": lambda session: claim_due(session, ["twitter"], timedelta(minutes=2), 50),
        "keys": lambda session: count_without_key(session, [b"\1\2\3\4\5\6\7\x08"]),
        "recovery": lambda session: open_due_between(session, now - timedelta(days=9), now, None, 200, resting=False),
        "preflight": lambda session: due_for_preflight(
            session, now, first=now + timedelta(days=1), last=now + timedelta(minutes=15), most=200
        ),
        "zones": lambda _: wall_changes(database, now),
        "late": lambda session: note_late(session, now, now, 500),
        "late.end": lambda session: end_late(session, now, 500),
        "expiry": lambda session: delete_expired_keys(session, now, 500),
        "doctor.keys": lambda session: loose_keys(session, now, None, 100),
        "claims": lambda session: posts_of_other_targets(session, target, now - timedelta(minutes=1)),
        "measure": lambda _: measure(database, timedelta(minutes=1)),
    }
    problems = []
    for name, task in tasks.items():
        async with database.reading() as session:
            before = await reads(session)
        async with database.transaction() as session:
            result = await task(session)
            returned = len(result) if isinstance(result, Sized) else int(result or 0)
        async with database.reading() as session:
            after = await reads(session)
        for table, now_read in after.items():
            sequential = now_read.sequential - before[table].sequential
            rows = now_read.rows - before[table].rows
            if sequential or rows > 5 * returned + 100:
                problems.append((name, table, sequential, rows, returned))
    assert problems == []
