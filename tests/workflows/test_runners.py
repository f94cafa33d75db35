"""The same workflow under other conditions than production's: in Temporal's sandbox, and replayed at every step."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from temporalio.worker import UnsandboxedWorkflowRunner, Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from activities.posts import Posts
from tests.stack import Stack
from tests.workflows import lives
from workflows.post import PostWorkflow

# What the workflow may import is kept by import-linter; loading it anew for every post would prove nothing more.
PASSED_THROUGH = SandboxRestrictions.default.with_passthrough_modules("activities", "domain", "platforms", "store")
SANDBOXED: dict[str, Any] = {"workflow_runner": SandboxedWorkflowRunner(restrictions=PASSED_THROUGH)}
# Without a cache, every step of a workflow begins with a replay of all before it.
UNCACHED: dict[str, Any] = {"workflow_runner": UnsandboxedWorkflowRunner(), "max_cached_workflows": 0}


@asynccontextmanager
async def posts_worker(stack: Stack, monkeypatch: pytest.MonkeyPatch, queue: str, **how: Any) -> AsyncIterator[None]:
    """Have posts' workflows run on a queue of their own, by a worker of this kind; networks are served as ever."""
    monkeypatch.setattr("workflows.client.POSTS_QUEUE", queue)
    posts = Posts(stack.database)
    activities: list[Callable[..., Any]] = [posts.amend, posts.delete, posts.reopen, posts.give_up, posts.resolve]
    async with Worker(stack.client, task_queue=queue, workflows=[PostWorkflow], activities=activities, **how):
        yield


@pytest.mark.parametrize(
    "life", [lives.published_now, lives.partial_and_retried_by_signal, lives.amended], ids=lambda life: life.__name__
)
async def test_it_lives_in_temporals_sandbox(stack: Stack, monkeypatch: pytest.MonkeyPatch, life: lives.Life) -> None:
    async with posts_worker(stack, monkeypatch, "posts-sandboxed", **SANDBOXED):
        handle = await life(stack)
        assert (await handle.query("status"))["status"] == "published"


@pytest.mark.parametrize(
    "life",
    [lives.scheduled_with_media_soon, lives.unclear_and_found, lives.failed_and_retried_by_update, lives.edited],
    ids=lambda life: life.__name__,
)
async def test_it_lives_without_a_cache(stack: Stack, monkeypatch: pytest.MonkeyPatch, life: lives.Life) -> None:
    async with posts_worker(stack, monkeypatch, "posts-uncached", **UNCACHED):
        handle = await life(stack)
        assert (await handle.query("status"))["status"] == "published"
