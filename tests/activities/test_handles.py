"""The handles of a target: which of them were sent, however often it is prepared again."""

from typing import Any

import pytest
from sqlalchemy import update

from activities.step_context import HandleKeeper
from domain.transitions import WriteResult
from store.models import Post, Target
from store.publishing.sending import begin_send
from store.publishing.targets import set_aside
from tests.stack import Stack

SENT, PREPARED, NEWER = {"mediaId": "sent"}, {"mediaId": "prepared"}, {"mediaId": "newer"}


@pytest.fixture
async def post(stack: Stack) -> Post:
    return await stack.save("prepared again and again", [stack.accounts["twitter"]])


async def keeper(stack: Stack, post: Post) -> HandleKeeper:
    (target,) = (await stack.read(post.id)).targets
    return HandleKeeper(stack.worker_database, target.id, target.handles, "fingerprint")


async def begin(stack: Stack, post: Post, of_run: HandleKeeper) -> Any:
    begun = await begin_send(stack.worker_database, post.targets[0].id, post.version, None, *of_run.hand_over())
    assert not isinstance(begun, WriteResult)
    async with stack.database.transaction() as session:
        # The send is refused, and the target is opened again.
        await session.delete(await session.merge(begun))


async def reopen(stack: Stack, post: Post) -> None:
    (target,) = (await stack.read(post.id)).targets
    async with stack.database.transaction() as session:
        changed = update(Target).where(Target.id == target.id).values(handles=set_aside(target.handles))
        await session.execute(changed)


async def test_handles_that_were_not_sent_replace_none_that_were(stack: Stack, post: Post) -> None:
    first = await keeper(stack, post)
    await first.save(SENT)
    await begin(stack, post, first)
    await reopen(stack, post)
    for _ in range(2):
        again = await keeper(stack, post)
        assert (again.usable(), again.last_sent()) == ({}, SENT)
        await again.save(PREPARED)
        unsent = await keeper(stack, post)
        assert (unsent.usable(), unsent.last_sent()) == (PREPARED, SENT)
        await reopen(stack, post)


@pytest.mark.parametrize("is_flushed", [False, True])
async def test_handles_of_a_later_send_replace_those_before(stack: Stack, post: Post, *, is_flushed: bool) -> None:
    first = await keeper(stack, post)
    await first.save(SENT)
    await begin(stack, post, first)
    await reopen(stack, post)
    again = await keeper(stack, post)
    async with again.deferring():
        await again.save(NEWER)
        if is_flushed:
            await again.flush()
    await begin(stack, post, again)
    assert (await keeper(stack, post)).last_sent() == NEWER
    await reopen(stack, post)
    assert (await keeper(stack, post)).last_sent() == NEWER


async def test_handles_that_a_pause_gives_back_were_not_sent(stack: Stack, post: Post) -> None:
    first = await keeper(stack, post)
    await first.save(SENT)
    await begin(stack, post, first)
    await reopen(stack, post)
    again = await keeper(stack, post)
    await again.save(PREPARED)
    _, handles = again.hand_over()
    await again.take_back(handles)
    unsent = await keeper(stack, post)
    assert (unsent.usable(), unsent.last_sent()) == (PREPARED, SENT)
