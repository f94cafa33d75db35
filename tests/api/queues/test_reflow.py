"""A reflow gives the posts that wait in a queue new slots in their order, and moves no others."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import text

from domain.post import PostStatus
from store.posts.changes import lock_post
from tests.api.conftest import Client, create, patch
from tests.api.queues.conftest import TOMORROW, WEEK, day_from_now, queued
from tests.stack import Stack


async def test_reflow_gives_new_slots_in_the_same_order(api: Client, stack: Stack, queue: Any) -> None:
    posts = [await create(api, queued(stack, f"reflowed {number}")) for number in range(3)]
    path = f"/v1/queues/{queue['id']}"
    two_a_day = [{"days": WEEK, "time": "10:00"}, {"days": WEEK, "time": "15:00"}]
    changed = (await api.patch(path, json={"slots": two_a_day, "reflow": True})).json()
    assert changed["moved"] == 3
    shown = [(await api.get(f"/v1/posts/{post['id']}")).json() for post in posts]
    assert [post["scheduledFor"] for post in shown] == [
        day_from_now(1, "10:00:00"),
        day_from_now(1, "15:00:00"),
        day_from_now(2, "10:00:00"),
    ]
    assert {post["queueId"] for post in shown} == {queue["id"]}
    row = await stack.read(posts[0]["id"])
    assert (row.version, row.due_at, row.targets[0].due_at) == (2, row.scheduled_for, row.scheduled_for)
    history = (await api.get(f"/v1/posts/{posts[0]['id']}/history")).json()["events"]
    assert history[-1]["action"] == "changed"
    again = (await api.patch(path, json={"reflow": True})).json()
    assert again["moved"] == 0


async def test_reflow_tells_the_workflow(api: Client, stack: Stack, queue: Any) -> None:
    post = await create(api, queued(stack, "told of its new time"))
    await api.patch(f"/v1/queues/{queue['id']}", json={"slots": [{"days": WEEK, "time": "10:00"}], "reflow": True})
    row = await stack.read(post["id"])
    assert row.version == 2
    assert row.due_at is not None
    # Another test may take the turn of this row meanwhile.
    assert row.is_delivered or row.next_delivery_at == row.due_at - timedelta(seconds=60), "as of bulk operations"


async def test_reflow_fills_gaps_and_leaves_other_posts_alone(api: Client, stack: Stack, queue: Any) -> None:
    first, second = [await create(api, queued(stack, f"gap {number}")) for number in range(2)]
    await api.delete(f"/v1/posts/{first['id']}")
    left = await create(api, queued(stack, "has left"))
    left = await patch(api, left, scheduledFor="2030-12-02T09:00:00Z")
    assert (await api.patch(f"/v1/queues/{queue['id']}", json={"reflow": True})).json()["moved"] == 1
    assert (await api.get(f"/v1/posts/{second['id']}")).json()["scheduledFor"] == TOMORROW
    assert (await api.get(f"/v1/posts/{left['id']}")).json() == left


async def test_reflow_moves_no_post_that_is_due_or_has_begun(api: Client, stack: Stack, queue: Any) -> None:
    begun, due = [await create(api, queued(stack, f"begun {number}")) for number in range(2)]
    async with stack.database.transaction() as session:
        post = await lock_post(session, begun["id"])
        assert post is not None
        post.status = PostStatus.PUBLISHING.value
        due_post = await lock_post(session, due["id"])
        assert due_post is not None
        due_post.due_at = due_post.scheduled_for = datetime.now(UTC) + timedelta(seconds=30)
    changed = await api.patch(
        f"/v1/queues/{queue['id']}", json={"slots": [{"days": WEEK, "time": "10:00"}], "reflow": True}
    )
    assert changed.json()["moved"] == 0
    for post_id in (begun["id"], due["id"]):
        assert (await stack.read(post_id)).version == 1


async def test_a_reflow_without_room_changes_nothing(api: Client, stack: Stack, queue: Any) -> None:
    posts = [await create(api, queued(stack, f"no room {number}")) for number in range(2)]
    blackouts = [
        {"from": day_from_now(0)[:10], "to": day_from_now(363)[:10]},
        {"from": day_from_now(365)[:10], "to": "2200-01-01"},
    ]
    path = f"/v1/queues/{queue['id']}"
    refused = await api.patch(path, json={"blackouts": blackouts, "reflow": True})
    assert (refused.status_code, refused.json()["code"]) == (422, "queue_full")
    assert (await api.get(path)).json() == queue
    assert [(await api.get(f"/v1/posts/{post['id']}")).json() for post in posts] == posts


async def test_a_new_zone_needs_a_reflow_while_posts_wait(api: Client, stack: Stack, queue: Any) -> None:
    path, zone = f"/v1/queues/{queue['id']}", "Asia/Tokyo"
    post = await create(api, queued(stack, "between zones"))
    refused = await api.patch(path, json={"timezone": zone})
    assert (refused.status_code, refused.json()["param"]) == (409, "timezone")
    assert (await api.patch(path, json={"timezone": zone, "reflow": True})).json()["moved"] == 1
    shown = (await api.get(f"/v1/posts/{post['id']}")).json()
    assert (shown["timezone"], shown["scheduledForLocal"][11:]) == (zone, "09:00:00")


async def test_a_reflow_beside_creates_and_changes_gives_no_slot_twice(api: Client, stack: Stack, queue: Any) -> None:
    posts = [await create(api, queued(stack, f"beside {number}")) for number in range(12)]
    path = f"/v1/queues/{queue['id']}"

    async def change(number: int) -> None:
        times = [{"days": WEEK, "time": f"{9 + number % 3}:00".zfill(5)}]
        response = await api.patch(path, json={"slots": times, "reflow": True})
        assert response.status_code in {200, 503}, response.text

    async def move(post: Any) -> None:
        response = await api.patch(f"/v1/posts/{post['id']}", json={"queue": "next"})
        assert response.status_code == 200, response.text

    await asyncio.gather(
        *(change(number) for number in range(6)),
        *(move(post) for post in posts),
        *(create(api, queued(stack, f"between {number}")) for number in range(12)),
    )
    async with stack.database.reading() as session:
        rows = await session.execute(
            text("SELECT count(*), count(DISTINCT scheduled_for) FROM posts WHERE queue_id = :id"), {"id": queue["id"]}
        )
    assert tuple(rows.one()) == (24, 24)
