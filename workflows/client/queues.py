"""Queries of the task queues: whether workers serve them."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.service import RPCError

from activities.options import POSTS_QUEUE, queue_of
from platforms.registry import platforms
from workflows.client.failures import answering, connection_ended

_TIMEOUT_S = 10.0
_POLLED_WITHIN = timedelta(seconds=70)
"""A worker polls at least once a minute; after this time without a poll, no worker is there."""


@dataclass(frozen=True, slots=True)
class QueueState:
    """The state of a task queue: whether a worker polls it, and its backlog. Temporal updates it every 5 s.

    A worker that has just died counts for another minute.
    """

    polled: bool
    backlog: int


class Queues:
    """The task queues as Temporal describes them. Every method raises Unavailable if Temporal does not answer."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def posts(self) -> QueueState:
        """Return the state of the workflows' own queue."""
        return await self.state(POSTS_QUEUE)

    async def of_platforms(self) -> dict[str, QueueState]:
        """Return the state of every platform's queue by its name."""
        names = [queue_of(platform) for platform in platforms()]
        found = await asyncio.gather(*(self.state(name, activities=True) for name in names))
        return dict(zip(names, found, strict=True))

    async def state(self, name: str, *, activities: bool = False) -> QueueState:
        """Return the state of a queue of workflows, or of activities."""
        kind = TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY if activities else TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW
        request = DescribeTaskQueueRequest(
            namespace=self._client.namespace, task_queue=TaskQueue(name=name), task_queue_type=kind, report_stats=True
        )
        async with answering(_TIMEOUT_S):
            try:
                answer = await self._client.workflow_service.describe_task_queue(request)
            except RPCError as error:
                if not connection_ended(error):
                    raise
                answer = await self._client.workflow_service.describe_task_queue(request)
        oldest = datetime.now(UTC) - _POLLED_WITHIN
        polled = any(poller.last_access_time.ToDatetime(UTC) > oldest for poller in answer.pollers)
        return QueueState(polled, answer.stats.approximate_backlog_count)
