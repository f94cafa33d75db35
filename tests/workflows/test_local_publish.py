"""A target is published within its workflow's task if that is quick; otherwise, or without a free slot, by a step."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update
from temporalio.activity import ActivityCancellationDetails
from temporalio.client import WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities import local_publish
from activities.commands import TargetCommand
from activities.local_publish import LocalPublish
from activities.options import DECLINED, POSTS_QUEUE, platform_queue
from activities.publish import Publishing
from domain.plan import Outcome
from domain.post import PostStatus, TargetStatus
from runtime import worker
from runtime.parts import open_parts
from runtime.temporal import open_client
from store.models import Attempt, Post, Target
from tests.running import running_stack
from tests.stack import Stack
from tests.temporal import temporal_server
from tests.workflows.scenarios import PICTURE, begun, comes_to
from workflows.post import PostWorkflow

TWITTER = platform_queue("twitter")
WITHIN = "within the workflow's task"
SAME_WORKER = "the queue of the worker that began it"


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Raise the time limit of a local publish, so that a busy machine does not change where a step runs."""
    monkeypatch.setattr(local_publish, "LOCAL_LIMIT_S", 60)


async def ways(stack: Stack, post: Post) -> list[str]:
    """Return where a post's steps ran, in their order: within its workflow's task, or on which queue."""
    handle: WorkflowHandle[object, object] = stack.client.get_workflow_handle(post.workflow_id)
    recorded = list[str]()
    for event in (await handle.fetch_history()).events:
        if event.HasField("activity_task_scheduled_event_attributes"):
            queue = event.activity_task_scheduled_event_attributes.task_queue.name
            recorded.append(SAME_WORKER if queue.startswith(f"{POSTS_QUEUE}-") else queue)
        if event.HasField("marker_recorded_event_attributes"):
            recorded.append(WITHIN)
    return recorded


async def attempts(stack: Stack, post: Post) -> list[tuple[str, str]]:
    """Return the step and the result of each attempt at a post's only target."""
    query = select(Attempt).where(Attempt.target_id == post.targets[0].id).order_by(Attempt.id)
    async with stack.database.transaction() as session:
        return [(attempt.step, attempt.state) for attempt in await session.scalars(query)]


async def over(stack: Stack, post: Post) -> None:
    """Wait until a post's workflow also knows that the post is published."""
    await comes_to(stack.client.get_workflow_handle(post.workflow_id), "Open for edits")


async def test_awaited_post_is_published_within_the_workflow_task(stack: Stack) -> None:
    accounts = [stack.accounts["twitter"], stack.accounts["instagram"]]
    post = await stack.publish("within the task", accounts, media=PICTURE)
    assert post.status == PostStatus.PUBLISHED
    await over(stack, post)
    assert await ways(stack, post) == [WITHIN, WITHIN]


async def test_due_and_ready_post_is_published_within_the_workflow_task(stack: Stack) -> None:
    post = await stack.save("due and ready", [stack.accounts["twitter"]], due_in=timedelta(milliseconds=1))
    await stack.start(post)
    await stack.settled(post.id)
    await over(stack, post)
    assert await ways(stack, post) == [WITHIN]


async def test_unresponsive_platform_uses_only_its_local_slots(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_publish, "SLOTS", 1)
    monkeypatch.setattr(local_publish, "LOCAL_LIMIT_S", 0.1)
    await stack.fault("twitter", "accept_then_delay", "publish", seconds=4)
    hanging = await stack.save("hangs", [stack.accounts["twitter"]])
    await stack.start(hanging)
    await begun(stack.client.get_workflow_handle(hanging.workflow_id), "publish")
    another = await stack.save("another", [await stack.connect("twitter")])
    await stack.start(another)
    await stack.settled(another.id)
    await over(stack, another)
    assert await ways(stack, another) == [WITHIN, TWITTER]
    assert len(await stack.public("another")) == 1
    await stack.settled(hanging.id)
    await over(stack, hanging)
    assert await ways(stack, hanging) == [WITHIN, SAME_WORKER]


async def test_a_slow_local_activity_continues_as_an_activity_and_sends_once(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_publish, "LOCAL_LIMIT_S", 0.1)
    await stack.fault("twitter", "accept_then_delay", "publish", seconds=2)
    post = await stack.publish("takes its time", [stack.accounts["twitter"]])
    assert post.status == PostStatus.PUBLISHED
    await over(stack, post)
    assert await ways(stack, post) == [WITHIN, SAME_WORKER]
    assert len(await stack.public("takes its time")) == 1
    assert await attempts(stack, post) == [("publish", "done")]


@pytest.mark.usefixtures("no_read_lag")
async def test_temporary_refusal_is_retried_after_the_platforms_wait(stack: Stack) -> None:
    await stack.fault("twitter", "rate_limited", "publish", seconds=2)
    began = datetime.now(UTC)
    post = await stack.publish("once more", [stack.accounts["twitter"]])
    assert post.status == PostStatus.PUBLISHED
    assert datetime.now(UTC) - began >= timedelta(seconds=2)
    await over(stack, post)
    assert await ways(stack, post) == [WITHIN, SAME_WORKER]
    assert await attempts(stack, post) == [("publish", "refused"), ("confirm", "done"), ("publish", "done")]


@pytest.mark.parametrize("local", [True, False])
async def test_worker_leaves_unserved_platforms_alone(stack: Stack, *, local: bool) -> None:
    async with open_parts(stack.settings, stack.worker_database) as parts:
        step = LocalPublish(parts.publishing(), ["bluesky"])
        command = TargetCommand(post_id="post_1", version=1, target_id="target_1", platform="twitter")
        environment = ActivityEnvironment()
        environment.info = replace(environment.info, is_local=local)
        with pytest.raises(ApplicationError) as caught:
            await environment.run(step.publish, command)
    assert (caught.value.type, caught.value.non_retryable) == (DECLINED, True)


class TestUnjoinedLocalStep:
    @pytest.fixture
    async def alone(self, postgres_url: str) -> AsyncIterator[Stack]:
        async with (
            temporal_server() as environment,
            running_stack(postgres_url, environment) as stack,
            open_parts(stack.settings, stack.worker_database) as parts,
            Worker(
                stack.client,
                task_queue=POSTS_QUEUE,
                workflows=[PostWorkflow],
                activities=[LocalPublish(parts.publishing(), []).publish],
                workflow_runner=UnsandboxedWorkflowRunner(),
            ),
            Worker(stack.client, task_queue=TWITTER, activities=[parts.publishing().publish]),
        ):
            yield stack

    async def test_continues_on_the_platforms_queue(self, alone: Stack) -> None:
        post = await alone.publish("nobody near", [alone.accounts["twitter"]])
        assert post.status == PostStatus.PUBLISHED
        await over(alone, post)
        assert await ways(alone, post) == [WITHIN, TWITTER]
        assert len(await alone.public("nobody near")) == 1


class TestSeveralWorkers:
    """Two worker processes share every queue."""

    @pytest.fixture
    async def shared(self, postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stack]:
        monkeypatch.setattr(local_publish, "LOCAL_LIMIT_S", 0.1)
        async with (
            temporal_server() as environment,
            running_stack(postgres_url, environment) as stack,
            open_parts(stack.settings, stack.worker_database) as first,
            open_parts(stack.settings, stack.worker_database) as second,
        ):
            client = await open_client(address=stack.client.service_client.config.target_host)
            async with (
                worker.running_workers(stack.client, first, worker.worker_group(stack.client, first, ["telegram"])),
                worker.running_workers(client, second, worker.worker_group(client, second, ["telegram"])),
            ):
                yield stack

    @pytest.mark.thorough
    async def test_slow_sends_are_continued_by_the_worker_that_began_them(self, shared: Stack) -> None:
        """Another worker would take their worker for lost, and Telegram cannot report which posts became public."""
        await shared.fault("telegram", "accept_then_delay", "publish", seconds=2, times=8)
        post = await shared.save("slow", [await shared.connect("telegram") for _ in range(8)])
        await shared.start(post)
        assert (await shared.settled(post.id, 60)).status == PostStatus.PUBLISHED
        async with shared.database.transaction() as session:
            states = [(attempt.step, attempt.state, attempt.code) for attempt in await session.scalars(select(Attempt))]
        assert states == [("publish", "done", None)] * 8


class TestFullLocalSlots:
    @pytest.fixture
    async def small(self, postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stack]:
        monkeypatch.setattr(local_publish, "SLOTS", 1)
        monkeypatch.setattr(local_publish, "LOCAL_LIMIT_S", 0.1)
        async with (
            temporal_server() as environment,
            running_stack(postgres_url, environment) as stack,
            open_parts(stack.settings, stack.worker_database) as parts,
            worker.running_workers(stack.client, parts, worker.worker_group(stack.client, parts, ["twitter"])),
        ):
            yield stack

    @pytest.mark.thorough
    async def test_change_is_not_delayed(self, small: Stack) -> None:
        await small.fault("twitter", "accept_then_delay", "publish", seconds=5)
        hanging = await small.save("fills the room", [small.accounts["twitter"]])
        await small.start(hanging)
        await begun(small.client.get_workflow_handle(hanging.workflow_id), "publish")
        post = await small.save("changed meanwhile", [small.accounts["plain"]], due_in=timedelta(hours=5))
        async with asyncio.timeout(3):
            await small.change(post, due=datetime.now(UTC) + timedelta(hours=6))
        assert (await small.settled(hanging.id)).status == PostStatus.PUBLISHED


@pytest.mark.thorough
async def test_a_send_that_an_operator_cancels_is_waited_for(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """The step heartbeats meanwhile: otherwise Temporal would time it out, and its result would be lost."""
    monkeypatch.setattr(local_publish, "LOCAL_LIMIT_S", 0.1)
    await stack.fault("twitter", "accept_then_delay", "publish", seconds=18)
    post = await stack.save("cancelled while it goes on", [stack.accounts["twitter"]])
    handle = await stack.start(post)
    await begun(handle, "publish")
    await handle.cancel()
    assert (await stack.settled(post.id, 60)).status == PostStatus.PUBLISHED
    await comes_to(handle, "Cancelled")
    (target,) = (await stack.read(post.id)).targets
    assert (target.status, target.error_code) == (TargetStatus.PUBLISHED, None)


class TestTimedOutLocalStep:
    """Temporal was unavailable for longer than a heartbeat time-out, while the request was under way."""

    @pytest.fixture
    async def publishing(self, stack: Stack) -> AsyncIterator[Publishing]:
        async with open_parts(stack.settings, stack.worker_database) as parts:
            yield parts.publishing()

    async def sent(self, stack: Stack, text: str) -> tuple[Post, TargetCommand]:
        """Save a post whose platform accepts it, and responds two seconds late."""
        account = stack.accounts["twitter"]
        await stack.fault("twitter", "accept_then_delay", "publish", seconds=2, accountId=account.id)
        post = await stack.save(text, [account])
        return post, TargetCommand(
            post_id=post.id, version=post.version, target_id=post.targets[0].id, platform="twitter"
        )

    async def begin(
        self, stack: Stack, post: Post, step: Callable[[TargetCommand], Awaitable[Outcome]], command: TargetCommand
    ) -> tuple[ActivityEnvironment, asyncio.Task[Outcome]]:
        environment = ActivityEnvironment()
        running = asyncio.ensure_future(environment.run(step, command))
        async with asyncio.timeout(60):
            while await attempts(stack, post) != [("publish", "sending")]:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        return environment, running

    async def test_response_is_awaited_and_kept(self, stack: Stack, publishing: Publishing) -> None:
        post, command = await self.sent(stack, "temporal was away")
        environment, running = await self.begin(stack, post, publishing.publish, command)
        environment.cancel(ActivityCancellationDetails(timed_out=True))
        assert (await running).status == TargetStatus.PUBLISHED
        assert await attempts(stack, post) == [("publish", "done")]

    async def test_next_try_joins_the_running_step(
        self, stack: Stack, publishing: Publishing, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        post, command = await self.sent(stack, "temporal was away, and asks again")
        step = LocalPublish(publishing, ["twitter"])
        assert step.recent() == 0
        environment, running = await self.begin(stack, post, step.publish, command)
        assert step.recent() == 1
        environment.cancel(ActivityCancellationDetails(timed_out=True))
        with pytest.raises(asyncio.CancelledError):
            await running
        assert (await ActivityEnvironment().run(step.publish, command)).status == TargetStatus.PUBLISHED
        assert await attempts(stack, post) == [("publish", "done")]
        monkeypatch.setattr(local_publish, "_RECENT_S", 600.0)
        assert step.recent() == 1
        monkeypatch.setattr(local_publish, "_RECENT_S", 0.0)
        assert step.recent() == 0

    async def test_platforms_queue_joins_a_step_of_this_process(self, stack: Stack, publishing: Publishing) -> None:
        post, command = await self.sent(stack, "the worker was too busy to continue it")
        step = LocalPublish(publishing, ["twitter"])
        _, running = await self.begin(stack, post, step.publish, command)
        assert (await ActivityEnvironment().run(step.publish_from_queue, command)).status == TargetStatus.PUBLISHED
        assert (await running).status == TargetStatus.PUBLISHED
        assert await attempts(stack, post) == [("publish", "done")]

    async def test_a_try_whose_heartbeats_were_lost_is_joined(self, stack: Stack, publishing: Publishing) -> None:
        post, command = await self.sent(stack, "temporal missed the heartbeats")
        step = LocalPublish(publishing, [])
        environment, running = await self.begin(stack, post, step.publish_from_queue, command)
        environment.cancel(ActivityCancellationDetails(timed_out=True))
        with pytest.raises(asyncio.CancelledError):
            await running
        assert (await ActivityEnvironment().run(step.publish_from_queue, command)).status == TargetStatus.PUBLISHED
        assert await attempts(stack, post) == [("publish", "done")]

    async def test_a_later_try_reads_the_rows_again(
        self, stack: Stack, publishing: Publishing, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Its account may work again since the result was found out, and be released in the row."""
        monkeypatch.setattr(local_publish, "LOCAL_LIMIT_S", 0.1)
        post, command = await self.sent(stack, "ended before the next try")
        step, first = LocalPublish(publishing, ["twitter"]), ActivityEnvironment()
        first.info = replace(first.info, is_local=True)
        with pytest.raises(ApplicationError):
            await first.run(step.publish, command)
        await stack.settled(post.id)
        later = ActivityEnvironment()
        later.info = replace(later.info, attempt=2)
        async with stack.database.transaction() as session:
            await session.execute(
                update(Target).where(Target.post_id == post.id).values(platform_post_url="https://a/")
            )
        assert (await later.run(step.publish, command)).platform_post_url == "https://a/"

    async def test_a_step_that_hangs_is_begun_again(
        self, stack: Stack, publishing: Publishing, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(local_publish, "STEP_TIMEOUT", timedelta(seconds=1.5))
        post, command = await self.sent(stack, "hangs for half an hour")
        step = LocalPublish(publishing, ["twitter"])
        _, running = await self.begin(stack, post, step.publish_from_queue, command)
        with pytest.raises(asyncio.CancelledError):
            await running
        assert await attempts(stack, post) == [("publish", "sending")]
        again = await ActivityEnvironment().run(step.publish_from_queue, command)
        assert again.status == TargetStatus.UNCONFIRMED

    async def test_stopping_worker_leaves_the_step_to_another(self, stack: Stack, publishing: Publishing) -> None:
        post, command = await self.sent(stack, "the worker stops")
        environment, running = await self.begin(stack, post, publishing.publish, command)
        environment.cancel(ActivityCancellationDetails(worker_shutdown=True))
        with pytest.raises(asyncio.CancelledError):
            await running
        assert await attempts(stack, post) == [("publish", "sending")]
