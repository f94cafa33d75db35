"""What a client waits for is tried where its workflow runs; what finds no room there goes its network's way."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.client import WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities import at_hand
from activities.at_hand import AtHand
from activities.commands import TargetCommand
from activities.options import LEFT, POSTS_QUEUE, queue_of
from activities.publish import Publishing
from domain.post import PostStatus
from runtime import worker
from store.models import Post
from tests.stack import Stack, running_stack, temporal_server
from tests.workflows.lives import PICTURE
from tests.workflows.rarer_lives import begun
from workflows.post import PostWorkflow

TWITTER = queue_of("twitter")


async def queues(stack: Stack, post: Post) -> list[str]:
    """Return the queues of a post's steps, in their order."""
    handle: WorkflowHandle[object, object] = stack.client.get_workflow_handle(post.workflow_id)
    return [
        event.activity_task_scheduled_event_attributes.task_queue.name
        for event in (await handle.fetch_history()).events
        if event.HasField("activity_task_scheduled_event_attributes")
    ]


async def test_what_a_client_waits_for_is_published_where_its_workflow_runs(stack: Stack) -> None:
    post = await stack.publish("at hand", [stack.accounts["twitter"], stack.accounts["instagram"]], media=PICTURE)
    assert post.status == PostStatus.PUBLISHED
    assert await queues(stack, post) == [POSTS_QUEUE, POSTS_QUEUE]


async def test_what_is_due_goes_its_networks_way(stack: Stack) -> None:
    post = await stack.save("not waited for", [stack.accounts["twitter"]], due_in=timedelta(milliseconds=1))
    await stack.start(post)
    await stack.settled(post.id)
    assert await queues(stack, post) == [TWITTER]


async def test_a_network_that_does_not_answer_takes_no_more_than_its_room(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(at_hand, "ROOM", 1)
    await stack.fault("twitter", "accept_then_delay", "publish", seconds=2)
    hanging = await stack.save("hangs", [stack.accounts["twitter"]])
    await stack.start(hanging)
    await begun(stack.client.get_workflow_handle(hanging.workflow_id), "publish")
    accounts = [await stack.connect("twitter"), stack.accounts["instagram"]]
    another = await stack.publish("another", accounts, media=PICTURE)
    assert [target.status for target in another.targets] == ["published", "published"]
    assert sorted(await queues(stack, another)) == sorted([POSTS_QUEUE, POSTS_QUEUE, TWITTER])
    assert len(await stack.public("another")) == 2
    await stack.settled(hanging.id)
    assert len(await stack.public("hangs")) == 1


async def test_what_is_refused_for_now_is_tried_again_there(stack: Stack) -> None:
    await stack.fault("twitter", "rate_limited", "publish", seconds=1)
    post = await stack.publish("once more", [stack.accounts["twitter"]])
    assert post.status == PostStatus.PUBLISHED
    assert await queues(stack, post) == [POSTS_QUEUE]
    assert len(await stack.public("once more")) == 1


async def test_what_a_worker_does_not_serve_it_leaves_alone(stack: Stack) -> None:
    async with worker.desk(stack.settings, stack.worker_database) as desk:
        step = AtHand(Publishing(desk), ["bluesky"])
        command = TargetCommand(post_id="post_1", version=1, target_id="target_1", platform="twitter")
        with pytest.raises(ApplicationError) as caught:
            await ActivityEnvironment().run(step.publish, command)
    assert (caught.value.type, caught.value.non_retryable) == (LEFT, True)


class TestWhereNobodyTakesIt:
    @pytest.fixture
    async def alone(self, postgres_url: str) -> AsyncIterator[Stack]:
        async with (
            temporal_server() as environment,
            running_stack(postgres_url, environment) as stack,
            worker.desk(stack.settings, stack.worker_database) as desk,
            Worker(
                stack.client,
                task_queue=POSTS_QUEUE,
                workflows=[PostWorkflow],
                workflow_runner=UnsandboxedWorkflowRunner(),
            ),
            Worker(stack.client, task_queue=TWITTER, activities=[Publishing(desk).publish]),
        ):
            yield stack

    async def test_it_goes_its_networks_way(self, alone: Stack) -> None:
        post = await alone.publish("nobody near", [alone.accounts["twitter"]])
        assert post.status == PostStatus.PUBLISHED
        assert await queues(alone, post) == [POSTS_QUEUE, TWITTER]
        assert len(await alone.public("nobody near")) == 1


class TestWhereOneNetworkFillsTheRoom:
    @pytest.fixture
    async def small(self, postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stack]:
        monkeypatch.setattr(at_hand, "ROOM", 1)
        async with (
            temporal_server() as environment,
            running_stack(postgres_url, environment) as stack,
            worker.desk(stack.settings, stack.worker_database) as desk,
            worker.running(stack.client, desk, worker.team(stack.client, desk, ["twitter"])),
        ):
            yield stack

    async def test_a_change_does_not_wait_for_it(self, small: Stack) -> None:
        await small.fault("twitter", "accept_then_delay", "publish", seconds=5)
        hanging = await small.save("fills the room", [small.accounts["twitter"]])
        await small.start(hanging)
        await begun(small.client.get_workflow_handle(hanging.workflow_id), "publish")
        post = await small.save("changed meanwhile", [small.accounts["plain"]], due_in=timedelta(hours=5))
        async with asyncio.timeout(3):
            await small.change(post, due=datetime.now(UTC) + timedelta(hours=6))
        assert (await small.settled(hanging.id)).status == PostStatus.PUBLISHED
