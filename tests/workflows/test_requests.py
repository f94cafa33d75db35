"""Requests of clients and operators to a post's workflow: change, delete, retry, edit."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from domain.errors import Conflict, Unprocessable
from domain.post import PostStatus, TargetStatus
from store.models import Post, Revision
from store.posts.changes import lock_post, reopen
from store.publishing.targets import list_attempts
from store.rows import current_row
from tests.before_due import before_due, passed
from tests.stack import CLIENT, Stack


async def test_a_scheduled_post_moves_to_its_new_time_and_text(stack: Stack) -> None:
    post = await stack.save("old text", [stack.accounts["twitter"]], due_in=timedelta(hours=5))
    await stack.start(post)
    due = datetime.now(UTC) + timedelta(seconds=3)
    await stack.change(post, due=due, content="new text")
    row = await stack.settled(post.id)
    assert row.status == PostStatus.PUBLISHED
    assert await stack.public("old text") == []
    (public,) = await stack.public("new text")
    assert datetime.fromisoformat(public["createdAt"]) >= due


async def test_a_post_taken_off_the_schedule_is_a_draft_without_workflow(stack: Stack) -> None:
    post = await stack.save("off", [stack.accounts["twitter"]], due_in=timedelta(hours=5))
    handle = await stack.start(post)
    await stack.change(post, due=None, draft=True)
    assert (await stack.read(post.id)).status == PostStatus.DRAFT
    await handle.result()


async def test_deleted_post_is_never_published(stack: Stack) -> None:
    async def delete(due: datetime) -> Post:
        due_in = due - datetime.now(UTC)
        post = await stack.save(f"deleted before {due}", [stack.accounts["twitter"]], due_in=due_in)
        await stack.start(post)
        await stack.delete(post)
        return post

    due, post = await before_due(delete)
    with pytest.raises(AssertionError):
        await stack.read(post.id)
    await stack.client.get_workflow_handle(post.workflow_id).result()
    await passed(due)
    assert await stack.public(f"deleted before {due}") == []


async def test_a_post_that_is_being_published_is_not_deleted(stack: Stack) -> None:
    await stack.fault("twitter", "accept_then_delay", "publish", seconds=4)
    post = await stack.save("out before its deletion", [stack.accounts["twitter"]])
    await stack.start(post)
    async with asyncio.timeout(60):
        while (await stack.read(post.id)).targets[0].status != TargetStatus.PUBLISHING:  # noqa: ASYNC110 there is no event
            await asyncio.sleep(0.05)
    with pytest.raises(Conflict):
        await stack.delete(post)
    await stack.settled(post.id)
    await stack.delete(post)


async def test_undelivered_retry_is_made_after_delivery(stack: Stack) -> None:
    await stack.fault("twitter", "reject", "publish", status=403)
    failed = await stack.publish("reopened, not told", [stack.accounts["plain"]])
    async with stack.database.transaction() as session:
        row = await lock_post(session, failed.id)
        assert row
        assert await reopen(session, row, CLIENT)
    for _ in range(2):
        await stack.deliver(await stack.read(failed.id))
    assert (await stack.settled(failed.id)).status == PostStatus.PUBLISHED
    assert len(await stack.public("reopened, not told")) == 1


async def test_concurrent_retries_publish_once(stack: Stack) -> None:
    await stack.fault("twitter", "reject", "publish", status=403)
    failed = await stack.publish("retried by many", [stack.accounts["plain"]])
    outcomes = await asyncio.gather(*(stack.retry(failed) for _ in range(6)), return_exceptions=True)
    assert [outcome for outcome in outcomes if not isinstance(outcome, Conflict)] == [None]
    assert (await stack.settled(failed.id)).status == PostStatus.PUBLISHED
    async with stack.database.transaction() as session:
        steps = [(attempt.step, attempt.state) for attempt, _ in await list_attempts(session, failed.id)]
    assert steps == [("publish", "refused"), ("confirm", "done"), ("publish", "done")]
    assert len(await stack.public("retried by many")) == 1


async def test_a_race_with_the_due_time_has_one_answer(stack: Stack) -> None:
    """The platform agrees with the response to a delete at the due time, whatever that response is."""
    posts = [
        await stack.save(f"deletion race {number}", [stack.accounts["twitter"]], due_in=timedelta(seconds=3))
        for number in range(8)
    ]
    for post in posts:
        await stack.start(post)

    async def delete(number: int, post: Post) -> PostStatus | None:
        """Return the post's last status, None if the deletion was refused."""
        assert post.due_at
        await asyncio.sleep((post.due_at - datetime.now(UTC)).total_seconds() + (number - 4) * 0.02)
        try:
            return await stack.delete(post)
        except Conflict:
            return None

    last_statuses = await asyncio.gather(*(delete(number, post) for number, post in enumerate(posts)))
    for number, (post, last_status) in enumerate(zip(posts, last_statuses, strict=True)):
        await passed(post.due_at or datetime.now(UTC))
        if last_status is None:
            await stack.settled(post.id)
        public = await stack.public(f"deletion race {number}")
        assert len(public) == (0 if last_status == PostStatus.SCHEDULED else 1)


async def test_nothing_to_retry_is_refused(stack: Stack) -> None:
    post = await stack.publish("all is well", [stack.accounts["plain"]])
    with pytest.raises(Conflict):
        await stack.retry(post)


async def test_retry_starts_a_fresh_run_once_the_workflow_has_ended(stack: Stack) -> None:
    await stack.fault("twitter", "reject", "publish", status=403)
    post = await stack.publish("again later", [stack.accounts["plain"]])
    assert post.status == PostStatus.FAILED
    await stack.client.get_workflow_handle(post.workflow_id).terminate()
    await stack.retry(post)
    post = await stack.settled(post.id)
    assert post.status == PostStatus.PUBLISHED
    assert len(await stack.public("again later")) == 1


async def test_an_edit_moves_the_target_to_a_new_version(stack: Stack) -> None:
    post = await stack.publish("before", [stack.accounts["twitter"]])
    (target,) = post.targets
    first = target.platform_post_id
    revision_id = await stack.new_text(post, "after")
    await stack.workflows.edit(await stack.plan(post), revision_id)

    async def applied() -> bool:
        async with stack.database.transaction() as session:
            revision = await current_row(session, Revision, revision_id)
            return revision is not None and revision.state == "applied"

    assert await stack.outcomes.wait(post.id, applied, 10)
    (target,) = (await stack.read(post.id)).targets
    assert target.edited_content == "after"
    assert target.platform_post_id != first
    assert [version["platformPostId"] for version in target.edit_history] == [first]
    (old,) = await stack.public("before")
    assert old["supersededBy"] == target.platform_post_id


async def test_uneditable_post_refuses_edits(stack: Stack) -> None:
    post = await stack.publish("a picture", [stack.accounts["instagram"]], media=["https://example.com/z.jpg"])
    with pytest.raises(Unprocessable):
        await stack.workflows.edit(await stack.plan(post), "rev_none")


async def test_cancelled_workflow_leaves_a_settled_row(stack: Stack) -> None:
    post = await stack.save("cancelled", [stack.accounts["twitter"]], due_in=timedelta(hours=1))
    handle = await stack.start(post)
    await asyncio.sleep(0.5)
    await handle.cancel()
    row = await stack.settled(post.id)
    assert row.status == PostStatus.FAILED
    assert row.targets[0].error_code == "cancelled"
    assert row.targets[0].status == TargetStatus.FAILED


async def test_row_state_can_be_acted_upon_immediately(stack: Stack) -> None:
    """A row settles a moment before its workflow knows it; a client that has read the row must not be refused."""
    for number in range(10):
        await stack.fault("twitter", "reject", "publish", status=403)
        post = await stack.publish(f"at once {number}", [stack.accounts["plain"]])
        assert post.status == PostStatus.FAILED
        await stack.retry(post)
        await stack.settled(post.id)
        assert len(await stack.public(f"at once {number}")) == 1
        await stack.delete(await stack.read(post.id))
