"""Versions of workers: Temporal routes workflows to the version that an operator has chosen, and back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from temporalio.api.deployment.v1 import WorkerDeploymentVersion
from temporalio.api.workflowservice.v1 import (
    DescribeWorkerDeploymentVersionRequest,
    SetWorkerDeploymentCurrentVersionRequest,
    SetWorkerDeploymentRampingVersionRequest,
)
from temporalio.client import WorkflowHandle
from temporalio.service import RPCError

from runtime import worker
from runtime.parts import open_parts
from runtime.temporal import open_client
from runtime.worker_options import WorkerOptions
from store.database import Database
from store.models import Post
from store.roles import Component
from tests.databases import url_as
from tests.postgres import postgres_server
from tests.running import running_stack
from tests.stack import Stack
from tests.temporal import temporal_server
from tests.workflows.waiting import until
from workflows.client.post_workflows import PostWorkflows

pytestmark = [pytest.mark.thorough, pytest.mark.timeout(300)]
_DEPLOYMENT = "socialsyncer"


@asynccontextmanager
async def worker_with_build(stack: Stack, build: str) -> AsyncIterator[PostWorkflows]:
    """Run a worker of one build for the length of the block; yield the workflows that this process starts."""
    database = Database(url_as(stack.database_url, Component.WORKER))
    # Of its own, as a process has: two workers of one client may not share a queue.
    client = await open_client(address=str(stack.client.service_client.config.target_host))
    async with open_parts(stack.settings, database) as parts:
        options = WorkerOptions(_DEPLOYMENT, build)
        group = worker.worker_group(client, parts, ["twitter"], worker_options=options)
        async with worker.polling(group, parts):
            yield PostWorkflows(client, eager=not group.has_version)
    await database.close()


class Deployment:
    """The commands of an operator, as `temporal worker deployment` has them."""

    def __init__(self, stack: Stack) -> None:
        self._service = stack.client.workflow_service
        self._namespace = stack.client.namespace

    async def has_build(self, build: str) -> bool:
        """Return whether Temporal has seen a worker of a build."""
        request = DescribeWorkerDeploymentVersionRequest(namespace=self._namespace)
        request.deployment_version.deployment_name = _DEPLOYMENT
        request.deployment_version.build_id = build
        try:
            answer = await self._service.describe_worker_deployment_version(request)
        except RPCError:
            return False
        return len(answer.version_task_queues) >= 3

    async def make_current(self, build: str) -> None:
        """Let new and lasting runs continue on a build."""
        await self._service.set_worker_deployment_current_version(
            SetWorkerDeploymentCurrentVersionRequest(
                namespace=self._namespace, deployment_name=_DEPLOYMENT, build_id=build, identity="operator:tests"
            )
        )

    async def ramp(self, build: str, percentage: float) -> None:
        """Let a share of the runs continue on a build."""
        await self._service.set_worker_deployment_ramping_version(
            SetWorkerDeploymentRampingVersionRequest(
                namespace=self._namespace,
                deployment_name=_DEPLOYMENT,
                build_id=build,
                percentage=percentage,
                identity="operator:tests",
            )
        )


async def build_that_published(stack: Stack, text: str) -> str:
    """Publish a post, and return the build whose worker ran its workflow."""
    post = await stack.publish(text, [stack.accounts["twitter"]])
    return await build_that_ran(stack, post)


async def build_that_sleeps(stack: Stack, workflows: PostWorkflows, text: str) -> str:
    """Start a post that is due later from one worker, and return the build whose worker ran its first task."""
    post = await stack.save(text, [stack.accounts["twitter"]], due_in=timedelta(hours=1))
    await workflows.start(await stack.plan(post))
    return await build_that_ran(stack, post)


async def build_that_ran(stack: Stack, post: Post) -> str:
    handle = stack.client.get_workflow_handle(post.workflow_id)
    async with asyncio.timeout(60):
        # The post is public within the first workflow task; the run has a version when that task has ended.
        while not (build := (await version(handle)).build_id):  # noqa: ASYNC110 Temporal has no event for it
            await asyncio.sleep(0.05)
    return str(build)


async def version(handle: WorkflowHandle[Any, Any]) -> WorkerDeploymentVersion:
    """Return the version that a run follows."""
    description = await handle.describe()
    return description.raw_description.workflow_execution_info.versioning_info.deployment_version


async def test_posts_follow_a_ramp_and_a_rollback() -> None:
    with postgres_server() as server:
        async with temporal_server() as temporal, running_stack(server, temporal) as stack:
            deployment = Deployment(stack)
            async with worker_with_build(stack, "build-1") as by_first:
                await until(lambda: deployment.has_build("build-1"))
                await deployment.make_current("build-1")
                assert await build_that_published(stack, "before the ramp") == "build-1"
                async with worker_with_build(stack, "build-2") as by_second:
                    await until(lambda: deployment.has_build("build-2"))
                    assert await build_that_published(stack, "beside a new build") == "build-1"
                    assert await build_that_sleeps(stack, by_second, "by a new build") == "build-1"
                    await deployment.ramp("build-2", 100)
                    assert await build_that_published(stack, "in the ramp") == "build-2"
                    assert await build_that_sleeps(stack, by_first, "by an old build") == "build-2"
                    await deployment.ramp("", 0)
                    assert await build_that_published(stack, "after the rollback") == "build-1"
