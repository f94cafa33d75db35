"""What was saved but never started is started; what has expired is forgotten."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, update
from structlog.testing import capture_logs

from domain.bounds import MAX_ITEMS
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
    await sweep(stack.worker_database, stack.workflows)
    assert (await stack.settled(post.id)).status == PostStatus.PUBLISHED
    assert (await stack.read(post.id)).dispatched_at is not None


async def test_a_start_that_was_only_not_noted_changes_nothing(stack: Stack) -> None:
    post = await stack.publish("started twice", [stack.accounts["twitter"]])
    await age(stack, post)
    await sweep(stack.worker_database, stack.workflows)
    assert len(await stack.public("started twice")) == 1


async def test_a_post_that_is_being_created_is_left_to_its_request(stack: Stack) -> None:
    post = await stack.save("in creation", [stack.accounts["twitter"]], due_in=timedelta(hours=1))
    await sweep(stack.worker_database, stack.workflows)
    assert (await stack.read(post.id)).dispatched_at is None


async def test_one_that_temporal_does_not_take_holds_up_no_other(stack: Stack) -> None:
    refused = await stack.save("turned down", [stack.accounts["twitter"]], due_in=timedelta(hours=1))
    other = await stack.save("behind it", [stack.accounts["twitter"]])
    async with stack.database.transaction() as session:
        too_long = {"workflow_id": "x" * 2000}
        await session.execute(update(Post).where(Post.id == refused.id).values(too_long))
    await age(stack, refused)
    await age(stack, other)
    turned_down: set[str] = set()
    with capture_logs() as lines:
        await sweep(stack.worker_database, stack.workflows, turned_down)
        await sweep(stack.worker_database, stack.workflows, turned_down)
    told = [line for line in lines if line["event"] == "sweep.not_started" and line["post_id"] == refused.id]
    assert "WorkflowId" in told[0]["reason"]
    assert turned_down == {refused.id}
    assert (await stack.settled(other.id)).status == PostStatus.PUBLISHED
    async with stack.database.transaction() as session:
        await session.execute(delete(Post).where(Post.id == refused.id))


async def test_a_post_with_as_many_tags_and_accounts_as_the_api_takes_is_started(stack: Stack) -> None:
    tags = [f"{number:03}" + "\u00e9" * 252 for number in range(MAX_ITEMS)] + ["t" * 255]
    post = await stack.save("labelled", [stack.accounts["twitter"]], due_in=timedelta(hours=1), tags=tags[:MAX_ITEMS])
    await stack.start(post)
    many = [f"{number:03}" + "t" * 197 for number in range(MAX_ITEMS)]
    post = await stack.save("labelled", [stack.accounts["twitter"]], due_in=timedelta(hours=1), tags=many)
    await stack.start(post)
