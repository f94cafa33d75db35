"""A day's rows in a real PostgreSQL: `uv run python -m benchmarks.fleet.rows [POSTS [--reads]]`.

Fills a database with a million posts (or POSTS) of two targets, and their attempts, keys, events and audit lines. It
prints what they take on the disk, what reads and background tasks read, and what it costs to delete and vacuum them:
not with `--reads`. Exits with 1 if one of them reads all rows of a table that grows. Needs 12 GB of disk for a million
posts, for WAL, too; with `--reads` 6 GB for each million, and 5 GB.
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from benchmarks.processes import cpu_seconds
from store.database import Database, TimeLimits
from store.events import delete_past_events
from store.maintenance.deletions import delete_past_posts
from tests.databases import new_database
from tests.postgres import initialize, postgres_folder
from tests.store.api_reads import api_reads, list_filters
from tests.store.background_reads import Rows, background_reads

POSTS, _WORKSPACES, _ACCOUNTS, _PIECE = 1_000_000, 100, 10_000, 50_000
_TABLES = ("posts", "targets", "attempts", "idempotency_keys", "events", "audit_events")
_PAST_DAYS, _FILLED_DAYS = 60, 10
"""The posts are of ten days, of which the first was 60 days ago; the posts of that day are deleted."""
_BATCH = 500
_WORKSPACE = "ws_1"
_SERVER = {"shared_buffers": "1GB", "max_wal_size": "4GB", "autovacuum": "off", "full_page_writes": "on"}
_OWNERS = f"""
INSERT INTO workspaces (id, name) SELECT 'ws_' || n, 'Workspace ' || n FROM generate_series(0, {_WORKSPACES - 1}) AS n;
INSERT INTO accounts (workspace_id, id, platform, user_id, username, credentials)
SELECT 'ws_' || n % {_WORKSPACES}, 'acc_' || n, 'twitter', n, n, '\\x0102030405060708aa'
FROM generate_series(0, {_ACCOUNTS - 1}) AS n
"""
# A tenth is scheduled for the next month; the others were settled within ten days. Ids begin with their time.
_FILL = f"""
CREATE TEMPORARY TABLE day ON COMMIT DROP AS
SELECT n, 'ws_' || n % {_WORKSPACES} AS workspace_id, n % 10 = 0 AS is_open, at,
  'post_' || replace(uuidv7(at - now())::text, '-', '') AS post_id,
  CASE WHEN n % 10 = 0 THEN now() + (1 + n % 30) * interval '1 day' ELSE at END AS due_at
FROM (
  SELECT n, now() - interval '{_PAST_DAYS} days' + n * interval '{_FILLED_DAYS} days' / $2 AS at
  FROM generate_series($1::bigint, $3 - 1) AS n
) AS numbers;
INSERT INTO posts (id, workspace_id, workflow_id, status, content, media_items, tags, timezone, scheduled_for,
  tiktok_settings, facebook_settings, due_at, answer_bytes, version, delivered_version, created_at, updated_at,
  published_at)
SELECT post_id, workspace_id, workspace_id || '/' || post_id, CASE WHEN is_open THEN 'scheduled' ELSE 'published' END,
  repeat('A post of some words. ', 6), '[]', '{{}}', 'UTC', due_at, '{{}}', '{{}}', due_at, 900, 1, 1, at, at,
  CASE WHEN NOT is_open THEN at END
FROM day;
INSERT INTO targets (id, post_id, workspace_id, position, platform, account_id, settings, status, due_at, begun_at,
  platform_post_id, platform_post_url, published_at)
SELECT 'tgt_' || replace(uuidv7(at - now())::text, '-', ''), post_id, workspace_id, position, 'twitter',
  -- One account has half of all posts of its workspace.
  'acc_' || CASE WHEN n % 200 = 1 THEN 1 ELSE n % {_ACCOUNTS} END, '{{}}',
  CASE WHEN is_open THEN 'pending' ELSE 'published' END, due_at, CASE WHEN NOT is_open THEN at END,
  CASE WHEN NOT is_open THEN 'public_' || n || '_' || position END,
  CASE WHEN NOT is_open THEN 'https://x.com/someone/status/' || 1000000000000 + n END, CASE WHEN NOT is_open THEN at END
FROM day CROSS JOIN generate_series(0, 1) AS position;
INSERT INTO attempts (target_id, step, state, started_at, finished_at)
SELECT targets.id, 'publish', 'done', at, at FROM day JOIN targets USING (post_id) WHERE NOT is_open;
INSERT INTO idempotency_keys (workspace_id, key, generation, request_sha256, post_id, expires_at, check_at)
SELECT workspace_id, n || '-' || gen_random_uuid(), 1, '\\x00', post_id, now() - interval '2 days',
  now() + interval '20 days'
FROM day;
INSERT INTO events (id, workspace_id, type, at, post_id, data)
SELECT 'evt_' || replace(uuidv7(at - now())::text, '-', ''), workspace_id, 'post.published', at, post_id,
  json_build_object('postId', post_id, 'status', 'published', 'number', number)
FROM day CROSS JOIN generate_series(1, 4) AS number;
INSERT INTO audit_events (at, workspace_id, post_id, action, actor_type)
SELECT at, workspace_id, post_id, 'created', 'api_key' FROM day
"""
_SIZES = """
SELECT relname, pg_relation_size(relid), pg_indexes_size(relid), n_live_tup, n_dead_tup
FROM pg_stat_user_tables WHERE relname = ANY (:tables)
"""
_READS = """
SELECT relname, seq_scan, coalesce(idx_blks_read + idx_blks_hit, 0) + heap_blks_read + heap_blks_hit
FROM pg_stat_user_tables JOIN pg_statio_user_tables USING (relname, relid) WHERE relname = ANY (:tables)
"""
_WAL = "SELECT pg_current_wal_insert_lsn() - '0/0'"


@dataclass(frozen=True)
class Reads:
    """The scans of whole tables, and the pages of 8 kB that were read, from memory or the disk."""

    scans: frozenset[str]
    pages: int


async def fill(database: Database, first: int, end: int, posts: int) -> None:
    """Add the posts `first` to `end`; the filled days have `posts`.

    It does so without triggers and foreign keys: only what the rows take, and what it costs to read them, counts.
    """
    for number in range(first, end, _PIECE):
        values = {"$1": str(number), "$2": f"{posts}::float", "$3": str(min(number + _PIECE, end))}
        statements = _FILL
        for parameter, value in values.items():
            statements = statements.replace(parameter, value)
        await execute(database, statements)


async def execute(database: Database, statements: str) -> None:
    """Execute statements in a transaction without triggers."""
    async with database.transaction() as session:
        connection = await session.connection()
        for statement in ("SET LOCAL session_replication_role = replica", *statements.split(";\n")):
            await connection.exec_driver_sql(statement)


async def vacuum(database: Database) -> None:
    """Vacuum and analyze all tables."""
    async with database.reading() as session:
        await session.execute(text("VACUUM ANALYZE"))


async def sizes(database: Database) -> dict[str, tuple[int, int]]:
    """Return the bytes of the rows and of the indexes of each table."""
    async with database.reading() as session:
        rows = await session.execute(text(_SIZES), {"tables": list(_TABLES)})
        return {name: (heap, indexes) for name, heap, indexes, _, _ in rows}


async def count_reads(database: Database, action: Callable[[AsyncSession], Awaitable[object]]) -> Reads:
    """Return what an action reads of the tables that grow."""
    before = await _counters(database)
    async with database.transaction() as session:
        await action(session)
    after = await _counters(database)
    scans = frozenset(name for name, (scans, _) in after.items() if scans > before[name][0])
    return Reads(scans, sum(pages - before[name][1] for name, (_, pages) in after.items()))


async def _counters(database: Database) -> dict[str, tuple[int, int]]:
    # Each connection reports what it has read once it is asked for.
    async with database.reading() as session:
        await session.execute(text("SELECT pg_stat_force_next_flush()"))
        await session.execute(text("SELECT pg_stat_clear_snapshot()"))
        rows = await session.execute(text(_READS), {"tables": list(_TABLES)})
        return {name: (scans, pages) for name, scans, pages in rows}


async def requests(database: Database) -> dict[str, Rows]:
    """Return reads of the API, for a workspace with a hundredth of all posts."""
    rows = await database.rows(
        "SELECT id FROM posts WHERE workspace_id = $1 ORDER BY id LIMIT 1 OFFSET 100", _WORKSPACE
    )
    post_id, now = rows[0]["id"], datetime.now(UTC)
    return api_reads(database, _WORKSPACE, post_id, "evt_none", list_filters(now, "cmp_none", "public_101_0"), now)


async def delete(database: Database, pid: int, name: str, delete_batches: AsyncIterator[int]) -> None:
    """Delete batches, and print what they cost."""
    wal, cpu, began = (await database.rows(_WAL))[0][0], cpu_seconds(pid), time.monotonic()
    total = sum([number async for number in delete_batches])
    seconds, used = time.monotonic() - began, cpu_seconds(pid) - cpu
    written = int((await database.rows(_WAL))[0][0] - wal)
    print(
        f"{name}: {total} in {seconds:.1f} s, {total / seconds:.0f}/s; {used / max(total, 1) * 1e6:.0f} µs of "
        f"PostgreSQL's processor and {written / max(total, 1):.0f} bytes of WAL each",
        flush=True,
    )


async def past_posts(database: Database) -> AsyncIterator[int]:
    """Delete the posts of the first day as retention does, and yield how many are in each batch."""
    for workspace in range(_WORKSPACES):
        number = _BATCH
        while number == _BATCH:
            async with database.transaction() as session:
                number = await delete_past_posts(session, f"ws_{workspace}", _PAST_DAYS - 1, _BATCH)
            yield number


async def past_events(database: Database, now: datetime, most: int) -> AsyncIterator[int]:
    """Delete the oldest events as their expiry does, and yield how many are in each batch."""
    for _ in range(most // _BATCH):
        async with database.transaction() as session:
            yield await delete_past_events(session, now, _BATCH)


async def run(database: Database, pid: int, posts: int, *, deletes: bool) -> bool:
    """Fill, measure and print; return whether everything reads by indexes."""
    began = time.monotonic()
    await execute(database, _OWNERS)
    await fill(database, 0, posts, posts)
    await vacuum(database)
    print(f"filled {posts} posts in {time.monotonic() - began:.0f} s", flush=True)
    filled = await sizes(database)
    for table, (heap, indexes) in filled.items():
        print(f"{table}: {heap / posts:.0f} bytes of rows and {indexes / posts:.0f} of indexes a post")
    print(f"together {sum(map(sum, filled.values())) / posts:.0f} bytes a post", flush=True)
    now = datetime.now(UTC)
    actions = await requests(database) | {
        f"task: {name}": task for name, task in background_reads(database, now).items()
    }
    scanned = False
    for name, action in actions.items():
        read = await count_reads(database, action)
        scanned |= bool(read.scans)
        print(f"{name}: {read.pages} pages" + (f", ALL ROWS OF {sorted(read.scans)}" if read.scans else ""), flush=True)
    if deletes:
        await measure_deletion(database, pid, posts // _FILLED_DAYS, posts)
    return not scanned


async def measure_deletion(database: Database, pid: int, day: int, posts: int) -> None:
    """Delete the posts of the first day as retention does, vacuum, and add a day's posts again."""
    now = datetime.now(UTC)
    await delete(database, pid, "posts", past_posts(database))
    await delete(database, pid, "events", past_events(database, now, 4 * day))
    cpu, began = cpu_seconds(pid), time.monotonic()
    await vacuum(database)
    print(f"vacuum afterwards: {time.monotonic() - began:.1f} s, {cpu_seconds(pid) - cpu:.1f} s of processor")
    # The pages of indexes that are empty now can be used again after the next vacuum.
    await vacuum(database)
    former = await sizes(database)
    await fill(database, posts, posts + day, posts)
    grown = await sizes(database)
    for table in ("posts", "targets", "attempts", "events"):
        size = grown[table]
        print(f"{table}: grows by {(sum(size) - sum(former[table])) / day:.0f} bytes a new post")


async def main(posts: int, *, deletes: bool) -> int:
    """Run it with a server of its own."""
    with postgres_folder(in_memory=False) as server:
        initialize(server)
        server.start(**_SERVER)
        assert server.process is not None
        database = Database(
            await new_database(server.url), limits=TimeLimits(statement=None, lock=None), pool_size=1, max_overflow=1
        )
        try:
            return int(not await run(database, server.process.pid, posts, deletes=deletes))
        finally:
            await database.close()


if __name__ == "__main__":
    count = int(sys.argv[1]) if sys.argv[1:] else POSTS
    sys.exit(asyncio.run(main(count, deletes="--reads" not in sys.argv[2:])))
