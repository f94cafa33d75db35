"""Rows of imports in queues, posts of new campaigns, and queues that move their posts."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import text

from domain.ids import new_id
from domain.post import PostStatus
from store.posts.changes import lock_post
from tests.api.conftest import Client, create, patch, read_answer
from tests.api.queues.conftest import TOMORROW, WEEK, account, day_from_now, make_queue, queued
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


CLOSED_TODAY = [{"from": day_from_now(0)[:10], "to": day_from_now(0)[:10]}]


async def send(api: Client, posts: list[dict[str, Any]], expected: int = 201, /, **query: str) -> Any:
    headers = {"Idempotency-Key": new_id("key"), "Content-Type": "application/json"}
    return read_answer(
        await api.post("/v1/imports", params=query, content=json.dumps({"posts": posts}), headers=headers), expected
    )


def rows(stack: Stack, number: int, **fields: Any) -> list[dict[str, Any]]:
    prefix = new_id("row")
    return [{**queued(stack, f"{prefix} {at}", **fields), "externalId": f"{prefix}/{at}"} for at in range(number)]


async def taken(api: Client, queue: Any) -> list[str]:
    listed = (await api.get(f"/v1/queues/{queue['id']}/slots")).json()["slots"]
    return [slot["at"] for slot in listed if slot["postId"]]


async def test_rows_take_slots_in_their_order(api: Client, stack: Stack) -> None:
    queue = await make_queue(api, accounts=[account(stack)], blackouts=CLOSED_TODAY)
    single = (await api.send_post(queued(stack, "before the rows"))).json()
    posts = rows(stack, 3)
    posts.insert(1, {"content": "a draft between them", "externalId": new_id("row")})
    answer = await send(api, posts, timezone="Europe/Berlin")
    times = [result["scheduledFor"] for result in answer["results"]]
    assert times == [day_from_now(2), None, day_from_now(3), day_from_now(4)]
    assert single["scheduledFor"] == day_from_now(1)
    post = (await api.get(f"/v1/posts/{answer['results'][0]['id']}")).json()
    assert (post["status"], post["queueId"], post["timezone"]) == ("scheduled", queue["id"], "UTC")
    row = await stack.read(post["id"])
    assert (row.due_at, row.targets[0].due_at) == (row.scheduled_for, row.scheduled_for)
    again = await send(api, posts, timezone="Europe/Berlin")
    assert again["unchanged"] == 4
    assert len(await taken(api, queue)) == 4


async def test_a_dry_run_takes_no_slot(api: Client, stack: Stack) -> None:
    queue = await make_queue(api, accounts=[account(stack)], blackouts=CLOSED_TODAY)
    assert (await send(api, rows(stack, 2), 200, dryRun="true"))["created"] == 2
    assert await taken(api, queue) == []


async def test_wrong_queues_are_problems_of_their_rows(api: Client, stack: Stack) -> None:
    queue = await make_queue(api, accounts=[account(stack)], blackouts=CLOSED_TODAY)
    posts = [*rows(stack, 1), *rows(stack, 1, queue="que_unknown"), *rows(stack, 1)]
    posts[2]["platforms"] = [account(stack, "twitter")]
    refused = await send(api, posts, 422)
    assert [(problem["row"], problem["code"], problem["param"]) for problem in refused["errors"]] == [
        (1, "queue_not_found", "rows.1.queue"),
        (2, "queue_not_found", "rows.2.platforms.0.accountId"),
    ]
    assert await taken(api, queue) == []
    skipped = await send(api, posts, onError="skip")
    assert (skipped["created"], skipped["failed"]) == (1, 2)
    assert await taken(api, queue) == [day_from_now(1)]


async def test_a_queue_without_room_for_all_rows_takes_none(api: Client, stack: Stack) -> None:
    last = [{"from": day_from_now(0)[:10], "to": day_from_now(363)[:10]}]
    queue = await make_queue(api, accounts=[account(stack)], blackouts=last)
    refused = await send(api, rows(stack, 4), 422)
    assert (refused["code"], refused["param"]) == ("queue_full", "rows")
    assert await taken(api, queue) == []


async def test_an_existing_post_gets_no_slot_by_an_import(api: Client, stack: Stack) -> None:
    await make_queue(api, accounts=[account(stack)], blackouts=CLOSED_TODAY)
    (row,) = rows(stack, 1)
    await send(api, [{**row, "queue": None, "isDraft": True}])
    refused = await send(api, [row], 422, onExisting="update")
    assert refused["errors"][0]["param"] == "rows.0.queue"


async def test_posts_of_a_new_campaign_take_slots_in_its_window(api: Client, stack: Stack) -> None:
    await make_queue(api, accounts=[account(stack)], blackouts=CLOSED_TODAY)
    campaign = {"name": "in slots", "startsAt": day_from_now(3, "00:00:00"), "posts": rows(stack, 2)}
    created = await api.post("/v1/campaigns", json=campaign, headers={"Idempotency-Key": new_id("key")})
    assert created.status_code == 201, created.text
    listed = (await api.get("/v1/posts", params={"campaignId": created.json()["id"]})).json()["posts"]
    assert sorted(post["scheduledFor"] for post in listed) == [day_from_now(3), day_from_now(4)]
    draft = {"name": "not started", "isDraft": True, "posts": rows(stack, 1)}
    refused = await api.post("/v1/campaigns", json=draft, headers={"Idempotency-Key": new_id("key")})
    assert refused.status_code == 422, refused.text
    assert refused.json()["code"] == "campaign_not_started"


async def test_imports_and_single_posts_at_once_share_no_slot(api: Client, stack: Stack) -> None:
    queue = await make_queue(api, accounts=[account(stack)], blackouts=CLOSED_TODAY)

    async def send_imports() -> None:
        for _ in range(4):
            await send(api, rows(stack, 5))

    await asyncio.gather(
        send_imports(),
        *(api.send_post(queued(stack, f"beside imports {number}")) for number in range(8)),
    )
    assert len(set(await taken(api, queue))) == 28


async def test_a_corrected_row_leaves_its_post_in_the_slot_of_a_reflow(api: Client, stack: Stack) -> None:
    queue = await make_queue(api, accounts=[account(stack)], blackouts=CLOSED_TODAY)
    posts = rows(stack, 2)
    first = await send(api, posts)
    later = [{"days": WEEK, "time": "16:00"}]
    assert (await api.patch(f"/v1/queues/{queue['id']}", json={"slots": later, "reflow": True})).json()["moved"] == 2
    assert (await send(api, posts, onExisting="update"))["unchanged"] == 2
    posts[0]["content"] += ", corrected"
    assert (await send(api, posts, onExisting="update"))["updated"] == 1
    shown = [(await api.get(f"/v1/posts/{result['id']}")).json() for result in first["results"]]
    assert [post["scheduledFor"] for post in shown] == [day_from_now(1, "16:00:00"), day_from_now(2, "16:00:00")]
    assert {post["queueId"] for post in shown} == {queue["id"]}
    posts[1] = {name: value for name, value in posts[1].items() if name != "queue"} | {"scheduledFor": day_from_now(9)}
    refused = await send(api, posts, 422, onExisting="update")
    assert [(problem["code"], problem["param"]) for problem in refused["errors"]] == [
        ("changed_since_import", "rows.1.scheduledFor")
    ]
    assert (await send(api, posts, onExisting="update", onConflict="overwrite"))["updated"] == 1
    post = (await api.get(f"/v1/posts/{first['results'][1]['id']}")).json()
    assert (post["scheduledFor"], "queueId" in post) == (day_from_now(9), False)
