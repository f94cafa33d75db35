"""The cost of event rows: PostgreSQL's time for the two writes of a send, with the triggers of events and without.

Each side has a database and a session of its own on one server, and the sides take turns send by send. So whatever else
the machine does meanwhile, it does to all of them. The processor time of each session is compared round by round.
"""

import contextlib
import statistics
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg

from benchmarks.campaigns.bench import CREATE_COPIES, Bench
from benchmarks.campaigns.gates import send
from benchmarks.campaigns.measure import Bar, Figure, Job
from benchmarks.processes import scheduled_seconds
from domain.ids import new_id
from domain.post import PostStatus
from store.database import Database
from store.workspaces.queries import create_workspace
from tests.databases import new_database
from tests.postgres import postgres_server
from tests.store.publishing.sends import save

_ROUNDS, _POSTS, _PLANNED = 40, 40, 10
"""Rounds; posts of a round, which have two targets; sends at the beginning of a round that plan their statements."""
_FLOOR = "no triggers"
_ENDPOINTS = {_FLOOR: 0, "no listener": 0, "one endpoint": 1, "three endpoints": 3}
_BARS = {"no listener": 1.10, "one endpoint": 1.20, "three endpoints": 1.25}
_TRIGGERS = {
    "targets": ("emit_target_events", "emit_target_edits", "emit_target_risks"),
    "posts": ("emit_scheduled_post", "emit_changed_post", "emit_deleted_post"),
}
"""The triggers that write events. Others stay in the floor: they have their own reasons."""
_ADD_WEBHOOK = """
INSERT INTO webhooks (id, workspace_id, url, events, secret, secret_key)
VALUES ($1, $2, 'https://none.test/', '{*}', '', '')
"""
_TO_DISK = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}


@dataclass(slots=True)
class _Side:
    """A database, the one session that sends, and the seconds of each round."""

    database: Database
    owner: Any
    template: str
    session_pid: int
    targets: list[str] = field(default_factory=list)
    began: float = 0
    seconds: list[float] = field(default_factory=list)

    async def prepare(self) -> None:
        """Replace the posts by new ones that are due."""
        due, prefix = datetime.now(UTC) - timedelta(minutes=1), f"{new_id('post')}_"
        await self.owner.execute("DELETE FROM posts WHERE id <> $1", self.template)
        columns = '{"delivered_version": 1}', "{}"
        await self.owner.execute(
            *(CREATE_COPIES, self.template, prefix, _POSTS, due, timedelta(milliseconds=10), *columns)
        )
        await self.owner.execute("VACUUM (ANALYZE) posts, targets, attempts")
        rows = await self.owner.fetch("SELECT id FROM targets WHERE post_id <> $1 ORDER BY id", self.template)
        self.targets = [row["id"] for row in rows]

    def spent(self) -> float:
        """Return the seconds of one core that the session has used so far."""
        return scheduled_seconds(self.session_pid)


async def sends_beside_listeners(_bench: Bench) -> Job:
    """Compare the two writes of a send beside none, one and three endpoints with the same without triggers."""
    with postgres_server(**_TO_DISK) as server:
        async with contextlib.AsyncExitStack() as stack:
            sides = {name: await stack.enter_async_context(_side(server, name)) for name in _ENDPOINTS}
            for _ in range(_ROUNDS):
                await _measure_round(list(sides.values()))
    floor = sides.pop(_FLOOR).seconds
    milliseconds = statistics.median(floor) * 1000
    for name, side in sides.items():
        ratio = statistics.median(ours / base for ours, base in zip(side.seconds, floor, strict=True))
        work = f"PostgreSQL's time for begin_send and settle, {name}"
        yield Figure(work, ratio * milliseconds, "ms", milliseconds, Bar(most_ratio=_BARS[name]))


async def _measure_round(sides: list[_Side]) -> None:
    for side in sides:
        await side.prepare()
    sends = 2 * _POSTS
    for number in range(sends):
        if number == _PLANNED:
            for side in sides:
                side.began = side.spent()
        # No side is always first.
        turn = number % len(sides)
        for side in sides[turn:] + sides[:turn]:
            await send(side.database, side.targets[number])
    for side in sides:
        side.seconds.append((side.spent() - side.began) / (sends - _PLANNED))


@contextlib.asynccontextmanager
async def _side(server: str, name: str) -> AsyncIterator[_Side]:
    """Make a database whose workspace has the endpoints of a side."""
    url = await new_database(server)
    database = Database(url, pool_size=1, max_overflow=0)
    owner = await asyncpg.connect(url.replace("+asyncpg", ""), ssl=False)
    try:
        async with database.transaction() as session:
            workspace_id = await create_workspace(session, new_id("w"))
        template = await save(database, workspace_id, status=PostStatus.SCHEDULED)
        if name == _FLOOR:
            for table, triggers in _TRIGGERS.items():
                for trigger in triggers:
                    await owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER {trigger}")
        if _ENDPOINTS[name]:
            await owner.execute("INSERT INTO listeners (workspace_id) VALUES ($1)", workspace_id)
        for _ in range(_ENDPOINTS[name]):
            await owner.execute(_ADD_WEBHOOK, new_id("wh"), workspace_id)
        row = await database.row("SELECT pg_backend_pid() AS pid")
        assert row is not None
        yield _Side(database, owner, template.id, row["pid"])
    finally:
        await owner.close()
        await database.close()
