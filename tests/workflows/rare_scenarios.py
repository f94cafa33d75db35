"""Scenarios of few posts: late failures, held targets, and workers without free slots."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import update
from temporalio.exceptions import ApplicationError

from activities import local_publish
from domain.content import TargetContent
from store.models import Post
from tests.stack import Stack
from tests.workflows.scenarios import (
    PICTURE,
    REFUSAL,
    WORDS,
    Handle,
    begun,
    comes_to,
    has_status,
    is_tried_again,
    scenario,
    scenario_on,
    until,
)
from workflows.messages import EditRequest


@scenario
async def refused_until_stale(stack: Stack) -> Handle:
    await stack.fault("twitter", "rate_limited", "publish", seconds=1, times=50)
    post = await stack.save(f"{WORDS} a busy line", [stack.accounts["plain"]])
    async with stack.database.transaction() as session:
        await session.execute(update(Post).where(Post.id == post.id).values(publish_within=4))
    return await comes_to(await stack.start(await stack.read(post.id)), "Open for a retry")


@scenario_on(hurries=True)
async def unconfirmed_for_a_day(stack: Stack) -> Handle:
    await stack.fault("twitter", "accept_then_drop", "publish")
    await stack.fault("twitter", "reject", "confirm", status=503, times=50)
    post = await stack.save(f"{WORDS} a riddle", [stack.accounts["plain"]])
    handle = await stack.start(post)
    await handle.result()
    return handle


@scenario
async def changed_while_held(stack: Stack) -> Handle:
    post = await stack.save(f"{WORDS} another door", [await stack.revoked("twitter")])
    handle = await comes_to(await stack.start(post), "Held")
    held = await stack.read(post.id)
    await stack.change(held, due=datetime.now(UTC) + timedelta(seconds=4), content=f"{WORDS} a later door")
    await comes_to(handle, "Sleeping")
    await comes_to(handle, "Held")
    await stack.delete(await stack.read(post.id))
    return await comes_to(handle, "Deleted")


@scenario
async def amended_while_prepared(stack: Stack) -> Handle:
    """One target keeps its picture, the other loses it while both are prepared."""
    await stack.fault("instagram", "rate_limited", "prepare", hold=60)
    accounts = [stack.accounts["instagram"], stack.accounts["plain"]]
    post = await stack.save(f"{WORDS} a first thought", accounts, due_in=timedelta(seconds=90), media=PICTURE)
    handle = await stack.start(post)
    await begun(handle, "prepare")
    targets = [
        TargetContent(
            platform=account.platform, account_id=account.id, custom_media=[] if account.platform == "twitter" else None
        )
        for account in accounts
    ]
    due = datetime.now(UTC) + timedelta(seconds=4)
    await stack.change(post, due=due, content=f"{WORDS} a second thought", targets=targets)
    return await comes_to(handle, "Open for edits")


@scenario
async def retried_beside_a_held_target(stack: Stack) -> Handle:
    await stack.fault("instagram", "reject", "publish", **REFUSAL)
    held = await stack.revoked("twitter")
    post = await stack.save(f"{WORDS} two troubles", [stack.accounts["instagram"], held], media=PICTURE)
    handle = await stack.start(post)
    await has_status(handle, 0, "failed")
    await has_status(handle, 1, "held")
    await stack.retry(await stack.read(post.id))
    await has_status(handle, 0, "published")
    await stack.reconnect(held)
    await handle.signal("release")
    return await comes_to(handle, "Open for edits")


@scenario
async def edited_and_deleted_while_confirming(stack: Stack) -> Handle:
    await stack.fault("twitter", "accept_then_drop", "publish")
    await stack.fault("twitter", "reject", "confirm", status=503, times=50)
    post = await stack.save(f"{WORDS} a lost page", [stack.accounts["plain"]])
    handle = await stack.start(post)
    await has_status(handle, 0, "unconfirmed")
    await handle.signal("edit", EditRequest(revision_id="rev_of_nothing", target_ids=[post.targets[0].id]))
    await stack.workflows.unschedule(post.workflow_id, post.id, post.version + 1, deleted=True)
    return await comes_to(handle, "Deleted")


@scenario
async def declined_then_queued(stack: Stack) -> Handle:
    room, local_publish.SLOTS = local_publish.SLOTS, 0
    try:
        post = await stack.save(f"{WORDS} a crowd", [stack.accounts["plain"]])
        return await comes_to(await stack.start(post), "Open for edits")
    finally:
        local_publish.SLOTS = room


@scenario
async def declined_after_a_temporary_refusal(stack: Stack) -> Handle:
    """The worker has no free slot any more when the step is to be run again."""
    await stack.fault("twitter", "rate_limited", "publish", seconds=2)
    post = await stack.save(f"{WORDS} a full house", [stack.accounts["plain"]])
    handle = await stack.start(post)
    await until(lambda: is_tried_again(handle))
    room, local_publish.SLOTS = local_publish.SLOTS, 0
    try:
        return await comes_to(handle, "Open for edits")
    finally:
        local_publish.SLOTS = room


@scenario
async def continued_once_its_worker_is_gone(stack: Stack) -> Handle:
    """No worker polls the queue of the worker that began the step, so the platform's queue takes it."""
    await stack.fault("twitter", "rate_limited", "publish", seconds=1)

    def of_another_worker(message: str, kind: str, *queue: str) -> ApplicationError:
        return benign(message, kind, *(f"{part}-gone" for part in queue))

    benign, local_publish._benign = local_publish._benign, of_another_worker
    try:
        post = await stack.save(f"{WORDS} an empty chair", [stack.accounts["plain"]])
        return await comes_to(await stack.start(post), "Open for edits")
    finally:
        local_publish._benign = benign
