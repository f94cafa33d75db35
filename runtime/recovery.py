"""Start again the workflows that were lost: terminated, failed, or gone with a database of Temporal's.

The sweep starts what was never started; this looks at what was, and does not go on.
"""

import asyncio
from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from domain.errors import Unavailable
from runtime.fate import Fate, fate_of
from store.accounts import find_accounts
from store.database import Database
from store.models import Post
from store.open_posts import PostLine, open_due_between
from store.plans import plan_of
from store.posts import find_post
from workflows.client import PostWorkflows
from workflows.runs import Run, Runs

log = structlog.get_logger(__name__)

LATE = timedelta(minutes=2)
"""How long after its due time an open post is held against Temporal."""
EVERY = timedelta(minutes=1)
"""How often that is done."""
AHEAD = timedelta(hours=1)
"""How long before their time posts are looked after that are not due yet."""
AHEAD_EVERY = timedelta(minutes=10)

_SHARE = 10
"""A round that took long is followed by a pause this many times as long: when everything is late, it must not add."""
_BATCH = 200
_AT_ONCE = 8
_ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)
_LOCK = 0x706F7374
"""Number of the advisory lock that lets one worker of all do a round."""


class Recovery:
    """Find open posts without a running workflow and start it from their rows."""

    def __init__(self, database: Database, workflows: PostWorkflows, runs: Runs) -> None:
        self._database = database
        self._workflows = workflows
        self._runs = runs
        self._told: set[str] = set()
        """Posts that need a person and of which the log has told."""

    async def run(self) -> None:
        """Look after late posts every minute, after those that will soon be due every ten."""
        loop = asyncio.get_running_loop()
        ahead_at = loop.time()
        while True:
            began, now = loop.time(), datetime.now(UTC)
            try:
                await self.round(_ALWAYS, now - LATE)
                if began >= ahead_at:
                    ahead_at = began + AHEAD_EVERY.total_seconds()
                    await self.round(now - LATE, now + AHEAD)
            except (Unavailable, SQLAlchemyError, OSError) as error:
                log.warning("recovery.postponed", reason=type(error).__name__)
            await asyncio.sleep(max(EVERY.total_seconds(), _SHARE * (loop.time() - began)))

    async def round(self, begin: datetime, end: datetime) -> int:
        """Look after the open posts due in a time; return how many were started. Another worker's round counts as ours.

        Raises Unavailable.
        """
        started, last = 0, None
        async with self._database.transaction() as session:
            if not await session.scalar(select(func.pg_try_advisory_xact_lock(_LOCK))):
                return 0
            while True:
                async with self._database.reading() as reading:
                    lines = await open_due_between(reading, begin, end, last, _BATCH)
                started += await self._look_after([line for line in lines if line.dispatched_at is not None])
                if len(lines) < _BATCH:
                    return started
                last = lines[-1]

    async def _look_after(self, lines: list[PostLine]) -> int:
        running = await self._runs.running_among([line.workflow_id for line in lines])
        doubtful = [line for line in lines if line.workflow_id not in running]
        started = 0
        for first in range(0, len(doubtful), _AT_ONCE):
            part = doubtful[first : first + _AT_ONCE]
            started += sum(await asyncio.gather(*(self._judge(line) for line in part)))
        return started

    async def _judge(self, line: PostLine) -> bool:
        """Start a post's workflow where it is lost; tell whether it was."""
        run = await self._runs.latest(line.workflow_id)
        if run is not None and run.running:
            return False
        view = await self._runs.says(run) if run is not None else None
        async with self._database.reading() as session:
            post = await find_post(session, line.workspace_id, line.id)
            if post is None or post.status != line.status or post.due_at is None:
                return False
            fate = fate_of(post.updated_at, {each.id: each.status for each in post.targets}, run, view)
            if fate is Fate.LOST:
                await start_from_row(session, self._workflows, post)
        return self._tell(line, run, fate)

    def _tell(self, line: PostLine, run: Run | None, fate: Fate) -> bool:
        found = {"post_id": line.id, "workflow_id": line.workflow_id, "run": run.status.name.lower() if run else None}
        if fate is Fate.LOST:
            log.warning("recovery.started", **found)
        elif fate is not Fate.RUNS and line.id not in self._told:
            self._told.add(line.id)
            log.error("recovery.needs_a_person", fate=fate, hint="socialsyncer doctor explains it", **found)
        return fate is Fate.LOST


async def start_from_row(session: AsyncSession, workflows: PostWorkflows, post: Post) -> None:
    """Start the workflow of an open post as its rows stand. Nothing is sent twice: they say what was sent.

    Raises Unavailable.
    """
    accounts = await find_accounts(session, post.workspace_id, [each.account_id for each in post.targets])
    await workflows.start(plan_of(post, accounts))
