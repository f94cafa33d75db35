"""Large lists: every filter of `GET /v1/posts`, alone and any two, in a workspace of a million posts.

`uv run python -m benchmarks.lists` fills a PostgreSQL of its own, which takes some minutes. It prints the filters that
cost more than twice what they cost among 1,000 posts, sequential scans, and indexes of lists that no query has used.
With `--processor-time`, it compares the processor time of this process and PostgreSQL instead of the time by the clock,
so that other programs on the machine hardly count.
"""

import argparse
import asyncio
import itertools
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

from sqlalchemy import text
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncSession

from domain.post import PostStatus, TargetStatus
from runtime.process import tune_gc
from store.database import OF_COMMANDS, Database
from store.posts.list_filters import Filter, Order
from store.posts.list_queries import find
from store.posts.lists import list_posts
from store.workspaces.queries import create_workspace, find_workspace
from tests.databases import new_database
from tests.postgres import postgres_server

SMALL, LARGE = 1_000, 1_000_000
END = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
"""Scheduled posts are due after this: otherwise they would be overdue, which the list shows as being published."""
SPAN = timedelta(days=730)
"""The posts are created in these two years, evenly."""
REPEATS = 60
_AGAIN = 10
"""A list that is too slow is read ten times as often: the p99 of 60 reads is hardly less than the slowest of them, and
that may be due to something else on the machine.
"""
LIMIT = 20
ALLOWED = 2.0
_LARGE_ENOUGH = {"shared_buffers": "3GB", "autovacuum": "off"}
"""PostgreSQL holds all rows in memory, as a server of this size must. Its default is 128 MB."""

Clock = Callable[[], float]

_POSTS = """
INSERT INTO posts (id, workspace_id, workflow_id, status, content, media_items, tags, timezone, scheduled_for,
                   external_id, tiktok_settings, facebook_settings, due_at, answer_bytes, version, delivered_version,
                   created_at, updated_at)
SELECT id, :workspace, id, status, 'Post ' || n, '[]',
  CASE WHEN n % 2 = 0 THEN ARRAY['marketing'] ELSE '{}'::text[] END || ARRAY['campaign-' || n / 1000]
    || CASE WHEN n % 97000 = 500 THEN ARRAY['rare'] ELSE '{}'::text[] END,
  'UTC', scheduled_for, CASE WHEN n % 2 = 0 THEN 'row-' || n END, '{}', '{}',
  CASE WHEN status <> 'draft' THEN coalesce(scheduled_for, created_at) END, 1000, 1, 1, created_at,
  CASE WHEN n % 200 = 7 THEN until - h % 2592000 * interval '1 second'
       ELSE least(coalesce(scheduled_for, created_at), until) END
FROM (
  SELECT *,
    CASE WHEN scheduled_for > until THEN CASE WHEN h % 10 = 0 THEN 'draft' ELSE 'scheduled' END
      WHEN h % 1000 < 20 THEN 'failed' WHEN h % 1000 < 30 THEN 'partial' ELSE 'published' END AS status,
    'post_' || lpad(to_hex((extract(epoch FROM created_at) * 1000)::bigint), 12, '0') || '7'
      || substr(md5(n::text), 1, 19) AS id
  FROM (
    SELECT *, CASE WHEN h % 5 > 0 THEN created_at + h % 1209600 * interval '1 second' END AS scheduled_for
    FROM (
      SELECT n, hashint8(n) & 2147483647 AS h, until,
        date_trunc('milliseconds', until - span * (CAST(posts - n AS float8) / posts)) AS created_at
      FROM (SELECT CAST(:end AS timestamptz) AS until, CAST(:span AS interval) AS span, CAST(:posts AS bigint) AS posts)
        AS given, generate_series(1, posts) AS n
    ) AS numbered
  ) AS timed
) AS stated
"""
_TARGETS = """
INSERT INTO targets (id, post_id, workspace_id, position, platform, account_id, settings, status, due_at, begun_at)
SELECT 'tgt_' || substr(id, 6, 31) || at, id, :workspace, at, platform, platform || '-' || account, '{}',
  CASE status
    WHEN 'published' THEN CASE WHEN h % 20000 = 3 THEN 'unconfirmed' ELSE 'published' END
    WHEN 'failed' THEN 'failed'
    WHEN 'partial' THEN CASE at WHEN 0 THEN 'published' ELSE 'failed' END
    ELSE CASE WHEN status = 'scheduled' AND h % 5000 = 4 THEN 'held' ELSE 'pending' END END,
  due_at, created_at
FROM (
  SELECT *,
    CASE WHEN h % 10000 = 5 AND at = 0 THEN 'reddit' ELSE (ARRAY[
      'twitter', 'twitter', 'twitter', 'instagram', 'instagram', 'facebook', 'linkedin', 'mastodon', 'bluesky',
      'threads'
    ])[1 + (h + 3 * at) % 10] END AS platform,
    CASE WHEN h % 50000 = 16 THEN 9 ELSE h / 16 % 5 END AS account
  FROM (SELECT id, status, due_at, created_at, hashtext(id) & 2147483647 AS h FROM posts
        WHERE workspace_id = :workspace) AS hashed, LATERAL generate_series(0, h / 128 % 2) AS at
) AS spread
"""
_DAY = END - timedelta(days=300)
CONDITIONS: dict[str, dict[str, Any]] = {
    "status=published": {"statuses": (PostStatus.PUBLISHED,)},
    "status=scheduled": {"statuses": (PostStatus.SCHEDULED,)},
    "status=failed,partial": {"statuses": (PostStatus.PARTIAL, PostStatus.FAILED)},
    "status=publishing": {"statuses": (PostStatus.PUBLISHING,)},
    "status=held,unconfirmed": {"target_statuses": (TargetStatus.HELD, TargetStatus.UNCONFIRMED)},
    "platform=twitter": {"platform": "twitter"},
    "platform=reddit (rare)": {"platform": "reddit"},
    "platform=tiktok (none)": {"platform": "tiktok"},
    "accountId=twitter-1": {"account_id": "twitter-1"},
    "accountId=linkedin-9 (rare)": {"account_id": "linkedin-9"},
    "externalId": {"external_id": "row-500"},
    "tag=marketing": {"tags": ("marketing",)},
    "tag=campaign-0 (oldest)": {"tags": ("campaign-0",)},
    "tag=rare": {"tags": ("rare",)},
    "fromDate&toDate (a day)": {"created_from": _DAY, "created_to": _DAY + timedelta(days=1)},
    "toDate (a year ago)": {"created_to": END - timedelta(days=365)},
    "scheduledFrom&To (a day)": {"scheduled_from": _DAY, "scheduled_to": _DAY + timedelta(days=1)},
    "scheduledFrom": {"scheduled_from": END},
    "updatedSince (an hour)": {"updated_since": END - timedelta(hours=1)},
    "updatedSince (a month)": {"updated_since": END - timedelta(days=30)},
    "sort=scheduledFor": {"order": Order.SCHEDULED},
    "sort=updatedAt": {"order": Order.UPDATED},
    "sort=createdAt": {"order": Order.CREATED},
}
_DEFAULT_ORDERS = {"scheduled_from": Order.SCHEDULED, "scheduled_to": Order.SCHEDULED, "updated_since": Order.UPDATED}


@dataclass(frozen=True, slots=True)
class Question:
    """A list that a client may request, by the query's words."""

    name: str
    wanted: Filter


def questions() -> Iterator[Question]:
    """Yield the list without a filter, with every condition alone, and with any two of different parameters."""
    yield Question("(none)", Filter())
    singles = [(name,) for name in CONDITIONS]
    for names in (*singles, *itertools.combinations(CONDITIONS, 2)):
        values = [CONDITIONS[name] for name in names]
        if len(names) == 2 and {*values[0]} & {*values[1]} - {"tags"}:
            continue
        merged: dict[str, Any] = {}
        for value in values:
            merged |= value | (
                {"tags": (*merged["tags"], *value["tags"])} if "tags" in value and "tags" in merged else {}
            )
        order = next((order for field, order in _DEFAULT_ORDERS.items() if field in merged), Order.CREATED)
        yield Question(" & ".join(names), Filter(**{"order": order, **merged}))


async def fill(database: Database, posts: int) -> str:
    """Create a workspace with this many posts, unless the database has one; return its id."""
    async with database.transaction() as session:
        name = f"{posts} posts"
        if found := await find_workspace(session, name):
            return found
        # VACUUM marks pages as visible to all only after their commit is on the disk.
        await session.execute(text("SET LOCAL synchronous_commit = on"))
        workspace = await create_workspace(session, name)
        values = {"workspace": workspace, "posts": posts, "end": END, "span": SPAN}
        await session.execute(text(_POSTS), values)
        await session.execute(text(_TARGETS), {"workspace": workspace})
    return workspace


async def processor_clock(database: Database) -> Clock:
    """Return a clock of the processor time of this process and of the server's process for the pool's connection."""
    row = await database.row("SELECT pg_backend_pid() AS pid")
    assert row
    spent = Path(f"/proc/{row['pid']}/schedstat")
    return lambda: time.process_time() + int(spent.read_text().split()[0]) / 1e9


async def ask(database: Database, workspace: str, wanted: Filter, clock: Clock) -> float:
    """Read the first page and, if there is one, the second; return the milliseconds of the slower one."""
    slowest = 0.0
    for _ in range(2):
        began = clock()
        page = await list_posts(database, workspace, wanted, LIMIT)
        slowest = max(slowest, (clock() - began) * 1000)
        if page.last is None:
            break
        wanted = replace(wanted, after=page.last)
    return slowest


async def pages_read(database: Database, workspace: str, wanted: Filter) -> tuple[int, list[str]]:
    """Return how many 8-kB pages PostgreSQL reads to find a page of a list, and the tables that it reads as a whole."""
    queries: list[Any] = []
    found: list[str] = []
    pages = 0

    async with database.reading() as session:

        async def noting(query: Any, values: dict[str, Any]) -> Any:
            queries.append(query.params(values))
            return await AsyncSession.execute(session, query, values)

        with patch.object(session, "execute", noting):
            await find(session, workspace, wanted, LIMIT + 1)
        for query in queries:
            written = query.compile(
                dialect=postgresql.dialect(),  # type: ignore[no-untyped-call]
                compile_kwargs={"literal_binds": True},
            )
            (plan,) = (
                await session.execute(
                    text("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + str(written).replace(":", "\\:"))
                )
            ).one()
            found += [node["Relation Name"] for node in _nodes(plan[0]["Plan"]) if node["Node Type"] == "Seq Scan"]
            pages += plan[0]["Plan"]["Shared Hit Blocks"] + plan[0]["Plan"]["Shared Read Blocks"]
    return pages, [table for table in found if table in {"posts", "targets", "post_tags"}]


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from _nodes(inner)


def p99(times: list[float]) -> float:
    """Return the 99th percentile."""
    return statistics.quantiles(times, n=100, method="inclusive")[-1]


def _bar(few: list[float], plain: list[float]) -> float:
    """Return the longest p99 allowed. A page with posts always costs more than an empty one."""
    return ALLOWED * max(p99(few), p99(plain))


async def times(
    database: Database, workspaces: tuple[str, str], wanted: Filter, repeats: int, clock: Clock
) -> tuple[list[float], list[float]]:
    """Return the milliseconds of each read in two workspaces, which take turns."""
    small, large = workspaces
    pairs = [
        (await ask(database, small, wanted, clock), await ask(database, large, wanted, clock)) for _ in range(repeats)
    ]
    return [few for few, _ in pairs], [many for _, many in pairs]


async def measure(database: Database, small: str, large: str, repeats: int, clock: Clock, *, everything: bool) -> int:
    """Print what lists cost in the two workspaces; return how many cost too much."""
    found: list[tuple[float, str, str]] = []
    plain: list[float] = []
    slow = 0
    for question in questions():
        for workspace in (small, large):
            # Pages that no list has read yet are on the disk.
            await ask(database, workspace, question.wanted, clock)
        few, many = await times(database, (small, large), question.wanted, repeats, clock)
        plain = plain or few
        if p99(many) > _bar(few, plain):
            few, many = await times(database, (small, large), question.wanted, repeats * _AGAIN, clock)
        bar = _bar(few, plain)
        (read_few, _), (read, scans) = [await pages_read(database, each, question.wanted) for each in (small, large)]
        is_slow = p99(many) > bar or bool(scans)
        slow += is_slow
        row = (
            f"| {question.name} | {statistics.median(few):.1f} | {p99(few):.1f} | {statistics.median(many):.1f} | "
            f"{p99(many):.1f} | {len(many)} | {read_few} | {read} | {', '.join(scans) or '-'} | "
            f"{'too slow' if is_slow else ''} |"
        )
        found.append((p99(many) / bar, row, question.name))
    found.sort(reverse=True)
    print(
        f"| list | p50, {SMALL:,} posts, ms | p99 | p50, many posts, ms | p99 | reads | 8-kB pages | of many | "
        "seq. scans | |\n"
        "|---|---|---|---|---|---|---|---|---|---|"
    )
    for _, row, _ in found if everything else found[: max(slow, 15)]:
        print(row)
    print(f"\n{len(found)} lists, {slow} of them too slow: more than {ALLOWED:g} times the p99 of a small workspace.")
    return slow


async def report_indexes(database: Database) -> None:
    """Print how often each index of posts and targets was used, and how large it is."""
    query = """
        SELECT indexrelname, idx_scan, pg_size_pretty(pg_relation_size(indexrelid)) FROM pg_stat_user_indexes
        WHERE relname IN ('posts', 'targets', 'post_tags') ORDER BY idx_scan, indexrelname
    """
    async with database.reading() as session:
        await session.execute(text("SELECT pg_stat_force_next_flush()"))
        rows = (await session.execute(text(query))).all()
    print("\n| index | scans | size |\n|---|---|---|")
    for name, scans, size in rows:
        print(f"| {name} | {scans} | {size} |")


async def run(posts: int, repeats: int, *, everything: bool, url: str | None, keep: bool, processor_time: bool) -> int:
    """Fill the two workspaces and measure; return how many lists cost too much."""
    with postgres_server(**_LARGE_ENOUGH) as server:
        database = Database(url or await new_database(server), limits=OF_COMMANDS)
        try:
            began = time.monotonic()
            small, large = await fill(database, SMALL), await fill(database, posts)
            async with database.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
                await connection.execute(text("VACUUM (ANALYZE) posts, targets, post_tags"))
                await connection.execute(text("SELECT pg_stat_reset()"))
            print(f"{posts:,} posts filled in {time.monotonic() - began:.0f} s\n")
            clock = await processor_clock(database) if processor_time else time.perf_counter
            # As the API does: a collection among all that is loaded takes a tenth of a second.
            tune_gc()
            slow = await measure(database, small, large, repeats, clock, everything=everything)
            await report_indexes(database)
            if keep:
                print(f"\n{database.engine.url}; ends with Ctrl-C")
                await asyncio.Event().wait()
            return slow
        finally:
            await database.close()


def main() -> None:
    """Run the benchmark. Ends with 1 if a list is too slow."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--posts", type=int, default=LARGE)
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--all", action="store_true", help="print every list, not only the slowest")
    parser.add_argument("--url", help="a migrated database, empty or filled by an earlier run, not one of its own")
    parser.add_argument("--keep", action="store_true", help="let PostgreSQL run at the end, to look at it")
    parser.add_argument("--processor-time", action="store_true", help="compare processor time, on a busy machine")
    options = parser.parse_args()
    running = run(
        options.posts,
        options.repeats,
        everything=options.all,
        url=options.url,
        keep=options.keep,
        processor_time=options.processor_time,
    )
    raise SystemExit(min(1, asyncio.run(running)))


if __name__ == "__main__":
    main()
