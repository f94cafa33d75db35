"""Many posts are due together: they are public before they are reported, and posts of clients are not behind them."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC

import pytest
from temporalio.client import WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities import local_publish, task_slots
from activities.commands import TargetCommand
from activities.local_publish import LocalPublish
from activities.options import DECLINED
from domain.plan import Outcome
from domain.post import TargetStatus
from runtime.parts import open_parts
from tests.stack import Stack
from tests.workflows.test_local_publish import WITHIN, over, ways


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Raise the time limit of a local publish, so that a busy machine does not change where a step runs."""
    monkeypatch.setattr(local_publish, "LOCAL_LIMIT_S", 60)


async def test_crowd_is_public_before_it_is_reported(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_publish, "_CROWD", 0)
    monkeypatch.setattr(task_slots, "_CALM_S", 2)
    first = await stack.save("the first", [stack.accounts["twitter"], await stack.connect("bluesky")])
    await stack.start(first)
    await stack.settled(first.id)
    last = await stack.publish("the last", [stack.accounts["twitter"]])
    await over(stack, first)
    handle: WorkflowHandle[object, object] = stack.client.get_workflow_handle(first.workflow_id)
    reported = [
        event.event_time.ToDatetime(UTC)
        for event in (await handle.fetch_history()).events
        if event.HasField("marker_recorded_event_attributes")
    ]
    published_at = last.targets[0].published_at
    assert len(reported) == 2
    assert published_at is not None
    assert published_at < min(reported)
    assert await ways(stack, first) == [WITHIN, WITHIN]


class TestTurns:
    """Steps of one platform take turns, so that those that clients wait for are not behind a crowd."""

    @pytest.fixture
    async def one_turn(self, stack: Stack, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[LocalPublish]:
        monkeypatch.setattr(local_publish, "TURNS", 1)
        monkeypatch.setattr(local_publish, "_TURN_S", 0.2)
        async with open_parts(stack.settings, stack.worker_database) as parts:
            yield LocalPublish(parts.publishing(), ["twitter"])

    async def test_urgent_step_needs_none_and_others_wait_for_a_moment(
        self, stack: Stack, one_turn: LocalPublish
    ) -> None:
        account = stack.accounts["twitter"]
        await stack.fault("twitter", "accept_then_delay", "publish", seconds=2, accountId=account.id)

        async def publish(text: str, *, urgent: bool) -> Outcome:
            post = await stack.save(text, [account if text == "has the turn" else await stack.connect("twitter")])
            command = TargetCommand(
                post_id=post.id,
                version=post.version,
                target_id=post.targets[0].id,
                platform="twitter",
                urgent=urgent,
            )
            environment = ActivityEnvironment()
            environment.info = replace(environment.info, is_local=True)
            return await environment.run(one_turn.publish, command)

        first = asyncio.create_task(publish("has the turn", urgent=False))
        await asyncio.sleep(0.3)
        with pytest.raises(ApplicationError) as declined:
            await publish("in the crowd", urgent=False)
        assert declined.value.type == DECLINED
        assert (await publish("a client waits", urgent=True)).status == TargetStatus.PUBLISHED
        assert not first.done()
        assert (await first).status == TargetStatus.PUBLISHED
        assert (await publish("after it", urgent=False)).status == TargetStatus.PUBLISHED
