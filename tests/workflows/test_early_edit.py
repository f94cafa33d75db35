"""An edit may come after the rows say that everything is public, but before the workflow knows it."""

import asyncio
from datetime import UTC, datetime

from temporalio import activity
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.commands import EditCommand, TargetCommand
from activities.options import POSTS_QUEUE, platform_queue
from domain.plan import Outcome, Plan, TargetPlan
from domain.post import TargetStatus
from tests.temporal import temporal_server
from tests.workflows.workers import leave
from workflows.client.post_workflows import PostWorkflows
from workflows.post import PostWorkflow

SLOW = "target_2"


class Platform:
    """A platform's activities, which report the result of one target late."""

    def __init__(self) -> None:
        self.may_report = asyncio.Event()
        self.edited: list[str] = []

    @activity.defn
    async def publish(self, command: TargetCommand) -> Outcome:
        if command.target_id == SLOW:
            await self.may_report.wait()
        return Outcome(status=TargetStatus.PUBLISHED, platform_post_id=command.target_id)

    @activity.defn
    async def edit(self, command: EditCommand) -> Outcome:
        self.edited.append(command.target_id)
        return Outcome(status=TargetStatus.PUBLISHED, platform_post_id=f"{command.target_id}/2")


async def test_published_target_is_edited_before_its_workflow_knows() -> None:
    platform, ids = Platform(), ["target_1", SLOW]
    targets = [TargetPlan(target_id=id_, platform="twitter", account_id=f"acc_{id_}") for id_ in ids]
    plan = Plan(
        post_id="post_1", workspace_id="ws_1", workflow_id="ws_1/now", due_at=datetime.now(UTC), targets=targets
    )
    async with (
        temporal_server() as environment,
        Worker(
            environment.client,
            task_queue=POSTS_QUEUE,
            workflows=[PostWorkflow],
            activities=[leave],
            workflow_runner=UnsandboxedWorkflowRunner(),
        ),
        Worker(environment.client, task_queue=platform_queue("twitter"), activities=[platform.publish, platform.edit]),
    ):
        posts = PostWorkflows(environment.client)
        await posts.start(plan)
        handle = environment.client.get_workflow_handle(plan.workflow_id)
        async with asyncio.timeout(60):
            while (await handle.query("status"))["targets"][0]["status"] != TargetStatus.PUBLISHED:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        await posts.edit(plan, "rev_1", ids)
        platform.may_report.set()
        async with asyncio.timeout(60):
            while platform.edited != ids:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        await handle.terminate()
