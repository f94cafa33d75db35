"""The worker process: workflows and database steps on one queue, the steps of each platform on its own."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from temporalio.client import Client
from temporalio.worker import (
    FixedSizeSlotSupplier,
    PollerBehaviorAutoscaling,
    UnsandboxedWorkflowRunner,
    Worker,
    WorkerTuner,
)

from activities.local_publish import LocalPublish
from activities.options import POSTS_QUEUE, WEBHOOKS_QUEUE, platform_queue
from activities.task_slots import MOST_REPORTS, TaskSlots
from activities.webhooks import STEPS
from domain.workspaces import Retention
from media.admission import MOST_STEPS
from platforms.registry import platforms
from reconcile.bulk_pace import BulkPace
from reconcile.late_posts import LatePostWatch
from reconcile.lease_policy import WorkerPolicy
from reconcile.rounds import running_tasks
from runtime.background import worker_tasks
from runtime.log_context import LogContext
from runtime.parts import WorkerParts
from runtime.payloads import skip_visits
from runtime.worker_options import DEFAULT_OPTIONS, WorkerOptions
from workflows.campaign import CampaignWorkflow
from workflows.client.post_workflows import PostWorkflows
from workflows.post import PostWorkflow
from workflows.short import AccountWorkflow, ChoicesWorkflow, ConnectWorkflow, MediaCheckWorkflow
from workflows.webhook import WebhookWorkflow

_SHORT_GRACE = timedelta(seconds=5)

ROWS_GRACE = timedelta(seconds=12)
"""How long the workflows' own short steps may take to end: a little more than one of them is allowed to take."""
_STICKY = timedelta(seconds=3)
"""How long a task waits in the worker's own queue of workflows that it has in memory. That queue is first come, first
served. Fair shares between workspaces exist on the shared queue only, so a task that waits longer moves there. To move
costs a post another fifth of all processor time: two events, a second dispatch, and the run's replay. With one second,
two of three posts of a herd of 240 moved on a busy machine."""
_THROTTLE = timedelta(seconds=5)
"""How long a heartbeat may be held back: half of the time after which a step without one is given up."""
_ROWS = 20
"""Short database steps that run at a time. Platforms that do not answer do not use these slots."""

_COMPUTES_FOR_S = 10
"""How long a task of a workflow may compute: as long as Temporal waits for it. The SDK's limit of two seconds, for
which it has no option, is for workflows that block. If a busy machine gives a task's thread no processor for so long,
the task fails, is repeated ten seconds later, and an exception is raised in whatever the thread does by then."""
_ENDPOINTS = STEPS + 20
"""Steps for endpoints at the same time: those that deliver, and some that find their workspace's share used."""


@dataclass(frozen=True, slots=True)
class WorkerGroup:
    """The workers of one process: that of the posts' own queue, and those of the platforms it serves."""

    posts: Worker
    platforms: Sequence[Worker] = ()
    webhooks: Worker | None = None
    """The worker of the queue of clients' endpoints."""
    continued: Worker | None = None
    """The worker of the queue on which only this process continues steps that it began within a workflow's task."""
    local_publish: LocalPublish | None = None
    has_version: bool = False
    """Whether Temporal decides by the version of this process which workflows it runs."""
    grace: timedelta = _SHORT_GRACE
    """How long a step may still take after the worker was asked to stop; then another worker takes over."""

    @property
    def workers(self) -> list[Worker]:
        """Return all of them."""
        return [self.posts, *(worker for worker in (self.continued, self.webhooks) if worker), *self.platforms]

    def is_publishing(self) -> bool:
        """Return whether a step towards a platform has just begun or ended in this process."""
        return self.local_publish is not None and self.local_publish.is_publishing()

    def has_published(self, within_s: float) -> bool:
        """Return whether a step towards a platform has begun or ended in this process within so many seconds."""
        return self.local_publish is not None and self.local_publish.has_published(within_s)

    async def finish(self) -> None:
        """Take no new tasks, and finish those that have begun.

        Steps towards platforms stop together, so that one grace is enough for all of them. The posts' own worker
        follows, because a step is only over when its workflow has received the result.
        """
        stops = [worker.shutdown() for worker in (*self.platforms, *([self.webhooks] if self.webhooks else []))]
        await asyncio.gather(*stops, *([self.local_publish.stop(self.grace)] if self.local_publish else []))
        if self.continued:
            await self.continued.shutdown()
        await self.posts.shutdown()


def let_compute(worker: Worker) -> Worker:
    """Let the tasks of a worker's workflows compute for ten seconds."""
    if workflows := worker._workflow_worker:  # noqa: SLF001 the SDK has no option for it
        workflows._deadlock_timeout_seconds = _COMPUTES_FOR_S  # noqa: SLF001
    return worker


def worker_group(
    client: Client,
    parts: WorkerParts,
    platforms: Iterable[str],
    grace: timedelta = _SHORT_GRACE,
    worker_options: WorkerOptions = DEFAULT_OPTIONS,
) -> WorkerGroup:
    """Return the workers of one process that serves these platforms.

    Only queues of workflows have versions. Steps go to any worker that serves their platform: if a new version had no
    worker for it yet, they would wait.
    """
    skip_visits()
    posts, campaigns, served = parts.posts(), parts.campaigns(), list(platforms)
    own_queue = f"{POSTS_QUEUE}-{uuid.uuid4().hex}"
    task_slots = TaskSlots(worker_options.workflow_tasks)
    local_publish = LocalPublish(parts.publishing(), served, own_queue, task_slots)
    towards_platforms = [local_publish.publish_from_queue, *parts.towards_platforms()]
    own = Worker(
        client,
        task_queue=POSTS_QUEUE,
        workflows=[
            PostWorkflow,
            MediaCheckWorkflow,
            ConnectWorkflow,
            AccountWorkflow,
            ChoicesWorkflow,
            CampaignWorkflow,
        ],
        activities=[
            *(posts.read_plan, posts.reopen, posts.write_off, posts.give_up, local_publish.publish),
            *(campaigns.read_campaign, campaigns.change_campaign_at_its_time),
            *(campaigns.pause_campaign, campaigns.resume_campaign),
        ],
        # The sandbox costs every workflow a third more; tests run in it, and replay what was recorded.
        workflow_runner=UnsandboxedWorkflowRunner(),
        interceptors=[LogContext()],
        graceful_shutdown_timeout=ROWS_GRACE,
        sticky_queue_schedule_to_start_timeout=_STICKY,
        max_cached_workflows=worker_options.cached_workflows,
        deployment_config=worker_options.deployment_config,
        tuner=WorkerTuner.create_composite(
            workflow_supplier=task_slots,
            activity_supplier=FixedSizeSlotSupplier(local_publish.slots + _ROWS),
            local_activity_supplier=FixedSizeSlotSupplier(local_publish.slots + _ROWS + MOST_REPORTS),
            nexus_supplier=FixedSizeSlotSupplier(1),
        ),
        workflow_task_poller_behavior=PollerBehaviorAutoscaling(minimum=1, initial=4, maximum=20),
        max_heartbeat_throttle_interval=_THROTTLE,
    )
    continued = Worker(
        client,
        task_queue=own_queue,
        activities=[local_publish.publish],
        interceptors=[LogContext()],
        graceful_shutdown_timeout=ROWS_GRACE,
        activity_task_poller_behavior=PollerBehaviorAutoscaling(minimum=1, initial=1, maximum=20),
        max_concurrent_activities=local_publish.slots,
        max_heartbeat_throttle_interval=_THROTTLE,
    )
    serving = [
        Worker(
            client,
            task_queue=platform_queue(platform),
            activities=towards_platforms,
            interceptors=[LogContext()],
            graceful_shutdown_timeout=grace,
            activity_task_poller_behavior=PollerBehaviorAutoscaling(minimum=1, initial=2, maximum=20),
            max_concurrent_activities=MOST_STEPS + worker_options.steps,
            max_heartbeat_throttle_interval=_THROTTLE,
        )
        for platform in served
    ]
    webhooks = Worker(
        client,
        task_queue=WEBHOOKS_QUEUE,
        workflows=[WebhookWorkflow],
        deployment_config=worker_options.deployment_config,
        activities=[parts.webhooks(local_publish.recent).deliver_events],
        workflow_runner=UnsandboxedWorkflowRunner(),
        interceptors=[LogContext()],
        graceful_shutdown_timeout=grace,
        max_concurrent_activities=_ENDPOINTS,
        max_heartbeat_throttle_interval=_THROTTLE,
    )
    has_version = worker_options.deployment_config is not None
    return WorkerGroup(let_compute(own), serving, let_compute(webhooks), continued, local_publish, has_version, grace)


@contextlib.asynccontextmanager
async def running_workers(
    client: Client,
    parts: WorkerParts,
    workers: WorkerGroup | None = None,
    watch: LatePostWatch | None = None,
    retention: Retention | None = None,
) -> AsyncIterator[None]:
    """Run workers (one for every queue by default) and the background tasks beside them for the length of the block.

    Tasks that have begun by then are finished.
    """
    workers = workers or worker_group(client, parts, platforms())
    posts = PostWorkflows(client, eager=not workers.has_version)
    pace = BulkPace(parts.bulk_starts_per_s, workers.is_publishing)
    watch, retention = watch or LatePostWatch(parts.database), retention or Retention()
    tasks = worker_tasks(client, parts, posts, pace, watch, retention, WorkerPolicy(workers.has_published))
    async with polling(workers, parts), running_tasks(*tasks):
        yield


@contextlib.asynccontextmanager
async def polling(workers: WorkerGroup, parts: WorkerParts) -> AsyncIterator[None]:
    """Let workers take tasks for the length of the block. Tasks that have begun by then are finished."""
    async with contextlib.AsyncExitStack() as stack:
        for worker in workers.workers:
            await stack.enter_async_context(worker)
        try:
            yield
        finally:
            parts.accounts.stop_renewing()
            await workers.finish()
