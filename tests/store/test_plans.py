"""Background tasks read a few rows by an index, however many posts, targets and accounts there are."""

from collections.abc import AsyncIterator, Sized
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from store.database import Database, TimeLimits
from tests.databases import new_database
from tests.store.background_reads import background_reads, reads

POSTS, ACCOUNTS = 200_000, 50_000
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


@pytest.mark.thorough
async def test_no_task_reads_all_rows(database: Database) -> None:
    now = datetime.now(UTC)
    tasks = background_reads(database, now)
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
