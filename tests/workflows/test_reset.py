"""An operator may reset a post's workflow to any earlier point: what was sent is not sent again."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import WorkflowExecutionStatus, WorkflowHandle

from domain.post import PostStatus, TargetStatus
from tests.stack import Stack
from tests.workflows.resets import reset
from tests.workflows.scenarios import SCENARIOS, comes_to
from workflows.messages import StatusView
from workflows.post import PostWorkflow

WITHOUT_REQUESTS = ("--reapply-exclude", "All")
"""Options that also drop later requests of clients and operators."""


@pytest.fixture
async def stack(stack: Stack) -> AsyncIterator[Stack]:
    """Publish with accounts of this file alone: platforms refuse the text of a scenario that runs elsewhere, too."""
    others = dict(stack.accounts)
    for name, account in others.items():
        stack.accounts[name] = await stack.connect(account.platform, premium=account.premium)
    yield stack
    stack.accounts.update(others)


async def says(handle: WorkflowHandle[Any, Any], expected: StatusView) -> None:
    """Wait until the workflow reports the same state for every target as before."""
    async with asyncio.timeout(60):
        while (await handle.query(PostWorkflow.status)).targets != expected.targets:  # noqa: ASYNC110 there is no event
            await asyncio.sleep(0.1)


@pytest.mark.parametrize(
    ("scenario", "how"),
    [
        ("published_now", ()),
        ("scheduled", WITHOUT_REQUESTS),
        ("amended", ()),
        ("partial_and_retried_by_signal", WITHOUT_REQUESTS),
        ("failed_and_retried_by_update", ()),
        ("unconfirmed_and_found", ()),
        ("unconfirmed_and_resolved", WITHOUT_REQUESTS),
        ("held_and_released", ()),
        ("edited", ()),
    ],
)
async def test_nothing_is_sent_again(stack: Stack, scenario: str, how: tuple[str, ...]) -> None:
    handle = await SCENARIOS[scenario](stack)
    before = await handle.query(PostWorkflow.status)
    public = await stack.control("GET", "posts")
    run = (await handle.describe()).run_id
    await reset(stack, handle, *how)
    assert (await handle.describe()).run_id != run
    await says(handle, before)
    row = await stack.read(before.post_id)
    assert row.status == before.status == PostStatus.PUBLISHED
    assert [target.platform_post_id for target in row.targets] == [target.platform_post_id for target in before.targets]
    assert await stack.control("GET", "posts") == public


async def test_send_open_at_a_reset_is_confirmed_and_not_repeated(stack: Stack) -> None:
    await stack.fault("twitter", "accept_then_delay", "publish", seconds=3)
    post = await stack.save("reset while it was sent", [stack.accounts["plain"]])
    handle = await stack.start(post)

    async def sending() -> bool:
        return (await stack.read(post.id)).targets[0].status == TargetStatus.PUBLISHING

    assert await stack.outcomes.wait(post.id, sending, 10)
    await reset(stack, handle)
    await comes_to(handle, "Open for edits")
    (target,) = (await stack.settled(post.id)).targets
    (public,) = await stack.public("reset while it was sent")
    assert target.platform_post_id == public["platformPostId"]


async def test_a_deleted_post_does_not_come_back(stack: Stack) -> None:
    handle = await SCENARIOS["deleted_once_published"](stack)
    public = await stack.control("GET", "posts")
    await reset(stack, handle, *WITHOUT_REQUESTS)
    await handle.result()
    assert await stack.control("GET", "posts") == public


@pytest.mark.thorough
async def test_reset_workflow_keeps_a_draft(stack: Stack) -> None:
    post = await stack.save("reset to before its doubt", [stack.accounts["plain"]], due_in=timedelta(seconds=10))
    handle = await comes_to(await stack.start(post), "Sleeping")
    await stack.change(post, due=None, draft=True)
    await reset(stack, handle, *WITHOUT_REQUESTS)
    await handle.result()
    assert (await handle.describe()).status is WorkflowExecutionStatus.COMPLETED
    row = await stack.read(post.id)
    assert (row.status, row.targets[0].status) == (PostStatus.DRAFT, TargetStatus.PENDING)
    assert await stack.public("reset to before its doubt") == []
