"""Delivery of posts to their workflows in the background of a request; deliveries are recorded in batches."""

import asyncio
from collections.abc import Coroutine, Sequence
from contextvars import Context
from datetime import UTC, datetime

import structlog

from domain.errors import Unavailable
from domain.plan import Plan
from domain.printable import error_words
from store.database import Database
from store.posts.delivery import read_undelivered_plan, record_delivered
from workflows.client.delivery import deliver
from workflows.client.post_workflows import AnotherPost, PostWorkflows

log = structlog.get_logger(__name__)

_BATCH_S = 0.1
"""A create costs no second transaction: deliveries are recorded together, this often."""

_USUAL_START_S = 0.05
_LONGEST_START_S = 5.0
_MOST_SAVED, _CONCURRENCY = 500, 16
"""The posts of one request that are delivered by this process, and how many of them at the same time."""
_MOST_WAITING = 1000
"""Starts that may be under way after their posts' answers; beyond this number callers wait, which slows them down."""


class Delivery:
    """Deliveries of one API process. The worker's sweep repeats those that are lost."""

    def __init__(self, database: Database, workflows: PostWorkflows) -> None:
        self._database = database
        self._workflows = workflows
        self._tasks: set[asyncio.Task[None]] = set()
        self._delivered: dict[str, int] = {}

    def deliver(self, plan: Plan) -> asyncio.Task[None]:
        """Begin to deliver a post's version to its workflow; the task never fails and outlives the request."""
        return self._spawn(self._deliver(plan))

    async def deliver_and_wait(self, plan: Plan) -> None:
        """Deliver a post's version to its workflow. If Temporal is busy or silent, return soon.

        Nothing is raised: the post's row is committed, and the sweep delivers it otherwise.
        """
        timeout = _USUAL_START_S if len(self._tasks) < _MOST_WAITING else _LONGEST_START_S
        await asyncio.wait({self.deliver(plan)}, timeout=timeout)

    async def deliver_rest(self, workflow_id: str, post_id: str, version: int, *, deleted: bool = False) -> None:
        """Signal a post's workflow that nothing is left to do; return soon, as `deliver_and_wait` does.

        A workflow that it does not reach reads the row when it wakes.
        """
        await asyncio.wait(
            {self._spawn(self._deliver_rest(workflow_id, post_id, version, deleted))}, timeout=_USUAL_START_S
        )

    def deliver_saved(self, post_ids: Sequence[str]) -> None:
        """Begin to deliver many posts, given in the order of their times; the sweep delivers those beyond a limit.

        Of many, the sweep may have delivered or claimed some meanwhile. A second delivery would be harmless, but it
        costs the workflow a task, and a new run if the workflow has ended.
        """
        if post_ids:
            # No client waits for these deliveries, so they take no part of their workspace's connections.
            self._spawn(self._deliver_saved(post_ids[:_MOST_SAVED]), Context())

    def deliver_deleted(self, posts: Sequence[tuple[str, str, int]]) -> None:
        """Begin to signal the workflows of many deleted posts; each has its id, that of its workflow, and a version.

        A workflow that it does not reach finds at its time that the row is gone.
        """
        if posts:
            self._spawn(self._deliver_deleted(posts), Context())

    async def close(self) -> None:
        """Finish what was begun."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _spawn(self, work: Coroutine[None, None, None], context: Context | None = None) -> asyncio.Task[None]:
        task = asyncio.create_task(work, context=context)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _deliver(self, plan: Plan) -> None:
        try:
            await deliver(self._database, self._workflows, plan)
        except Unavailable as error:
            log.warning("workflow.not_delivered", post_id=plan.post_id, reason=error_words(error))
        except AnotherPost:
            # A worker's sweep gives the post the next workflow id.
            log.warning("workflow.not_delivered", post_id=plan.post_id, reason="its id is another post's")
        except Exception:
            log.exception("workflow.not_delivered", post_id=plan.post_id)
        else:
            self._record(plan.post_id, plan.version)

    async def _deliver_saved(self, post_ids: Sequence[str]) -> None:
        slots = asyncio.Semaphore(_CONCURRENCY)

        async def deliver_one(post_id: str) -> None:
            async with slots:
                try:
                    async with self._database.reading() as session:
                        plan = await read_undelivered_plan(session, post_id, datetime.now(UTC))
                except Exception:
                    log.exception("workflow.not_delivered", post_id=post_id)
                    return
                if plan:
                    await self._deliver(plan)

        await asyncio.gather(*map(deliver_one, post_ids))

    async def _deliver_deleted(self, posts: Sequence[tuple[str, str, int]]) -> None:
        slots = asyncio.Semaphore(_CONCURRENCY)

        async def deliver_one(post_id: str, workflow_id: str, version: int) -> None:
            async with slots:
                await self._deliver_rest(workflow_id, post_id, version, deleted=True)

        await asyncio.gather(*(deliver_one(*post) for post in posts))

    async def _deliver_rest(self, workflow_id: str, post_id: str, version: int, deleted: bool) -> None:
        try:
            await self._workflows.unschedule(workflow_id, post_id, version, deleted=deleted)
        except Unavailable as error:
            log.warning("workflow.not_delivered", post_id=post_id, reason=error_words(error))
        except Exception:
            log.exception("workflow.not_delivered", post_id=post_id)

    def _record(self, post_id: str, version: int) -> None:
        if not self._delivered:
            # For posts of all workspaces, so it waits for no workspace's share of the connections.
            self._spawn(self._write_soon(), Context())
        self._delivered[post_id] = max(version, self._delivered.get(post_id, 0))

    async def _write_soon(self) -> None:
        await asyncio.sleep(_BATCH_S)
        delivered, self._delivered = self._delivered, {}
        try:
            async with self._database.transaction() as session:
                await record_delivered(session, delivered)
        except Exception:
            log.exception("delivery.not_recorded", posts=len(delivered))
