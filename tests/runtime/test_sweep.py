"""What was saved but never started is started; what has expired is forgotten."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import update

from domain.post import PostStatus
from runtime.sweep import sweep
from store.models import Post
from tests.stack import Stack


async def age(stack: Stack, post: Post) -> None:
    async with stack.database.transaction() as session:
        earlier = datetime.now(UTC) - timedelta(minutes=1)
        await session.execute(update(Post).where(Post.id == post.id).values(created_at=earlier))


async def test_a_post_whose_start_was_lost_goes_out(stack: Stack) -> None:
    post = await stack.save("lost start", [stack.accounts["twitter"]])
    await age(stack, post)
    await sweep(stack.database, stack.workflows)
    assert (await stack.settled(post.id)).status == PostStatus.PUBLISHED
    assert (await stack.read(post.id)).dispatched_at is not None


async def test_a_start_that_was_only_not_noted_changes_nothing(stack: Stack) -> None:
    post = await stack.publish("started twice", [stack.accounts["twitter"]])
    await age(stack, post)
    await sweep(stack.database, stack.workflows)
    assert len(await stack.public("started twice")) == 1


async def test_a_post_that_is_being_created_is_left_to_its_request(stack: Stack) -> None:
    post = await stack.save("in creation", [stack.accounts["twitter"]], due_in=timedelta(hours=1))
    await sweep(stack.database, stack.workflows)
    assert (await stack.read(post.id)).dispatched_at is None
