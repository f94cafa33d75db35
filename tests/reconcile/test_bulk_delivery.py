"""Posts of bulk operations are delivered at one pace for all workers, and in time whatever happens."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from math import inf

import pytest
from sqlalchemy import delete, func, select, text, update
from temporalio.client import Client

from cli.stack.ports import free_port
from domain.errors import Unavailable
from domain.ownership import BULK_LEAD, BULK_STARTS_PER_S, UNDELIVERED_AFTER
from domain.plan import Plan
from domain.post import PostStatus
from reconcile.bulk_pace import LONGEST_TURN_S, BulkPace
from reconcile.rounds import running_tasks
from reconcile.sweep import bulk_task, deliver_in_turn, sweep
from runtime.temporal import DATA_CONVERTER
from store.models import BulkTurn, Post
from store.posts.delivery import IS_BEHIND, Undelivered, count_undelivered
from store.rows import count_rows
from tests.stack import Stack
from tests.statements import noting_statements
from tests.workflows.event_costs import event_kind
from tests.workflows.scenarios import comes_to
from workflows.client.post_workflows import PostWorkflows
from workflows.client.queues import QueueState

FIRST_EVENTS = [
    "WORKFLOW_EXECUTION_STARTED",
    *(f"WORKFLOW_TASK_{state}" for state in ("SCHEDULED", "STARTED", "COMPLETED")),
    "TIMER_STARTED",
]
PACE = 10
MANY = 35


def pace(per_s: int = PACE) -> BulkPace:
    return BulkPace(per_s, lambda: False)


class Recording(PostWorkflows):
    """Posts' workflows, with the times at which each was started."""

    def __init__(self, stack: Stack) -> None:
        super().__init__(stack.client)
        self.started: list[tuple[float, str]] = []

    async def start(self, plan: Plan) -> None:
        self.started.append((time.monotonic(), plan.post_id))
        await super().start(plan)


async def import_posts(stack: Stack, number: int, due_in: timedelta, name: str) -> list[Post]:
    """Save posts as a bulk operation does, the first due first."""
    posts = [
        await stack.save(f"{name} {index}", [stack.accounts["plain"]], due_in=due_in + timedelta(seconds=index))
        for index in range(number)
    ]
    await write_bulk(stack, posts)
    return posts


async def write_bulk(stack: Stack, posts: Sequence[Post]) -> None:
    async with stack.database.transaction() as session:
        values = {"next_delivery_at": func.bulk_delivery_at_v1(Post.due_at), "delivery_attempts": 0}
        await session.execute(update(Post).where(Post.id.in_([post.id for post in posts])).values(values))


async def age(stack: Stack, posts: Sequence[Post], by: timedelta = timedelta(minutes=10)) -> None:
    async with stack.database.transaction() as session:
        changed = update(Post).where(Post.id.in_([post.id for post in posts]))
        await session.execute(changed.values(updated_at=datetime.now(UTC) - by))


@pytest.fixture(autouse=True)
async def _free_turn(stack: Stack) -> None:
    await free_turn(stack)


async def free_turn(stack: Stack) -> None:
    async with stack.database.transaction() as session:
        await session.execute(update(BulkTurn).values(at=datetime.now(UTC) - timedelta(hours=1)))


async def behind(stack: Stack, posts: Sequence[Post]) -> int:
    async with stack.database.reading() as session:
        return await count_rows(session, Post.id.in_([post.id for post in posts]), text(IS_BEHIND))


async def counted(stack: Stack) -> Undelivered:
    async with stack.api_database.reading() as session:
        return await count_undelivered(session, datetime.now(UTC))


async def test_the_default_pace_tells_ten_thousand_posts_within_two_minutes_and_two_workers_keep_it(
    stack: Stack,
) -> None:
    posts = await import_posts(stack, MANY, timedelta(hours=1), "imported")
    workers = [Recording(stack), Recording(stack)]
    async with AsyncExitStack() as both:
        for workflows in workers:
            await both.enter_async_context(running_tasks(bulk_task(stack.worker_database, workflows, pace())))
        async with asyncio.timeout(60):
            while await behind(stack, posts):  # noqa: ASYNC110 there is no event
                await asyncio.sleep(0.05)
    starts = sorted(start for workflows in workers for start in workflows.started)
    assert {post_id for _, post_id in starts} == {post.id for post in posts}
    assert len(starts) == MANY, "no post was started by both"
    places = {post.id: place for place, post in enumerate(posts)}
    for place, (_, post_id) in enumerate(starts):
        # On a busy machine, the end of a turn of one worker comes after the beginning of the other's next turn.
        assert abs(places[post_id] - place) < PACE, "the soonest due first"
    turns = -(-MANY // PACE)
    took = starts[-1][0] - starts[0][0]
    # A turn that was late is made up for, by less than a second.
    assert took > turns - 1 - 1
    assert 10_000 / BULK_STARTS_PER_S < 120


async def test_the_soonest_due_have_no_pace(stack: Stack) -> None:
    posts = await import_posts(stack, MANY, timedelta(seconds=20), "due soon")
    assert {(await stack.read(post.id)).next_delivery_at for post in posts[: MANY - 1]} == {None}
    await age(stack, posts)
    workflows = Recording(stack)
    await sweep(stack.worker_database, workflows)
    own = [post.id for post in posts]
    assert [post_id for _, post_id in workflows.started if post_id in own] == own
    assert await deliver_in_turn(stack.worker_database, workflows, pace(1)) == 0


async def test_a_post_whose_moment_has_come_needs_no_turn(stack: Stack) -> None:
    first, second = await import_posts(stack, 2, timedelta(minutes=30), "a crowd")
    await age(stack, [first, second])
    workflows = Recording(stack)
    await sweep(stack.worker_database, workflows)
    assert workflows.started == []
    async with stack.database.transaction() as session:
        await session.execute(update(Post).where(Post.id == second.id).values(next_delivery_at=datetime.now(UTC)))
    await sweep(stack.worker_database, workflows)
    assert [post_id for _, post_id in workflows.started] == [second.id]


async def test_a_bulk_operation_leaves_a_minute_before_the_due_time(stack: Stack) -> None:
    now = datetime.now(UTC)
    async with stack.api_database.reading() as session:
        for due, expected in (
            (now + timedelta(hours=1), now + timedelta(hours=1) - BULK_LEAD),
            (now + BULK_LEAD - timedelta(seconds=1), None),
            (now - timedelta(days=1), None),
        ):
            assert await session.scalar(select(func.bulk_delivery_at_v1(due))) == expected
        draft = await session.scalar(text("SELECT bulk_delivery_at_v1(NULL) - now()"))
    assert draft == timedelta(minutes=10)


async def test_a_worker_that_is_killed_in_its_turn_loses_nothing(stack: Stack) -> None:
    posts = await import_posts(stack, 5, timedelta(hours=1), "killed in a turn")
    reached = asyncio.Event()

    class Hanging(PostWorkflows):
        async def start(self, plan: Plan) -> None:
            reached.set()
            await asyncio.Event().wait()

    killed = asyncio.create_task(deliver_in_turn(stack.worker_database, Hanging(stack.client), pace()))
    await reached.wait()
    killed.cancel()
    await asyncio.wait([killed])
    await age(stack, posts)
    workflows = Recording(stack)
    await sweep(stack.worker_database, workflows)
    assert workflows.started == [], "another worker may still deliver them"
    async with asyncio.timeout(60):
        while await behind(stack, posts):
            await sweep(stack.worker_database, workflows)
            await asyncio.sleep(0.2)
    assert {post_id for _, post_id in workflows.started} == {post.id for post in posts}


async def test_a_turn_leaves_room_for_the_tasks_that_wait(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    posts = await import_posts(stack, 5, timedelta(hours=1), "behind a backlog")
    workflows, most = Recording(stack), pace().most(inf)
    backlogs = [most, most - 3, 0]

    async def state() -> QueueState:
        return QueueState(polled=True, backlog=backlogs.pop(0))

    monkeypatch.setattr(workflows.queues, "posts", state)
    for delivered in (0, 3, 2):
        await free_turn(stack)
        assert await deliver_in_turn(stack.worker_database, workflows, pace()) == delivered
    assert [post_id for _, post_id in workflows.started] == [post.id for post in posts]


async def test_a_turn_gives_way_to_publications_and_gives_back_what_it_has_not_begun(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    posts = await import_posts(stack, PACE, timedelta(hours=1), "beside publications")
    monkeypatch.setattr("reconcile.bulk_pace.LONGEST_TURN_S", 0.3)
    workflows, busy = Recording(stack), False
    shared = BulkPace(PACE, lambda: busy)

    async def without_backlog() -> QueueState:
        return QueueState(polled=True, backlog=0)

    monkeypatch.setattr(workflows.queues, "posts", without_backlog)

    class Publishing(Recording):
        async def start(self, plan: Plan) -> None:
            nonlocal busy
            busy = True
            await super().start(plan)

    assert await deliver_in_turn(stack.worker_database, Publishing(stack), shared) == 1
    first, *others = [await stack.read(post.id) for post in posts]
    assert first.is_delivered
    assert {
        (row.delivery_attempts, row.due_at and row.next_delivery_at == row.due_at - BULK_LEAD) for row in others
    } == {(0, True)}
    await free_turn(stack)
    monkeypatch.setattr("reconcile.bulk_pace.LONGEST_TURN_S", LONGEST_TURN_S)
    assert await deliver_in_turn(stack.worker_database, workflows, shared) == 1
    assert [post_id for _, post_id in workflows.started] == [posts[1].id]


async def test_no_post_is_delivered_in_turn_when_a_crowd_is_due(stack: Stack) -> None:
    (post,) = await import_posts(stack, 1, timedelta(hours=1), "beside a crowd")
    shared, workflows = pace(), Recording(stack)
    crowd = await stack.save("a crowd", [stack.accounts["plain"]] * shared.crowd, due_in=timedelta(seconds=1))
    assert await deliver_in_turn(stack.worker_database, workflows, shared) == 0
    async with stack.database.transaction() as session:
        await session.execute(delete(Post).where(Post.id == crowd.id))
    assert not (await stack.read(post.id)).delivery_attempts
    await free_turn(stack)
    assert await deliver_in_turn(stack.worker_database, workflows, shared) == 1
    assert [post_id for _, post_id in workflows.started] == [post.id]


async def test_posts_wait_for_another_turn_while_temporal_is_unavailable(stack: Stack) -> None:
    (post,) = await import_posts(stack, 1, timedelta(hours=1), "no Temporal in its turn")
    nowhere = await Client.connect(f"127.0.0.1:{free_port()}", data_converter=DATA_CONVERTER, lazy=True)
    with pytest.raises(Unavailable):
        await deliver_in_turn(stack.worker_database, PostWorkflows(nowhere), pace())
    row = await stack.read(post.id)
    assert row.due_at
    assert (row.delivery_attempts, row.next_delivery_at) == (0, row.due_at - BULK_LEAD)


async def test_a_worker_without_bulk_posts_writes_nothing(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    before = await _last_turn(stack)
    with noting_statements(monkeypatch, own=True) as statements:
        assert await deliver_in_turn(stack.worker_database, stack.workflows, pace()) == 0
    assert len(statements) == 1
    assert await _last_turn(stack) == before


async def _last_turn(stack: Stack) -> datetime:
    async with stack.database.reading() as session:
        return (await session.scalars(select(BulkTurn.at))).one()


async def test_a_turn_takes_as_many_statements_for_many_posts_as_for_one(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts: list[int] = []
    for number in (1, 1, 12):
        await import_posts(stack, number, timedelta(hours=1), f"a turn of {number}")
        await free_turn(stack)
        with noting_statements(monkeypatch, own=True) as statements:
            assert await deliver_in_turn(stack.worker_database, stack.workflows, pace(10_000)) == number
        counts.append(len(statements))
    # The turn, the claim, the posts, their targets, their accounts, and the record.
    # The first turn reads the workspace's name, too, which is then remembered.
    assert counts[1:] == [6, 6]


async def test_a_start_in_a_turn_costs_one_call_and_one_task_that_waits_in_no_queue(stack: Stack) -> None:
    (post,) = await import_posts(stack, 1, timedelta(hours=1), "the cost of a start")
    workflows = PostWorkflows(stack.client, eager=True)
    assert await deliver_in_turn(stack.worker_database, workflows, pace()) == 1
    handle = await comes_to(stack.client.get_workflow_handle(post.workflow_id), "Sleeping until")
    events = list((await handle.fetch_history()).events)
    assert [event_kind(event) for event in events] == FIRST_EVENTS
    assert events[0].workflow_execution_started_event_attributes.eager_execution_accepted


async def test_waiting_for_a_turn_makes_nothing_unready(stack: Stack) -> None:
    posts = await import_posts(stack, 3, timedelta(hours=1), "waits and is well")
    await age(stack, posts)
    before = await counted(stack)
    assert (before.all, before.untried, before.behind) == (0, 0, 3)
    assert timedelta(minutes=9) < before.turn_age < timedelta(minutes=11)
    async with stack.database.transaction() as session:
        passed = datetime.now(UTC) - UNDELIVERED_AFTER - timedelta(seconds=1)
        await session.execute(update(Post).where(Post.id == posts[0].id).values(next_delivery_at=passed))
    assert (await counted(stack)).untried == 1, "the sweep has missed its moment"
    await deliver_in_turn(stack.worker_database, stack.workflows, pace())
    after = await counted(stack)
    assert (after.behind, after.turn_age) == (1, timedelta(0))


async def test_a_draft_of_a_bulk_operation_ends_its_workflow_in_a_turn(stack: Stack) -> None:
    post = await stack.save("withdrawn by many", [stack.accounts["plain"]], due_in=timedelta(hours=1))
    handle = await stack.start(post)
    draft = await stack.write_change(post, due=None, draft=True)
    await write_bulk(stack, [draft])
    assert await behind(stack, [draft]) == 1
    assert await deliver_in_turn(stack.worker_database, stack.workflows, pace()) == 1
    await handle.result()
    row = await stack.read(post.id)
    assert (row.status, row.is_delivered) == (PostStatus.DRAFT, True)
