"""Put a worker together: workflows and database activities on one queue, each network's steps on its own."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from datetime import timedelta

import httpx
from temporalio.client import Client
from temporalio.worker import PollerBehaviorAutoscaling, UnsandboxedWorkflowRunner, Worker

from activities.desk import Desk
from activities.edit import Editing
from activities.media.fetch import MediaFetcher
from activities.media.shelf import Shelf
from activities.media.source import MediaTools
from activities.media.workshop import Workshop
from activities.options import POSTS_QUEUE, queue_of
from activities.posts import Posts
from activities.publish import Publishing
from activities.servers import Servers, client_of_named_servers
from platforms.registry import networks
from runtime.accounts import look_after_accounts
from runtime.context import LogContext
from runtime.recovery import Recovery
from runtime.settings import Settings
from runtime.sweep import sweep_forever
from runtime.zones import follow_zones_forever
from store.database import Database
from store.vault import Vault
from workflows.client import PostWorkflows
from workflows.post import PostWorkflow
from workflows.runs import Runs

GRACE = timedelta(seconds=30)
"""How long a worker that is told to stop finishes what it has begun; what is left is taken over by another."""
_STICKY = timedelta(seconds=1)
"""A worker's own queue of workflows that it still has in memory is first come, first served: fair shares between
workspaces exist on the shared queue only, so what waits longer than this moves there."""
_WORKFLOW_TASKS = 30
"""What a worker has taken is no longer shared out fairly; more than it can do in a moment stays with the server."""


def servers(settings: Settings) -> Servers:
    """Return where the operator lets networks be reached."""
    return Servers(settings.base_urls, settings.sandbox_url, settings.allowed_private_hosts)


@contextlib.asynccontextmanager
async def desk(settings: Settings, database: Database) -> AsyncIterator[Desk]:
    """Open what the steps share: the HTTP clients, the vault, the media tools."""
    allowed = settings.allowed_private_hosts
    media = MediaTools(
        MediaFetcher(allowed_private_hosts=allowed, samples_url=settings.sandbox_url or None),
        Workshop(),
        Shelf(database, settings.public_url) if settings.public_url else None,
    )
    # Few are kept: httpx looks through all idle ones at every request.
    limits = httpx.Limits(max_connections=200, max_keepalive_connections=16)
    async with (
        httpx.AsyncClient(limits=limits, trust_env=False) as http,
        client_of_named_servers(allowed) as named_servers,
    ):
        try:
            yield Desk(
                database=database,
                vault=Vault(settings.encryption_keys),
                http=http,
                named_servers=named_servers,
                media=media,
                servers=servers(settings),
            )
        finally:
            await media.close()


def workers(client: Client, desk: Desk, platforms: Iterable[str]) -> list[Worker]:
    """Return the workers of one process: one for the posts' own queue, one per network."""
    publishing, editing, posts = Publishing(desk), Editing(desk), Posts(desk.database)
    found = [
        Worker(
            client,
            task_queue=POSTS_QUEUE,
            workflows=[PostWorkflow],
            activities=[posts.amend, posts.delete, posts.reopen, posts.give_up, posts.resolve],
            # The sandbox costs every workflow a third more; tests run in it, and replay what was recorded.
            workflow_runner=UnsandboxedWorkflowRunner(),
            interceptors=[LogContext()],
            graceful_shutdown_timeout=GRACE,
            sticky_queue_schedule_to_start_timeout=_STICKY,
            max_concurrent_workflow_tasks=_WORKFLOW_TASKS,
            workflow_task_poller_behavior=PollerBehaviorAutoscaling(minimum=1, initial=4, maximum=20),
        )
    ]
    found.extend(
        Worker(
            client,
            task_queue=queue_of(platform),
            activities=[publishing.prepare, publishing.publish, publishing.confirm, publishing.complete, editing.edit],
            interceptors=[LogContext()],
            graceful_shutdown_timeout=GRACE,
            activity_task_poller_behavior=PollerBehaviorAutoscaling(minimum=1, initial=2, maximum=20),
            max_heartbeat_throttle_interval=timedelta(seconds=5),
        )
        for platform in platforms
    )
    return found


@contextlib.asynccontextmanager
async def running(client: Client, desk: Desk, platforms: Iterable[str] | None = None) -> AsyncIterator[list[Worker]]:
    """Run workers and the chores beside them for the length of the block."""
    async with contextlib.AsyncExitStack() as stack:
        started = workers(client, desk, networks() if platforms is None else platforms)
        for worker in started:
            await stack.enter_async_context(worker)
        posts = PostWorkflows(client)
        chores = [
            asyncio.create_task(sweep_forever(desk.database, posts)),
            asyncio.create_task(Recovery(desk.database, posts, Runs(client)).run()),
            asyncio.create_task(look_after_accounts(desk, posts)),
            asyncio.create_task(follow_zones_forever(desk.database, posts)),
        ]
        try:
            yield started
        finally:
            for chore in chores:
                chore.cancel()
            await asyncio.gather(*chores, return_exceptions=True)
