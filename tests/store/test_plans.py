"""Only the store queries the database, and background tasks read a few rows by an index."""

import ast
import asyncio
from collections.abc import AsyncIterator, Iterator, Sized
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from store.database import Database, TimeLimits
from tests.databases import new_database
from tests.sources import syntax_nodes
from tests.store.api_reads import api_reads, list_filters
from tests.store.background_reads import Reads, Rows, background_reads, reads

ROOT = Path(__file__).parents[2]
PACKAGES = sorted(
    path.parent.name for path in ROOT.glob("*/__init__.py") if path.parent.name not in {"store", "tests", "benchmarks"}
)
# A type and an address are no queries.
ALLOWED = {"AsyncSession", "make_url"}
ASKING = {"execute", "get", "scalar", "scalars", "stream", "stream_scalars"}


def queries(source: str) -> Iterator[str]:
    """Yield a module's imports for building queries, and its calls that send them."""
    for node in syntax_nodes(source):
        match node:
            case ast.ImportFrom(module=str(module), names=names) if module.partition(".")[0] == "sqlalchemy":
                if module != "sqlalchemy.exc":
                    yield from (f"{module}.{name.name}" for name in names if name.name not in ALLOWED)
            case ast.Import(names=names):
                yield from (name.name for name in names if name.name.partition(".")[0] == "sqlalchemy")
            case ast.Call(func=ast.Attribute(value=ast.Name(id="session"), attr=attr)) if attr in ASKING:
                yield f"session.{attr}"
            case ast.Call(func=ast.Attribute(attr="row" | "rows" as attr), args=[ast.Constant() | ast.JoinedStr(), *_]):
                yield f"Database.{attr}"


def test_a_query_is_found() -> None:
    source = "from sqlalchemy import select\nasync def f(session):\n    await session.scalar(select(1))\n"
    assert list(queries(source)) == ["sqlalchemy.select", "session.scalar"]


def test_queries_are_in_store_only() -> None:
    files = [file for package in PACKAGES for file in (ROOT / package).rglob("*.py")]
    # Bluesky calls a login a session.
    files = [file for file in files if file.parent.parts[-2:] != ("platforms", "bluesky")]
    queries_by_file = {(str(file.relative_to(ROOT)), query) for file in files for query in queries(file.read_text())}
    assert queries_by_file == set()


POSTS, ACCOUNTS = 200_000, 50_000
_OTHERS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
"""
_FILL = f"""
INSERT INTO workspaces (id, name) SELECT 'ws_' || n, 'Workspace ' || n FROM generate_series(1, 100) AS n;
INSERT INTO accounts (workspace_id, id, platform, user_id, username, credentials)
SELECT 'ws_' || 1 + n % 100, 'acc_' || n, 'twitter', n, n, '\\x0102030405060708aa'
FROM generate_series(1, {ACCOUNTS}) AS n;
INSERT INTO posts (id, workspace_id, workflow_id, status, content, media_items, tags, timezone, scheduled_for,
  scheduled_wall, tiktok_settings, facebook_settings, due_at, answer_bytes, campaign_id, version, delivered_version,
  created_at, updated_at, published_at)
SELECT 'post_' || n, 'ws_' || 1 + n % 100, 'wf_' || n,
  CASE WHEN n % 10 = 0 THEN 'scheduled' ELSE 'published' END, 'a post', '[]', '{{spring}}', 'UTC',
  CASE WHEN n % 10 = 0 THEN now() + interval '30 days' + n * interval '1 s' ELSE now() - n * interval '30 s' END,
  CASE WHEN n % 10 = 0 THEN '2027-01-01T00:00:00' END, '{{}}', '{{}}',
  CASE WHEN n % 10 = 0 THEN now() + interval '30 days' + n * interval '1 s' ELSE now() - n * interval '30 s' END,
  500, CASE WHEN n % 4 = 1 THEN 'cmp_' || 1 + n % 100 END, 1, 1,
  now() - interval '30 days', now() - n * interval '30 s',
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
INSERT INTO revisions (id, post_id, body, state, created_at)
SELECT 'rev_' || n, 'post_' || n, '{{}}', CASE WHEN n % 10000 = 1 THEN 'waiting' ELSE 'applied' END, now()
FROM generate_series(1, {POSTS}) AS n WHERE n % 10 = 1;
INSERT INTO post_tags (post_id, workspace_id, tag) SELECT id, workspace_id, 'spring' FROM posts;
INSERT INTO campaigns (id, workspace_id, name, tags, timezone, blackouts, status, created_at, updated_at)
SELECT 'cmp_' || n, 'ws_' || n, 'Campaign', '{{}}', 'UTC', '[]', 'active', now(), now()
FROM generate_series(1, 100) AS n;
INSERT INTO webhooks (id, workspace_id, url, events, secret, secret_key)
SELECT 'whk_' || n, 'ws_' || n, 'https://example.com', '{{*}}', '\\x00', 'k' FROM generate_series(1, 100) AS n;
INSERT INTO listeners (workspace_id, since) SELECT id, now() - interval '1 day' FROM workspaces;
INSERT INTO events (id, workspace_id, type, at, post_id, data)
SELECT 'evt_' || replace(uuidv7(n * interval '-30 s')::text, '-', ''), 'ws_' || 1 + n % 100, 'post.published', now(),
  'post_' || n, '{{}}'
FROM generate_series(1, {POSTS}) AS n;
INSERT INTO deliveries (webhook_id, event_id, state)
SELECT 'whk_' || substr(workspace_id, 4), id, CASE WHEN seq % 2000 = 1 THEN 'waiting' ELSE 'delivered' END FROM events;
INSERT INTO delivery_attempts (delivery_id, at, ms) SELECT id, now(), 5 FROM deliveries;
INSERT INTO audit_events (at, workspace_id, post_id, action, actor_type)
SELECT now(), 'ws_' || 1 + n % 100, 'post_' || n, CASE WHEN n % 20 = 1 THEN 'deleted' ELSE 'created' END, 'api_key'
FROM generate_series(1, {POSTS}) AS n;
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
    async with database.transaction() as session:
        await session.execute(text("UPDATE delivery_progress SET low = pg_snapshot_xmin(pg_current_snapshot())"))
    async with database.reading() as session:
        await session.execute(text("VACUUM ANALYZE"))
    yield database
    await database.close()


async def settled_reads(database: Database) -> dict[str, Reads]:
    """Return what was read, once all other connections have ended: each reports what it has read then."""
    await database.close()
    async with database.reading() as session:
        while await session.scalar(text(_OTHERS)):
            await asyncio.sleep(0.01)
            await session.execute(text("SELECT pg_stat_clear_snapshot()"))
        return await reads(session)


async def excesses(database: Database, actions: dict[str, Rows]) -> list[tuple[str, str, int, int, int]]:
    """Return the reads of whole tables, and of many more rows than were returned, by action and table."""
    problems = []
    for name, action in actions.items():
        before = await settled_reads(database)
        async with database.transaction() as session:
            result = await action(session)
            returned = len(result) if isinstance(result, Sized) else int(result or 0)
        for table, now_read in (await settled_reads(database)).items():
            sequential = now_read.sequential - before[table].sequential
            rows = now_read.rows - before[table].rows
            if sequential or rows > 5 * returned + 100:
                problems.append((name, table, sequential, rows, returned))
    return problems


@pytest.mark.thorough
async def test_no_task_reads_all_rows(database: Database) -> None:
    assert await excesses(database, background_reads(database, datetime.now(UTC))) == []


@pytest.mark.thorough
async def test_no_list_reads_all_rows(database: Database) -> None:
    now = datetime.now(UTC)
    async with database.reading() as session:
        event_id = await session.scalar(text("SELECT id FROM events WHERE workspace_id = 'ws_2' LIMIT 1"))
    filters = list_filters(now, "cmp_2", "public_101")
    actions = api_reads(database, "ws_2", "post_101", event_id or "", filters, now)
    assert await excesses(database, actions) == []
