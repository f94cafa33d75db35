"""Posts that were saved but never started are started; expired rows are deleted."""

import asyncio
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update
from structlog.testing import capture_logs
from temporalio.client import Client

from cli.stack.ports import free_port
from domain.errors import Problem, Unavailable
from domain.plan import Plan
from domain.post import PostStatus
from domain.workspaces import MAX_ITEMS
from reconcile.rounds import running_tasks
from reconcile.sweep import sweep, sweep_task
from runtime.temporal import DATA_CONVERTER
from store.models import Post
from store.posts.changes import lock_post, resolve
from store.posts.delivery import claim_undelivered
from tests.stack import Stack
from workflows.client.post_workflows import PostWorkflows


async def age(stack: Stack, post: Post) -> None:
    async with stack.database.transaction() as session:
        earlier = datetime.now(UTC) - timedelta(minutes=1)
        await session.execute(update(Post).where(Post.id == post.id).values(updated_at=earlier))


async def test_post_with_a_lost_start_is_published(stack: Stack) -> None:
    post = await stack.save("lost start", [stack.accounts["twitter"]])
    await age(stack, post)
    await sweep(stack.worker_database, stack.workflows)
    assert (await stack.settled(post.id)).status == PostStatus.PUBLISHED
    assert (await stack.read(post.id)).is_delivered


async def test_unrecorded_start_is_not_repeated(stack: Stack) -> None:
    post = await stack.publish("started twice", [stack.accounts["twitter"]])
    await age(stack, post)
    await sweep(stack.worker_database, stack.workflows)
    assert len(await stack.public("started twice")) == 1


async def test_a_post_that_is_being_created_is_left_to_its_request(stack: Stack) -> None:
    post = await stack.save("in creation", [stack.accounts["twitter"]], due_in=timedelta(hours=1))
    await sweep(stack.worker_database, stack.workflows)
    assert not (await stack.read(post.id)).is_delivered


class Stubborn(PostWorkflows):
    """Temporal as a fake that takes all posts but one, and is unavailable for that one."""

    def __init__(self, stack: Stack, refused: Post) -> None:
        super().__init__(stack.client)
        self._refused = refused
        self.asked: list[str] = []

    async def start(self, plan: Plan) -> None:
        self.asked.append(plan.post_id)
        if plan.post_id == self._refused.id:
            raise Unavailable(Problem("no answer", "unavailable"))
        await super().start(plan)


async def test_one_failing_start_delays_no_other(stack: Stack) -> None:
    refused = await stack.save("turned down", [stack.accounts["twitter"]], due_in=timedelta(seconds=1))
    other = await stack.save("behind it", [stack.accounts["twitter"]], due_in=timedelta(seconds=2))
    await age(stack, refused)
    await age(stack, other)
    workflows = Stubborn(stack, refused)
    with capture_logs() as lines:
        await sweep(stack.worker_database, workflows)
        await sweep(stack.worker_database, workflows)
    assert workflows.asked == [refused.id, other.id], "soonest due first, and the one that failed is left alone a while"
    not_delivered = [line for line in lines if line["event"] == "sweep.not_delivered"]
    assert [(line["post_id"], line["reason"]) for line in not_delivered] == [(refused.id, "no answer")]
    assert (await stack.settled(other.id)).status == PostStatus.PUBLISHED


class Unanswered(PostWorkflows):
    """Temporal as a fake that takes all posts, and gives no answer for some of them until it may."""

    def __init__(self, stack: Stack, unanswered: Collection[str]) -> None:
        super().__init__(stack.client)
        self._unanswered = unanswered
        self.may_answer = asyncio.Event()
        self.asked: list[str] = []

    async def start(self, plan: Plan) -> None:
        self.asked.append(plan.post_id)
        if plan.post_id in self._unanswered:
            await self.may_answer.wait()


async def test_starts_without_an_answer_delay_no_other_while_a_slot_is_free(stack: Stack) -> None:
    posts = [
        await stack.save(f"swept {n}", [stack.accounts["plain"]], due_in=timedelta(hours=1, seconds=n))
        for n in range(120)
    ]
    for post in posts:
        await age(stack, post)
    unanswered = {post.id for post in posts[:10]}
    workflows = Unanswered(stack, unanswered)
    async with running_tasks(sweep_task(stack.worker_database, workflows)):
        async with asyncio.timeout(30):
            while undelivered := await undelivered_posts(stack, posts):
                if undelivered == unanswered:
                    break
                await asyncio.sleep(0.05)
        workflows.may_answer.set()
        async with asyncio.timeout(30):
            while await undelivered_posts(stack, posts):  # noqa: ASYNC110 there is no event
                await asyncio.sleep(0.05)
    assert sorted(workflows.asked) == sorted(post.id for post in posts)


async def test_a_start_without_an_answer_delays_no_later_post_and_is_not_repeated(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reconcile.sweep._EVERY_S", 0.1)
    frozen = await stack.save("to a frozen worker", [stack.accounts["plain"]], due_in=timedelta(hours=1))
    await age(stack, frozen)
    workflows = Unanswered(stack, {frozen.id})
    sweeping = asyncio.create_task(sweep(stack.worker_database, workflows))
    async with asyncio.timeout(30):
        while frozen.id not in workflows.asked:  # noqa: ASYNC110 there is no event
            await asyncio.sleep(0.05)
        later = await stack.save("due meanwhile", [stack.accounts["plain"]], due_in=timedelta(hours=1))
        await age(stack, later)
        async with stack.database.transaction() as session:
            await session.execute(update(Post).where(Post.id == frozen.id).values(next_delivery_at=None))
        while later.id not in workflows.asked:  # noqa: ASYNC110 there is no event
            await asyncio.sleep(0.05)
        workflows.may_answer.set()
        await sweeping
    assert workflows.asked.count(frozen.id) == 1


async def undelivered_posts(stack: Stack, posts: Sequence[Post]) -> set[str]:
    async with stack.database.reading() as session:
        ids = [post.id for post in posts]
        query = select(Post.id).where(Post.id.in_(ids), Post.delivered_version < Post.version)
        return set(await session.scalars(query))


async def test_failed_starts_back_off(stack: Stack) -> None:
    refused = await stack.save("turned down again", [stack.accounts["twitter"]], due_in=timedelta(hours=1))
    await age(stack, refused)
    workflows, pauses = Stubborn(stack, refused), []
    for _ in range(5):
        began = datetime.now(UTC)
        await sweep(stack.worker_database, workflows)
        row = await stack.read(refused.id)
        assert row.next_delivery_at
        pauses.append(round((row.next_delivery_at - began).total_seconds()))
        async with stack.database.transaction() as session:
            await session.execute(update(Post).where(Post.id == refused.id).values(next_delivery_at=None))
    assert pauses == [5, 10, 20, 40, 60]
    changed = await stack.write_change(refused, due=datetime.now(UTC) + timedelta(hours=2))
    assert (changed.next_delivery_at, changed.delivery_attempts) == (None, 0), "another version may be taken"


async def test_concurrent_sweeps_notify_a_post_once(stack: Stack) -> None:
    posts = [await stack.save(f"swept {n}", [stack.accounts["plain"]], due_in=timedelta(hours=1)) for n in range(8)]
    for post in posts:
        await age(stack, post)
    all_of_them = [Stubborn(stack, posts[0]) for _ in range(4)]
    await asyncio.gather(*(sweep(stack.worker_database, workflows) for workflows in all_of_them))
    asked = [post_id for workflows in all_of_them for post_id in workflows.asked]
    assert sorted(asked) == sorted(post.id for post in posts)


async def test_posts_wait_only_while_temporal_is_unavailable(stack: Stack) -> None:
    post = await stack.save("away for a while", [stack.accounts["plain"]], due_in=timedelta(hours=1))
    await age(stack, post)
    nowhere = await Client.connect(f"127.0.0.1:{free_port()}", data_converter=DATA_CONVERTER, lazy=True)
    with pytest.raises(Unavailable):
        await sweep(stack.worker_database, PostWorkflows(nowhere))
    next_delivery_at = (await stack.read(post.id)).next_delivery_at
    assert next_delivery_at
    assert next_delivery_at <= datetime.now(UTC)
    await sweep(stack.worker_database, stack.workflows)
    assert (await stack.read(post.id)).is_delivered


async def resolved_behind_its_workflow(stack: Stack, text: str) -> Post:
    """Return a post whose answer was lost, and which a person settled while Temporal was unavailable."""
    account = await stack.connect("telegram")
    await stack.fault("telegram", "accept_then_drop", "publish")
    post = await stack.publish(text, [account])
    assert post.targets[0].status == "unconfirmed"
    async with stack.api_database.transaction() as session:
        row = await lock_post(session, post.id)
        assert row
        assert await resolve(session, row, row.targets[0], "4711", await stack.actor(), published=True)
    await age(stack, post)
    return post


async def test_missed_resolution_is_delivered_to_the_workflow(stack: Stack) -> None:
    post = await resolved_behind_its_workflow(stack, "resolved while Temporal was away")
    handle = stack.client.get_workflow_handle(post.workflow_id)
    assert (await handle.query("status"))["targets"][0]["status"] == "unconfirmed"
    nowhere = await Client.connect(f"127.0.0.1:{free_port()}", data_converter=DATA_CONVERTER, lazy=True)
    with pytest.raises(Unavailable):
        await sweep(stack.worker_database, PostWorkflows(nowhere))
    await sweep(stack.worker_database, stack.workflows)
    row = await stack.read(post.id)
    assert (row.status, row.is_delivered, row.next_delivery_at) == (PostStatus.PUBLISHED, True, None)
    assert (await handle.query("status"))["targets"][0]["status"] == "published"


async def test_open_posts_are_delivered_before_settled_ones(stack: Stack) -> None:
    settled = await resolved_behind_its_workflow(stack, "settled behind an open one")
    later = await stack.save("open and due later", [stack.accounts["plain"]], due_in=timedelta(hours=1))
    await age(stack, later)
    async with stack.database.transaction() as session:
        posts = await claim_undelivered(session, datetime.now(UTC), datetime.now(UTC) - timedelta(seconds=10), 1)
        assert [post.id for post in posts] == [later.id]
        posts = await claim_undelivered(session, datetime.now(UTC), datetime.now(UTC) - timedelta(seconds=10), 100)
        assert settled.id in {post.id for post in posts}


async def test_a_settled_post_without_a_notification_is_left_alone(stack: Stack) -> None:
    post = await stack.publish("settled, and nothing to say", [stack.accounts["plain"]])
    async with stack.database.transaction() as session:
        await session.execute(update(Post).where(Post.id == post.id).values(version=Post.version + 1))
    await age(stack, post)
    await sweep(stack.worker_database, stack.workflows)
    assert not (await stack.read(post.id)).is_delivered


async def test_a_post_with_as_many_tags_and_accounts_as_the_api_takes_is_started(stack: Stack) -> None:
    tags = [f"{number:03}" + "\u00e9" * 252 for number in range(MAX_ITEMS)] + ["t" * 255]
    post = await stack.save("labelled", [stack.accounts["twitter"]], due_in=timedelta(hours=1), tags=tags[:MAX_ITEMS])
    await stack.start(post)
    many = [f"{number:03}" + "t" * 197 for number in range(MAX_ITEMS)]
    post = await stack.save("labelled", [stack.accounts["twitter"]], due_in=timedelta(hours=1), tags=many)
    await stack.start(post)
