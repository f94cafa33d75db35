"""Scenarios in which an operator cancels, signals or ends steps by hand."""

from datetime import timedelta

from sqlalchemy import delete
from temporalio.exceptions import ApplicationError

from store.models import Post
from tests.stack import Stack
from tests.workflows.scenarios import (
    PICTURE,
    WORDS,
    Handle,
    begun,
    comes_to,
    has_status,
    is_tried_again,
    scenario,
    until,
)
from workflows.messages import EditRequest


async def fail_by_operator(stack: Stack, handle: Handle, activity: str) -> None:
    """Fail a running step as an operator does with `temporal activity fail`."""
    step = stack.client.get_async_activity_handle(
        workflow_id=handle.id, run_id=None, activity_id=await begun(handle, activity)
    )
    await step.fail(ApplicationError("ended by an operator", non_retryable=True))


@scenario
async def confirm_ended_by_an_operator(stack: Stack) -> Handle:
    await stack.fault("twitter", "accept_then_drop", "publish")
    await stack.fault("twitter", "reject", "confirm", status=503, hold=60)
    post = await stack.save(f"{WORDS} a long look", [stack.accounts["plain"]])
    handle = await stack.start(post)
    await fail_by_operator(stack, handle, "confirm")
    return await comes_to(handle, "Open for edits")


@scenario
async def complete_ended_by_an_operator(stack: Stack) -> Handle:
    await stack.fault("instagram", "rate_limited", "confirm", seconds=1)
    await stack.fault("instagram", "rate_limited", "confirm", hold=60)
    post = await stack.save(f"{WORDS} no address at all", [stack.accounts["instagram"]], media=PICTURE)
    handle = await stack.start(post)
    await fail_by_operator(stack, handle, "complete")
    return await comes_to(handle, "Done")


@scenario
async def edit_ended_by_an_operator(stack: Stack) -> Handle:
    post = await stack.save(f"{WORDS} a slip that stays", [stack.accounts["twitter"]])
    handle = await comes_to(await stack.start(post), "Open for edits")
    await stack.fault("twitter", "reject", "edit", status=503, hold=60)
    published = await stack.read(post.id)
    revision_id = await stack.new_text(published, f"{WORDS} no slip that stays")
    await stack.workflows.edit(await stack.plan(published), revision_id)
    await fail_by_operator(stack, handle, "edit")
    return await comes_to(handle, "Open for edits")


@scenario
async def cancelled_while_publishing(stack: Stack) -> Handle:
    await stack.fault("twitter", "accept_then_delay", "publish", seconds=60)
    accounts = [stack.accounts["instagram"], stack.accounts["plain"]]
    post = await stack.save(f"{WORDS} too late", accounts, media=PICTURE)
    handle = await stack.start(post)
    await has_status(handle, 0, "published")
    await begun(handle, "publish")
    await handle.cancel()
    return await comes_to(handle, "Cancelled")


@scenario
async def cancelled_before_it_is_tried_again(stack: Stack) -> Handle:
    await stack.fault("twitter", "rate_limited", "publish", seconds=8)
    post = await stack.save(f"{WORDS} a second thought", [stack.accounts["plain"]])
    handle = await stack.start(post)
    await until(lambda: is_tried_again(handle))
    await handle.cancel()
    return await comes_to(handle, "Cancelled")


@scenario
async def cancelled_while_completing(stack: Stack) -> Handle:
    await stack.fault("instagram", "rate_limited", "confirm", seconds=1)
    await stack.fault("instagram", "rate_limited", "confirm", hold=60)
    post = await stack.save(f"{WORDS} an address too late", [stack.accounts["instagram"]], media=PICTURE)
    handle = await stack.start(post)
    await begun(handle, "complete")
    await handle.cancel()
    return await comes_to(handle, "Cancelled")


@scenario
async def edited_by_signal_twice(stack: Stack) -> Handle:
    post = await stack.save(f"{WORDS} a typo", [stack.accounts["twitter"]])
    handle = await comes_to(await stack.start(post), "Open for edits")
    published = await stack.read(post.id)
    request = EditRequest(revision_id=await stack.new_text(published, f"{WORDS} no typo"))
    await handle.signal("edit", request)
    await handle.signal("edit", request)

    async def edited() -> bool:
        return bool((await stack.read(post.id)).targets[0].edit_history)

    await until(edited)
    return await comes_to(handle, "Open for edits")


@scenario
async def retried_while_confirming(stack: Stack) -> Handle:
    await stack.fault("twitter", "accept_then_drop", "publish")
    await stack.fault("twitter", "reject", "confirm", status=503)
    post = await stack.save(f"{WORDS} impatience", [stack.accounts["plain"]])
    handle = await stack.start(post)
    await has_status(handle, 0, "unconfirmed")
    await handle.signal("retry")
    await handle.signal("edit", EditRequest(revision_id="rev_of_nothing"))
    return await comes_to(handle, "Open for edits")


@scenario
async def resolved_while_publishing(stack: Stack) -> Handle:
    await stack.fault("twitter", "accept_then_drop", "publish")
    await stack.fault("twitter", "reject", "confirm", status=503, hold=60)
    await stack.fault("instagram", "accept_then_delay", "publish", seconds=8)
    accounts = [stack.accounts["instagram"], stack.accounts["plain"]]
    post = await stack.save(f"{WORDS} a quick witness", accounts, media=PICTURE)
    handle = await stack.start(post)
    await begun(handle, "confirm")
    seen = await stack.read(post.id)
    await stack.resolve(seen, None, published=False, target=1)
    return await comes_to(handle, "Open for a retry")


@scenario
async def released_without_effect_and_deleted(stack: Stack) -> Handle:
    post = await stack.save(f"{WORDS} a shut door", [await stack.revoked("twitter")])
    handle = await comes_to(await stack.start(post), "Held")
    await handle.signal("release")
    await has_status(handle, 0, "held")
    await stack.delete(await stack.read(post.id))
    return await comes_to(handle, "Deleted")


@scenario
async def cancelled_once_deleted(stack: Stack) -> Handle:
    post = await stack.save(f"{WORDS} nobody at all", [stack.accounts["plain"]], due_in=timedelta(hours=5))
    handle = await comes_to(await stack.start(post), "Sleeping")
    async with stack.database.transaction() as session:
        await session.execute(delete(Post).where(Post.id == post.id))
    await handle.cancel()
    return await comes_to(handle, "Deleted")


@scenario
async def cancelled_once_a_draft(stack: Stack) -> Handle:
    post = await stack.save(f"{WORDS} nothing yet", [stack.accounts["plain"]], due_in=timedelta(hours=5))
    handle = await comes_to(await stack.start(post), "Sleeping")
    await stack.write_change(post, due=None, draft=True)
    await handle.cancel()
    return await comes_to(handle, "Taken off the schedule")


@scenario
async def refused_for_now_and_retried_by_signal(stack: Stack) -> Handle:
    await stack.fault("twitter", "rate_limited", "publish", seconds=60)
    post = await stack.save(f"{WORDS} a busy hour", [stack.accounts["plain"]])
    handle = await comes_to(await stack.start(post), "Refused for now")
    await handle.signal("retry")
    return await comes_to(handle, "Open for edits")


@scenario
async def cancelled_while_confirming(stack: Stack) -> Handle:
    await stack.fault("twitter", "accept_then_drop", "publish")
    await stack.fault("twitter", "reject", "confirm", status=503, hold=60)
    post = await stack.save(f"{WORDS} a long search", [stack.accounts["plain"]])
    handle = await stack.start(post)
    await begun(handle, "confirm")
    await handle.cancel()
    return await comes_to(handle, "Cancelled")


@scenario
async def cancelled_while_a_confirm_ends(stack: Stack) -> Handle:
    await stack.fault("twitter", "accept_then_drop", "publish")
    await stack.fault("twitter", "reject", "confirm", status=503, hold=2)
    post = await stack.save(f"{WORDS} a short search", [stack.accounts["plain"]])
    handle = await stack.start(post)
    await begun(handle, "confirm")
    await handle.cancel()
    return await comes_to(handle, "Cancelled")
