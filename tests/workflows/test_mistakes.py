"""A mistake in the workflow's code delays posts until it is fixed, and loses no post."""

from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import select

from domain.plan import Plan
from domain.post import PostStatus
from store.models import Attempt
from tests.stack import Stack
from tests.workflows.scenarios import Handle
from tests.workflows.test_deployed import NONDETERMINISM
from tests.workflows.waiting import events, until
from workflows import steps


async def test_post_is_published_once_corrected_code_is_deployed(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    publish, mistakes = steps.publish_locally, list[str]()

    async def broken(*args: Any) -> Any:
        if not mistakes:
            mistakes.append("made")
            raise KeyError("a mistake of ours")
        return await publish(*args)

    monkeypatch.setattr(steps, "publish_locally", broken)
    post = await stack.publish("held up", [stack.accounts["twitter"]])
    assert post.status == PostStatus.PUBLISHED
    assert len(await stack.public("held up")) == 1
    history = await stack.client.get_workflow_handle(post.workflow_id).fetch_history()
    failed = [event for event in history.events if event.HasField("workflow_task_failed_event_attributes")]
    assert mistakes == ["made"]
    assert len(failed) == 1


@pytest.mark.thorough
async def test_bug_in_one_target_fails_the_workflow_task_until_corrected(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If it failed only after the other target ended, its steps would be in the history and could not be repeated."""
    publish, broken = steps.publish_locally, True

    async def mistaken(plan: Plan, target: Any, deadline: datetime) -> Any:
        if broken and target.account_id == stack.accounts["plain"].id:
            raise KeyError("a mistake of ours")
        return await publish(plan, target, deadline)

    monkeypatch.setattr(steps, "publish_locally", mistaken)
    await stack.fault("instagram", "accept_then_delay", "publish", seconds=3)
    accounts = [stack.accounts["instagram"], stack.accounts["plain"]]
    post = await stack.save("half a mistake", accounts, media=["https://example.com/a.jpg"])
    handle = await stack.start(post)
    await until(lambda: _has_failed(handle), 2.5)
    broken = False
    assert (await stack.settled(post.id)).status == PostStatus.PUBLISHED
    assert len(await stack.public("half a mistake")) == 2
    async with stack.database.transaction() as session:
        ids = [target.id for target in post.targets]
        of_post = select(Attempt.state).where(Attempt.step == "publish", Attempt.target_id.in_(ids))
        sent = sorted(await session.scalars(of_post))
    assert sent == ["done", "done"]
    failures = await events(handle, "workflow_task_failed_event_attributes")
    assert NONDETERMINISM not in {event.workflow_task_failed_event_attributes.cause for event in failures}


async def _has_failed(handle: Handle) -> bool:
    return bool(await events(handle, "workflow_task_failed_event_attributes"))
