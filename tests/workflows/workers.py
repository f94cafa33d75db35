"""Workers of every kind for posts' workflows alone; activities of platforms run as usual."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from temporalio import activity
from temporalio.exceptions import ApplicationError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from activities.commands import TargetCommand
from activities.local_publish import LocalPublish
from activities.options import DECLINED
from activities.posts import PostActivities
from domain.plan import Outcome
from platforms.registry import platforms
from runtime.parts import open_parts
from tests.stack import Stack
from workflows.post import PostWorkflow

# import-linter checks the workflow's imports; loading them again for every post would prove nothing more.
PASSED_THROUGH = SandboxRestrictions.default.with_passthrough_modules(
    "accounts", "activities", "domain", "media", "platforms", "store"
)
SANDBOXED: dict[str, Any] = {"workflow_runner": SandboxedWorkflowRunner(restrictions=PASSED_THROUGH)}
# Without a cache, every task of a workflow begins with a replay of all earlier ones.
UNCACHED: dict[str, Any] = {"workflow_runner": UnsandboxedWorkflowRunner(), "max_cached_workflows": 0}


@activity.defn(name="publish")
async def leave(command: TargetCommand) -> Outcome:
    """Decline a target to its platform's queue, as a worker without a free slot does."""
    raise ApplicationError(f"no room for {command.platform}", type=DECLINED, non_retryable=True)


@asynccontextmanager
async def posts_worker(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, queue: str, workflow: type = PostWorkflow, **how: Any
) -> AsyncIterator[None]:
    """Run posts' workflows on a separate queue, with this code and a worker of this kind."""
    monkeypatch.setattr("workflows.client.post_workflows.POSTS_QUEUE", queue)
    posts = PostActivities(stack.worker_database)
    async with open_parts(stack.settings, stack.worker_database) as parts:
        local_publish = LocalPublish(parts.publishing(), platforms())
        activities: list[Callable[..., Any]] = [
            posts.read_plan,
            posts.reopen,
            posts.write_off,
            posts.give_up,
            local_publish.publish,
        ]
        async with Worker(stack.client, task_queue=queue, workflows=[workflow], activities=activities, **how):
            yield
