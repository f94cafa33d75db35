"""Tell posts' workflows in the background of a request, and note in batches that they know."""

import asyncio
from collections.abc import Coroutine

import structlog

from domain.errors import Unavailable
from domain.plan import Plan
from store.database import Database
from store.delivery import record_delivered
from workflows.client.post_workflows import PostWorkflows
from workflows.client.telling import tell

log = structlog.get_logger(__name__)

_BATCH_S = 0.1
"""A create costs no second transaction: posts that were started are noted together, this often."""

_USUAL_START_S = 0.05
_LONGEST_START_S = 5.0
_MOST_WAITING = 1000
"""Starts that may be under way while their posts are answered already; beyond, callers wait and so come slower."""


class Starter:
    """Tell workflows what is wanted. What is lost here is found by the worker's sweep, which tells them again."""

    def __init__(self, database: Database, workflows: PostWorkflows) -> None:
        self._database = database
        self._workflows = workflows
        self._tasks: set[asyncio.Task[None]] = set()
        self._heard: dict[str, int] = {}

    def tell(self, plan: Plan) -> asyncio.Task[None]:
        """Begin to tell a post's workflow what is wanted; the task never fails and outlives the request."""
        return self._spawn(self._tell(plan))

    async def tell_now(self, plan: Plan) -> None:
        """Tell a post's workflow what is wanted; return when it knows or, if Temporal is busy or silent, soon.

        The post's row is safe by then and the workflow will be told anyhow, so nothing is raised.
        """
        deadline = _USUAL_START_S if len(self._tasks) < _MOST_WAITING else _LONGEST_START_S
        await asyncio.wait({self.tell(plan)}, timeout=deadline)

    async def rest_now(self, workflow_id: str, post_id: str, version: int, *, deleted: bool = False) -> None:
        """Tell a post's workflow that nothing is wanted any more; return soon, as `tell_now` does.

        A workflow that does not hear of it finds out when it wakes.
        """
        await asyncio.wait({self._spawn(self._rest(workflow_id, post_id, version, deleted))}, timeout=_USUAL_START_S)

    async def close(self) -> None:
        """Finish what was begun."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _tell(self, plan: Plan) -> None:
        try:
            await tell(self._database, self._workflows, plan)
        except Unavailable as error:
            log.warning("workflow.not_told", post_id=plan.post_id, reason=str(error))
        except Exception:
            log.exception("workflow.not_told", post_id=plan.post_id)
        else:
            self._note(plan.post_id, plan.version)

    async def _rest(self, workflow_id: str, post_id: str, version: int, deleted: bool) -> None:
        try:
            await self._workflows.rest(workflow_id, post_id, version, deleted=deleted)
        except Unavailable as error:
            log.warning("workflow.not_told", post_id=post_id, reason=str(error))
        except Exception:
            log.exception("workflow.not_told", post_id=post_id)

    def _note(self, post_id: str, version: int) -> None:
        if not self._heard:
            self._spawn(self._write_soon())
        self._heard[post_id] = max(version, self._heard.get(post_id, 0))

    async def _write_soon(self) -> None:
        await asyncio.sleep(_BATCH_S)
        heard, self._heard = self._heard, {}
        try:
            async with self._database.transaction() as session:
                await record_delivered(session, heard)
        except Exception:
            log.exception("delivery.not_recorded", posts=len(heard))
