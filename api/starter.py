"""Start posts' workflows in the background of a request, and note in batches that they run."""

import asyncio
from collections.abc import Coroutine
from datetime import UTC, datetime

import structlog

from domain.errors import Unavailable
from domain.plan import Plan
from store.database import Database
from store.posts import mark_dispatched
from workflows.client import PostWorkflows

log = structlog.get_logger(__name__)

_BATCH_S = 0.1
"""A create costs no second transaction: posts that were started are noted together, this often."""

_USUAL_START_S = 0.05
_LONGEST_START_S = 5.0
_MOST_WAITING = 1000
"""Starts that may be under way while their posts are answered already; beyond, callers wait and so come slower."""


class Starter:
    """Start workflows. Whatever is lost here is found by the worker's sweep, whose start is idempotent."""

    def __init__(self, database: Database, workflows: PostWorkflows) -> None:
        self._database = database
        self._workflows = workflows
        self._tasks: set[asyncio.Task[None]] = set()
        self._started: list[str] = []

    def start(self, plan: Plan) -> asyncio.Task[None]:
        """Begin to start a post's workflow; the task never fails and outlives the request."""
        return self._spawn(self._start(plan))

    async def start_now(self, plan: Plan) -> None:
        """Start a post's workflow; return when it runs or, where Temporal is busy or silent, soon.

        The post's row is safe by then and the workflow will be started anyhow, so nothing is raised.
        """
        patience = _USUAL_START_S if len(self._tasks) < _MOST_WAITING else _LONGEST_START_S
        await asyncio.wait({self.start(plan)}, timeout=patience)

    def note_started(self, post_id: str) -> None:
        """Have the post's row say soon that its workflow runs."""
        if not self._started:
            self._spawn(self._write_soon())
        self._started.append(post_id)

    async def close(self) -> None:
        """Finish what was begun."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _start(self, plan: Plan) -> None:
        try:
            await self._workflows.start(plan)
        except Unavailable as error:
            log.warning("workflow.not_started", post_id=plan.post_id, reason=str(error))
        except Exception:
            log.exception("workflow.not_started", post_id=plan.post_id)
        else:
            self.note_started(plan.post_id)

    async def _write_soon(self) -> None:
        await asyncio.sleep(_BATCH_S)
        post_ids, self._started = self._started, []
        try:
            async with self._database.transaction() as session:
                await mark_dispatched(session, post_ids, datetime.now(UTC))
        except Exception:
            log.exception("dispatch.not_noted", posts=len(post_ids))
