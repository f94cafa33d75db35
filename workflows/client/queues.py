"""Queries of the task queues: whether workers serve them."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.service import RPCError

from activities.options import POSTS_QUEUE, platform_queue
from platforms import registry
from workflows.client.failures import answering, transport_ended

ClockAhead = Callable[[], Awaitable[timedelta]]

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
    is_emptied: bool = True
    """Whether Temporal has given any of its tasks to a worker in the last half minute."""

    @property
    def stands(self) -> bool:
        """Return whether its tasks wait although workers ask for them."""
        return self.polled and self.backlog > 0 and not self.is_emptied


async def same_clocks() -> timedelta:
    """Return zero: this machine's clock is taken to be that of the others."""
    return timedelta(0)


class Queues:
    """The task queues as Temporal describes them. Every method raises Unavailable if Temporal does not answer.

    Temporal says when a worker has polled, but not what time it is. So before a worker is called missing, `ahead` is
    asked by how much this machine's clock is ahead of others.
    """

    def __init__(self, client: Client) -> None:
        self._client = client

    async def posts(self, ahead: ClockAhead = same_clocks) -> QueueState:
        """Return the state of the workflows' own queue."""
        return await self.state(POSTS_QUEUE, ahead=ahead)

    async def platforms(self, ahead: ClockAhead = same_clocks) -> dict[str, QueueState]:
        """Return the state of every platform's queue by its name."""
        names = [platform_queue(platform) for platform in registry.platforms()]
        states = await asyncio.gather(*(self.state(name, activities=True, ahead=ahead) for name in names))
        return dict(zip(names, states, strict=True))

    async def state(self, name: str, *, activities: bool = False, ahead: ClockAhead = same_clocks) -> QueueState:
        """Return the state of a queue of workflows, or of activities."""
        kind = TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY if activities else TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW
        request = DescribeTaskQueueRequest(
            namespace=self._client.namespace, task_queue=TaskQueue(name=name), task_queue_type=kind, report_stats=True
        )
        async with answering(_TIMEOUT_S):
            try:
                answer = await self._client.workflow_service.describe_task_queue(request)
            except RPCError as error:
                if not transport_ended(error):
                    raise
                answer = await self._client.workflow_service.describe_task_queue(request)
        last_poll = max((poller.last_access_time.ToDatetime(UTC) for poller in answer.pollers), default=None)
        oldest = datetime.now(UTC) - _POLLED_WITHIN
        if last_poll and last_poll <= oldest:
            # If the other clock is the wrong one, a worker that has ended counts for as long as Temporal lists it.
            oldest -= max(await ahead(), timedelta(0))
        polled = last_poll is not None and last_poll > oldest
        return QueueState(polled, answer.stats.approximate_backlog_count, answer.stats.tasks_dispatch_rate > 0)
