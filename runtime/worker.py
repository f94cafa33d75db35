"""The worker process: workflows and database steps on one queue, the steps of each platform on its own."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
from temporalio.client import Client
from temporalio.common import MetricMeter
from temporalio.worker import PollerBehaviorAutoscaling, UnsandboxedWorkflowRunner, Worker

from accounts.credentials.connections import AccountConnections
from activities.account import AccountSteps
from activities.check_media import Checking
from activities.choices import Choosing
from activities.complete import Completing
from activities.confirm import Confirming
from activities.connect import Connecting
from activities.edit import Editing
from activities.local_publish import LocalPublish
from activities.meters import Meters
from activities.options import POSTS_QUEUE, queue_of
from activities.posts import PostActivities
from activities.prepare import Preparing
from activities.publish import Publishing
from activities.step_context import StepContextFactory
from media.admission import MOST_STEPS, Admission
from media.decoder_pool import DecoderPool
from media.disk import MediaDisk
from media.fetch import MediaFetcher
from media.public_files import PublicFiles
from media.shared_files import SharedFiles
from media.step_media import MediaTools
from platforms.registry import platforms
from platforms.servers.outgoing import Outgoing
from platforms.servers.reach import Servers
from reconcile.account_rechecks import recheck_refused_accounts
from reconcile.app_setup import announce_apps_forever
from reconcile.expiry import expire_forever
from reconcile.key_check import check_keys_forever
from reconcile.late_posts import LatePostWatch
from reconcile.media_disk import measure_disk_forever
from reconcile.preflight import preflight_forever
from reconcile.recovery import Recovery
from reconcile.renewals import renew_forever
from reconcile.revocations import revoke_forever
from reconcile.sweep import sweep_forever
from reconcile.zones import follow_zones_forever
from runtime.background import BackgroundTask, supervised
from runtime.log_context import LogContext
from runtime.settings import Settings, VaultSettings
from store.audit.trail import AUDIT_KEPT
from store.database import Database
from store.secrets.vault import Vault
from workflows.account import AccountWorkflow
from workflows.choices import ChoicesWorkflow
from workflows.client.post_workflows import PostWorkflows
from workflows.client.runs import Runs
from workflows.connect import ConnectWorkflow
from workflows.media_check import MediaCheckWorkflow
from workflows.post import PostWorkflow

_SHORT_GRACE = timedelta(seconds=5)

ROWS_GRACE = timedelta(seconds=12)
"""How long the workflows' own short steps may take to end: a little more than one of them is allowed to take."""
_STICKY = timedelta(seconds=1)
"""How long a task waits in the worker's own queue of workflows that it has in memory. That queue is first come, first
served. Fair shares between workspaces exist on the shared queue only, so a task that waits longer moves there."""
_THROTTLE = timedelta(seconds=5)
"""How long a heartbeat may be held back: half of the time after which a step without one is given up."""
_WORKFLOW_TASKS = 30
"""Workflow tasks of a worker at a time. A task that a worker has taken is no longer shared fairly, so it takes few."""
_STEPS_WITHOUT_MEDIA = 40
"""Steps of one platform beyond those with media that may run at a time: texts do not wait for media."""
_ROWS = 20
"""Short database steps that run at a time. Platforms that do not answer do not use these slots."""


def servers(settings: Settings) -> Servers:
    """Return the addresses at which the operator lets platforms be reached."""
    return Servers(
        settings.base_urls, settings.sandbox_url, settings.private_account_hosts, settings.forbidden_networks
    )


@contextlib.asynccontextmanager
async def factory(
    settings: VaultSettings, database: Database, meter: MetricMeter = MetricMeter.noop
) -> AsyncIterator[StepContextFactory]:
    """Open the parts that all steps share: the HTTP transports, the vault, the media tools, the metrics."""
    reached = servers(settings)
    outgoing = Outgoing(reached)
    media = _media_tools(settings, database, outgoing)
    async with contextlib.AsyncExitStack() as stack:
        transports: dict[str, httpx.AsyncBaseTransport] = {
            name: await stack.enter_async_context(outgoing.to_platform(platform))
            for name, platform in platforms().items()
        }
        named_servers = await stack.enter_async_context(outgoing.to_named_servers())
        meters = Meters(meter)
        accounts = AccountConnections(
            database=database,
            vault=Vault(settings.encryption_keys),
            servers=reached,
            platforms_at=transports,
            named_servers=named_servers,
            registered_apps=settings.registered_apps,
            record_renewal=meters.record_renewal,
            renews=settings.renewals,
        )
        try:
            yield StepContextFactory(
                database=database,
                accounts=accounts,
                media=media,
                meters=meters,
                platform_rate_limits=settings.platform_rate_limits,
                redirect_urls=settings.redirect_urls,
                most_accounts=settings.max_accounts,
            )
        finally:
            await accounts.close()
            await media.close()


def _media_tools(settings: Settings, database: Database, outgoing: Outgoing) -> MediaTools:
    limit = None if settings.media_disk_mb is None else settings.media_disk_mb * 2**20
    admission = Admission(MediaDisk(limit), fetches=settings.media_fetches)
    fetcher = MediaFetcher(
        private_hosts=settings.private_media_hosts,
        samples_url=settings.sandbox_url or None,
        transport=outgoing.to_strangers,
    )
    public_files = PublicFiles(database, settings.public_url) if settings.public_url else None
    return MediaTools(
        SharedFiles(fetcher, admission), DecoderPool(memory=settings.media_memory_mb * 2**20), public_files, admission
    )


@dataclass(frozen=True, slots=True)
class WorkerGroup:
    """The workers of one process: that of the posts' own queue, and those of the platforms it serves."""

    posts: Worker
    platforms: Sequence[Worker] = ()
    continued: Worker | None = None
    """The worker of the queue on which only this process continues steps that it began within a workflow's task."""
    local_publish: LocalPublish | None = None
    grace: timedelta = _SHORT_GRACE
    """How long a step may still take after the worker was asked to stop; then another worker takes over."""

    @property
    def workers(self) -> list[Worker]:
        """Return all of them."""
        return [self.posts, *([self.continued] if self.continued else []), *self.platforms]

    async def finish(self) -> None:
        """Take no new tasks, and finish those that have begun.

        Steps towards platforms stop together, so that one grace is enough for all of them. The posts' own worker
        follows, because a step is only over when its workflow has received the result.
        """
        stops = [platform.shutdown() for platform in self.platforms]
        await asyncio.gather(*stops, *([self.local_publish.stop(self.grace)] if self.local_publish else []))
        if self.continued:
            await self.continued.shutdown()
        await self.posts.shutdown()


def worker_group(
    client: Client, factory: StepContextFactory, platforms: Iterable[str], grace: timedelta = _SHORT_GRACE
) -> WorkerGroup:
    """Return the workers of one process that serves these platforms."""
    publishing, posts, served = Publishing(factory), PostActivities(factory.database, factory.meters), list(platforms)
    own_queue = f"{POSTS_QUEUE}-{uuid.uuid4().hex}"
    local_publish, accounts = LocalPublish(publishing, served, own_queue), AccountSteps(factory)
    towards_platforms: list[Callable[..., Any]] = [
        Preparing(factory).prepare,
        local_publish.publish_from_queue,
        Confirming(factory).confirm,
        Completing(factory).complete,
        Editing(factory).edit,
        Checking(factory).check_media,
        Connecting(factory).connect,
        Choosing(factory).list_choices,
        accounts.check_account,
        accounts.remove_account,
    ]
    own = Worker(
        client,
        task_queue=POSTS_QUEUE,
        workflows=[PostWorkflow, MediaCheckWorkflow, ConnectWorkflow, AccountWorkflow, ChoicesWorkflow],
        activities=[posts.read_plan, posts.reopen, posts.write_off, posts.give_up, local_publish.publish],
        # The sandbox costs every workflow a third more; tests run in it, and replay what was recorded.
        workflow_runner=UnsandboxedWorkflowRunner(),
        interceptors=[LogContext()],
        graceful_shutdown_timeout=ROWS_GRACE,
        sticky_queue_schedule_to_start_timeout=_STICKY,
        max_concurrent_workflow_tasks=_WORKFLOW_TASKS,
        max_concurrent_activities=local_publish.slots + _ROWS,
        max_concurrent_local_activities=local_publish.slots + _ROWS,
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
    of_platforms = [
        Worker(
            client,
            task_queue=queue_of(platform),
            activities=towards_platforms,
            interceptors=[LogContext()],
            graceful_shutdown_timeout=grace,
            activity_task_poller_behavior=PollerBehaviorAutoscaling(minimum=1, initial=2, maximum=20),
            max_concurrent_activities=MOST_STEPS + _STEPS_WITHOUT_MEDIA,
            max_heartbeat_throttle_interval=_THROTTLE,
        )
        for platform in served
    ]
    return WorkerGroup(own, of_platforms, continued, local_publish, grace)


@contextlib.asynccontextmanager
async def running_workers(
    client: Client,
    factory: StepContextFactory,
    workers: WorkerGroup | None = None,
    watch: LatePostWatch | None = None,
    audit_kept: timedelta = AUDIT_KEPT,
) -> AsyncIterator[None]:
    """Run workers (one for every queue by default) and the background tasks beside them for the length of the block.

    Tasks that have begun by then are finished.
    """
    posts = PostWorkflows(client)
    tasks: dict[str, BackgroundTask] = {
        "sweep": lambda: sweep_forever(factory.database, posts),
        "recovery": Recovery(factory.database, posts, Runs(client)).run,
        "accounts": lambda: recheck_refused_accounts(factory, posts),
        **(
            {"renewals": lambda: renew_forever(factory), "revocations": lambda: revoke_forever(factory)}
            if factory.accounts.renews
            else {}
        ),
        "zones": lambda: follow_zones_forever(factory.database, posts),
        "expiry": lambda: expire_forever(factory.database, audit_kept),
        "preflight": lambda: preflight_forever(factory.database, factory.meters, factory.files),
        "apps": lambda: announce_apps_forever(
            factory.database,
            factory.accounts.registered_apps,
            factory.redirect_urls,
            factory.accounts.vault.key_ids,
        ),
        "keys": lambda: check_keys_forever(factory.database, factory.accounts.vault, factory.meters),
        "disk": lambda: measure_disk_forever(factory.media_disk, factory.meters),
        "watch": (watch or LatePostWatch(factory.database)).run,
    }
    workers = workers or worker_group(client, factory, platforms())
    async with polling(workers, factory), supervised(tasks):
        yield


@contextlib.asynccontextmanager
async def polling(workers: WorkerGroup, factory: StepContextFactory) -> AsyncIterator[None]:
    """Let workers take tasks for the length of the block. Tasks that have begun by then are finished."""
    async with contextlib.AsyncExitStack() as stack:
        for worker in workers.workers:
            await stack.enter_async_context(worker)
        try:
            yield
        finally:
            factory.accounts.stop_renewing()
            await workers.finish()
