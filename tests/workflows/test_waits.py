"""What the search attribute WaitsFor says of a post."""

import asyncio

from temporalio.client import WorkflowHandle

from domain.post import TargetStatus
from tests.stack import Stack
from workflows.post import PostWorkflow
from workflows.search_attributes import WAITS_FOR


async def attribute(handle: WorkflowHandle[PostWorkflow, object]) -> str | None:
    return (await handle.describe()).typed_search_attributes.get(WAITS_FOR)


async def becomes(handle: WorkflowHandle[PostWorkflow, object], value: str | None) -> None:
    async with asyncio.timeout(10):
        while await attribute(handle) != value:  # noqa: ASYNC110 nobody tells
            await asyncio.sleep(0.05)


async def test_a_held_post_is_found_until_it_is_published(stack: Stack) -> None:
    account = await stack.revoked("twitter")
    post = await stack.save("found while held", [account])
    handle = await stack.start(post)
    assert await attribute(handle) is None
    await becomes(handle, "account")
    await stack.reconnect(account)
    await stack.settled(post.id)
    await becomes(handle, None)


async def test_a_post_that_needs_a_person_is_found_even_if_another_target_is_held(stack: Stack) -> None:
    await stack.fault("telegram", "accept_then_drop", "publish")
    accounts = [await stack.connect("telegram"), await stack.revoked("twitter")]
    post = await stack.save("a person and an account", accounts)
    handle = await stack.start(post)
    await becomes(handle, "person")
    statuses = {target.platform: target.status for target in (await stack.read(post.id)).targets}
    assert statuses == {"telegram": TargetStatus.UNCONFIRMED, "twitter": TargetStatus.HELD}


async def test_a_post_that_is_published_without_trouble_writes_the_attribute_never(stack: Stack) -> None:
    post = await stack.publish("no trouble", [stack.accounts["plain"]])
    history = await stack.client.get_workflow_handle(post.workflow_id).fetch_history()
    assert all(WAITS_FOR.name not in str(event) for event in history.events)
