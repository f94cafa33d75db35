"""A development stack with accounts, posts by the thousand, and the clients of a benchmark."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
from sqlalchemy.ext.asyncio import AsyncSession

from benchmarks.campaigns.measure import timed
from benchmarks.proof.accounts import Accounts
from benchmarks.proof.freezes import frozen
from benchmarks.proof.inside.folder import Inside
from benchmarks.proof.platforms import api_name, body
from benchmarks.proof.product import Product
from store.database import Database

PLATFORM = "mastodon"
HELD = '{"status": "held", "hold_reason": "paused", "begun_at": "2026-01-01T00:00:00Z"}'
"""The columns of a target that a pause holds."""
Work = Callable[[AsyncSession], Awaitable[Any]]
CREATE_COPIES = """
WITH numbers AS (
  SELECT $2 || to_char(n, 'FM000000') AS id, $4::timestamptz + n * $5::interval AS due
  FROM generate_series(1, $3::int) AS n
), copied_posts AS (
  INSERT INTO posts
  SELECT copy.* FROM posts AS template, numbers, LATERAL jsonb_populate_record(NULL::posts, to_jsonb(template) ||
    jsonb_build_object('id', numbers.id, 'workflow_id', numbers.id, 'due_at', due, 'scheduled_for', due) || $6::jsonb
  ) AS copy
  WHERE template.id = $1
)
INSERT INTO targets
SELECT copy.* FROM targets AS template, numbers, LATERAL jsonb_populate_record(NULL::targets, to_jsonb(template) ||
  jsonb_build_object('id', numbers.id || '_' || position, 'post_id', numbers.id, 'due_at', due) || $7::jsonb
) AS copy
WHERE template.post_id = $1
"""


class _RolledBackError(Exception):
    """The end of a transaction that must leave nothing."""


@dataclass(slots=True)
class Bench:
    """The stack, and what a job needs of it."""

    product: Product
    database: Database
    workspace_id: str
    accounts: Accounts
    posts: int
    """How many posts a bulk operation has."""

    @property
    def delivered_posts(self) -> int:
        """How many moved posts are delivered to their workflows, a hundred a second."""
        return self.posts // 2

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Any]:
        """Yield a connection of the tables' owner."""
        connection = await asyncpg.connect(self.product.dev["databaseUrl"], ssl=False)
        try:
            yield connection
        finally:
            await connection.close()

    async def copies(
        self,
        count: int,
        begin: datetime,
        apart: timedelta = timedelta(milliseconds=10),
        *,
        post: str = "{}",
        target: str = "{}",
    ) -> str:
        """Insert copies of a post with two targets, due from `begin` on; return the beginning of their ids.

        `post`, `target`: JSON of columns that differ from those of a scheduled post that was told its workflow.
        """
        template = await self.create(datetime.now(UTC) + timedelta(days=30))
        prefix = f"post_b{secrets.token_hex(4)}_"
        async with self.connection() as connection:
            await connection.execute("UPDATE posts SET delivered_version = 1 WHERE id = $1", template)
            await connection.execute(CREATE_COPIES, template, prefix, count, begin, apart, post, target)
            await connection.execute("ANALYZE posts, targets")
        return prefix

    async def forget(self, prefix: str) -> None:
        """Delete copies."""
        async with self.connection() as connection:
            await connection.execute("DELETE FROM posts WHERE id LIKE $1 || '%'", prefix)

    async def create(self, due: datetime | None = None, **more: Any) -> str:
        """Create a post for two accounts, or publish it now and wait; return its id."""
        lent = await self.accounts.lend([PLATFORM, PLATFORM])
        try:
            content = body(PLATFORM, lent[0], f"Campaign {secrets.token_hex(8)}")
            content["platforms"].append({"platform": api_name(PLATFORM), "accountId": lent[1]})
            content |= {"scheduledFor": due.isoformat()} if due else {"publishNow": True}
            answer = await self.product.api.post("/v1/posts", json=content | more, headers={"Prefer": "wait=60"})
            answer.raise_for_status()
            return str(answer.json()["id"])
        finally:
            for account_id in lent:
                self.accounts.give_back(PLATFORM, account_id)

    async def publish_now(self, count: int) -> list[float]:
        """Publish posts one after the other; return the seconds until each answer."""
        seconds = []
        for _ in range(count):
            began = time.perf_counter()
            await self.create()
            seconds.append(time.perf_counter() - began)
        return seconds

    async def herd(self, count: int, due_in: timedelta | None = None) -> float:
        """Let posts fall due in one second; return how many targets became public a second."""
        due = datetime.now(UTC) + (due_in or timedelta(seconds=5 + count / 20))
        slots = asyncio.Semaphore(8)

        async def create_one() -> str:
            async with slots:
                return await self.create(due)

        ids = await asyncio.gather(*(create_one() for _ in range(count)))
        query = "SELECT count(*) FROM targets WHERE post_id = ANY($1) AND status <> 'published'"
        async with self.connection() as connection:
            while await connection.fetchval(query, ids):  # noqa: ASYNC110 there is no event
                await asyncio.sleep(0.1)
            query = "SELECT max(published_at) FROM targets WHERE post_id = ANY($1)"
            last: datetime = await connection.fetchval(query, ids)
        return 2 * count / max((last - due).total_seconds(), 0.1)

    async def rolled_back(self, work: Work) -> float:
        """Return the seconds that some work takes in a transaction that leaves nothing."""
        seconds = 0.0
        with suppress(_RolledBackError):
            async with self.database.transaction() as session:
                seconds = await timed(lambda: work(session))
                raise _RolledBackError
        return seconds

    @contextmanager
    def stopped_worker(self) -> Iterator[None]:
        """Freeze the worker, so that it changes no row of the block."""
        with frozen(self.product, "worker"):
            yield


@asynccontextmanager
async def open_bench(dev: dict[str, Any], posts: int) -> AsyncIterator[Bench]:
    """Open the connections to a stack."""
    product = Product(dev, Inside(Path(dev["dataDir"])))
    database = Database(dev["databaseUrl"].replace("postgresql://", "postgresql+asyncpg://"))
    try:
        (row,) = await product.rows("SELECT workspace_id FROM api_keys LIMIT 1")
        yield Bench(product, database, row["workspace_id"], Accounts(dev), posts)
    finally:
        await database.close()
        await product.close()
