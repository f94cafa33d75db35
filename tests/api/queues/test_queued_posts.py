"""Posts in queues: each gets the first free slot, no slot is given twice, and what leaves its slot frees it."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from domain.campaigns import Blackout, CampaignStatus
from domain.schedule import ScheduledTime
from store.campaigns.campaigns import CampaignFields
from tests.api.campaigns.conftest import save_campaign
from tests.api.conftest import Client, create, patch, read_answer
from tests.api.queues.conftest import (
    CLOSED_TODAY,
    IN_THREE_DAYS,
    IN_TWO_DAYS,
    TOMORROW,
    WEEK,
    account,
    day_from_now,
    make_queue,
    queued,
    slots,
)
from tests.stack import Stack
from tests.statements import Statement

LATER = [{"days": WEEK, "time": "09:00"}]


async def test_posts_get_the_free_slots_one_after_the_other(api: Client, stack: Stack, queue: Any) -> None:
    first = await create(api, queued(stack, "first in line"))
    second = await create(api, queued(stack, "second in line", queue=queue["id"]))
    assert [post["scheduledFor"] for post in (first, second)] == [TOMORROW, IN_TWO_DAYS]
    assert {first["queueId"], second["queueId"]} == {queue["id"]}
    assert (first["status"], first["timezone"]) == ("scheduled", "UTC")
    assert (await api.get(f"/v1/posts/{first['id']}")).json() == first
    taken = await slots(api, queue)
    assert (taken[TOMORROW], taken[IN_TWO_DAYS], taken[IN_THREE_DAYS]) == (first["id"], second["id"], None)


async def test_a_queued_post_is_published_in_its_slot(api: Client, stack: Stack) -> None:
    due = datetime.now(UTC) + timedelta(minutes=1, seconds=2)
    at = due + timedelta(minutes=1) - timedelta(seconds=due.second)
    queue = await make_queue(api, accounts=[account(stack)], slots=[{"days": WEEK, "time": f"{at:%H:%M}"}])
    post = await create(api, queued(stack, "published in its slot"))
    assert post["scheduledFor"] == f"{at:%Y-%m-%dT%H:%M:00Z}"
    # The wait of a minute is the row's: its time is moved here, not by the client.
    async with stack.database.transaction() as session:
        await session.execute(
            text("UPDATE posts SET due_at = now(), scheduled_for = now(), version = version + 1 WHERE id = :id"),
            {"id": post["id"]},
        )
    await stack.deliver(await stack.read(post["id"]))
    async with asyncio.timeout(60):
        while (shown := (await api.get(f"/v1/posts/{post['id']}")).json())["status"] != "published":  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    assert shown["queueId"] == queue["id"], "it keeps the queue that gave it its time"


async def test_the_slot_is_a_wall_time_of_the_queue(api: Client, stack: Stack) -> None:
    queue = await make_queue(api, timezone="Pacific/Auckland", slots=[{"days": WEEK, "time": "09:00"}])
    post = await create(api, queued(stack, "in Auckland", queue=queue["id"]))
    assert post["timezone"] == "Pacific/Auckland"
    assert post["scheduledForLocal"].endswith("T09:00:00")


@pytest.mark.parametrize(
    "beside",
    [{"scheduledFor": "2030-12-02T09:00:00Z"}, {"publishNow": True}, {"isDraft": True}, {"timezone": "Europe/Berlin"}],
)
async def test_queue_beside_another_time_is_refused(
    api: Client, stack: Stack, queue: Any, beside: dict[str, Any]
) -> None:
    body = queued(stack, "two times", **beside)
    refused = await create(api, body, 400)
    assert [problem["param"] for problem in refused["errors"]] == ["queue"]
    (name,) = beside
    assert name in refused["error"]
    post = await create(api, {"content": "a draft"})
    assert (await patch(api, post, 400, platforms=body["platforms"], queue="next", **beside))["param"] == "queue"
    assert (await slots(api, queue))[TOMORROW] is None


async def test_next_needs_one_queue_of_all_accounts(api: Client, stack: Stack, queue: Any) -> None:
    refused = await create(api, queued(stack, "no queue", "twitter"), 422)
    (problem,) = refused["errors"]
    assert (problem["code"], problem["param"]) == ("queue_not_found", "platforms.0.accountId")
    mixed = await create(api, queued(stack, "one of two", "plain", "twitter"), 422)
    assert [problem["param"] for problem in mixed["errors"]] == ["platforms.1.accountId"]
    await make_queue(api, name="other", accounts=[account(stack, "twitter")])
    several = await create(api, queued(stack, "two queues", "plain", "twitter"), 422)
    assert (several["code"], several["param"]) == ("ambiguous_queue", "queue")
    named = await create(api, queued(stack, "named", "plain", "twitter", queue=queue["id"]))
    assert named["queueId"] == queue["id"]


async def test_an_unknown_queue_is_refused(api: Client, stranger: Client, stack: Stack, queue: Any) -> None:
    for name in ("que_unknown", "Next", "\u202e"):
        refused = await create(api, queued(stack, "unknown", queue=name), 422)
        assert (refused["code"], refused["param"]) == ("queue_not_found", "queue")
    others = await make_queue(stranger)
    assert (await create(api, queued(stack, "another's", queue=others["id"]), 422))["code"] == "queue_not_found"


async def test_a_queue_without_a_free_slot_is_full(api: Client, stack: Stack) -> None:
    first = day_from_now(0)[:10]
    queue = await make_queue(
        api,
        blackouts=[{"from": first, "to": day_from_now(363)[:10]}, {"from": day_from_now(365)[:10], "to": "2200-01-01"}],
    )
    await create(api, queued(stack, "the last slot", queue=queue["id"]))
    refused = await create(api, queued(stack, "one too many", queue=queue["id"]), 422)
    assert (refused["code"], refused["param"]) == ("queue_full", "queue")


async def test_platforms_refuse_before_a_slot_is_taken(api: Client, stack: Stack, queue: Any) -> None:
    assert (await create(api, queued(stack, "x" * 10_000), 422))["code"] != "queue_full"
    assert (await slots(api, queue))[TOMORROW] is None


@pytest.mark.parametrize(
    "leave",
    [
        {"isDraft": True},
        {"scheduledFor": "2030-12-02T09:00:00Z"},
        {"shiftBy": "PT1H"},
        {"timezone": "Europe/Berlin"},
        {"publishNow": True},
    ],
)
async def test_a_post_that_gets_another_time_frees_its_slot(
    api: Client, stack: Stack, queue: Any, leave: dict[str, Any]
) -> None:
    post = await create(api, queued(stack, f"leaves by {leave}"))
    waiting = await create(api, queued(stack, f"waits behind {leave}"))
    changed = await patch(api, post, **leave)
    assert "queueId" not in changed
    assert (await slots(api, queue))[TOMORROW] is None
    assert (await api.get(f"/v1/posts/{waiting['id']}")).json() == waiting, "nothing else moves"
    assert (await create(api, queued(stack, f"fills the gap of {leave}")))["scheduledFor"] == TOMORROW


async def test_a_deleted_post_frees_its_slot(api: Client, stack: Stack, queue: Any) -> None:
    post = await create(api, queued(stack, "deleted"))
    assert (await api.delete(f"/v1/posts/{post['id']}")).status_code == 200
    assert (await slots(api, queue))[TOMORROW] is None


async def test_a_post_whose_time_stays_keeps_its_slot(api: Client, stack: Stack, queue: Any) -> None:
    post = await create(api, queued(stack, "first text"))
    changed = await patch(api, post, content="second text")
    assert (changed["queueId"], changed["scheduledFor"]) == (queue["id"], TOMORROW)
    whole = await patch(api, post, **changed)
    assert (whole["queueId"], whole["scheduledFor"]) == (queue["id"], TOMORROW)
    assert (await patch(api, post, 400, queueId="que_other"))["param"] == "queueId"


async def test_whatever_writes_the_row_frees_the_slot(api: Client, stack: Stack, queue: Any) -> None:
    post = await create(api, queued(stack, "written by a statement"))
    async with stack.database.transaction() as session:
        await session.execute(
            text("UPDATE posts SET status = 'draft', due_at = NULL WHERE id = :id"), {"id": post["id"]}
        )
    assert (await slots(api, queue))[TOMORROW] is None


async def test_patch_gives_a_slot_to_drafts_and_scheduled_posts(api: Client, stack: Stack, queue: Any) -> None:
    draft = await create(api, {"content": "a draft", "platforms": [account(stack)]})
    scheduled = await create(
        api, {"content": "at a time", "platforms": [account(stack)], "scheduledFor": "2030-12-02T09:00"}
    )
    assert (await patch(api, draft, queue="next"))["scheduledFor"] == TOMORROW
    moved = await patch(api, scheduled, queue=queue["id"])
    assert (moved["scheduledFor"], moved["queueId"], moved["status"]) == (IN_TWO_DAYS, queue["id"], "scheduled")


async def test_a_repeated_patch_keeps_the_slot_or_finds_an_earlier_one(api: Client, stack: Stack, queue: Any) -> None:
    first = await create(api, queued(stack, "before"))
    post = await create(api, queued(stack, "behind"))
    assert (await patch(api, post, queue="next"))["scheduledFor"] == IN_TWO_DAYS, "its own slot is free for it"
    await api.delete(f"/v1/posts/{first['id']}")
    assert (await patch(api, post, queue="next"))["scheduledFor"] == TOMORROW
    assert (await slots(api, queue))[IN_TWO_DAYS] is None


async def test_a_post_moves_to_another_queue(api: Client, stack: Stack, queue: Any) -> None:
    other = await make_queue(api, name="other", blackouts=CLOSED_TODAY)
    post = await create(api, queued(stack, "moves over"))
    moved = await patch(api, post, queue=other["id"])
    assert (moved["queueId"], moved["scheduledFor"]) == (other["id"], TOMORROW)
    assert ((await slots(api, queue))[TOMORROW], (await slots(api, other))[TOMORROW]) == (None, post["id"])


async def test_a_post_of_a_campaign_gets_a_slot_in_its_window(api: Client, stack: Stack, queue: Any) -> None:
    days = [datetime.now(UTC).replace(hour=0, minute=0) + timedelta(days=day) for day in range(7)]
    fields = CampaignFields(
        "window",
        starts=ScheduledTime(days[2], None, "UTC"),
        ends=ScheduledTime(days[5], None, "UTC"),
        blackouts=(Blackout(days[3].date(), days[3].date()),),
    )
    campaign = await save_campaign(stack, fields)
    first = await create(api, queued(stack, "in the window", campaignId=campaign))
    assert first["scheduledFor"] == IN_TWO_DAYS, "not before the campaign begins"
    second = await create(api, queued(stack, "after the blackout", campaignId=campaign))
    assert second["scheduledFor"] == day_from_now(4)
    full = await create(api, queued(stack, "after its end", campaignId=campaign), 422)
    assert full["code"] == "queue_full"
    assert (await create(api, queued(stack, "of no campaign")))["scheduledFor"] == TOMORROW
    twice_a_day = [{"days": WEEK, "time": "09:00"}, {"days": WEEK, "time": "10:00"}]
    await api.patch(f"/v1/queues/{queue['id']}", json={"slots": twice_a_day, "reflow": True})
    moved = [(await api.get(f"/v1/posts/{post['id']}")).json()["scheduledFor"] for post in (first, second)]
    assert moved == [IN_TWO_DAYS, day_from_now(2, "10:00:00")]


async def test_a_campaign_that_has_not_started_takes_no_slot(api: Client, stack: Stack, queue: Any) -> None:
    campaign = await save_campaign(stack, status=CampaignStatus.DRAFT)
    refused = await create(api, queued(stack, "not started", campaignId=campaign), 409)
    assert refused["code"] == "campaign_not_started"
    verdict = (await api.post("/v1/posts/validate", json=queued(stack, "not started", campaignId=campaign))).json()
    assert [problem["code"] for problem in verdict["errors"]] == ["campaign_not_started"]
    draft = await create(api, {"content": "a draft", "platforms": [account(stack)], "campaignId": campaign})
    assert (await patch(api, draft, 409, queue="next"))["code"] == "campaign_not_started"
    assert (await slots(api, queue))[TOMORROW] is None


async def test_validate_says_which_slot_it_would_be(api: Client, stack: Stack, queue: Any) -> None:
    body = queued(stack, "only validated")
    verdict = (await api.post("/v1/posts/validate", json=body)).json()
    assert verdict["slot"] == {"queueId": queue["id"], "scheduledFor": TOMORROW, "timezone": "UTC"}
    assert (await slots(api, queue))[TOMORROW] is None, "it is not reserved"
    wrong = (await api.post("/v1/posts/validate", json=queued(stack, "x", "twitter"))).json()
    assert (wrong["valid"], wrong["errors"][0]["code"]) == (False, "queue_not_found")
    assert "slot" not in wrong


async def test_bulk_creates_and_updates_take_slots(api: Client, stack: Stack, queue: Any) -> None:
    items = [queued(stack, f"bulk {number}", externalId=f"bulk-queue-{number}") for number in range(4)]
    created = (await api.post("/v1/posts/bulk", json={"posts": items})).json()
    times = {result["scheduledFor"] for result in created["results"]}
    assert times == {day_from_now(days) for days in range(1, 5)}
    again = (await api.post("/v1/posts/bulk", json={"posts": items})).json()
    assert {result["scheduledFor"] for result in again["results"]} == times, "a repeat takes no further slot"
    other = await make_queue(api, name="other", blackouts=CLOSED_TODAY)
    ids = [result["id"] for result in created["results"]]
    change = {"posts": [{"id": post_id, "queue": other["id"]} for post_id in ids]}
    response = await api.post("/v1/posts/bulk/update", json=change, headers={"Idempotency-Key": "bulk-queue-update"})
    assert {result["scheduledFor"] for result in response.json()["results"]} == times
    assert set((await slots(api, queue)).values()) == {None}


async def test_a_request_for_many_searches_a_full_queue_once(
    api: Client, stack: Stack, statements: list[Statement]
) -> None:
    closed = [{"from": day_from_now(0)[:10], "to": day_from_now(400)[:10]}]
    await make_queue(api, accounts=[account(stack)], blackouts=closed)
    posts = [queued(stack, f"no slot {number}", externalId=f"no-slot-{number}") for number in range(20)]
    for path in ("/v1/posts/bulk/validate", "/v1/posts/bulk"):
        statements.clear()
        answer = read_answer(await api.post(path, json={"posts": posts}))
        assert answer["failed"] == len(posts)
        searches = [statement for statement in statements if "posts.scheduled_wall >=" in statement.text]
        assert 0 < len(searches) < len(posts), "those that a search at the same time has begun"


async def test_posts_of_one_update_keep_their_slots(api: Client, stack: Stack, queue: Any) -> None:
    posts = [await create(api, queued(stack, f"keeps {number}")) for number in range(8)]
    change = {"posts": [{"id": post["id"], "queue": "next"} for post in reversed(posts)]}
    response = await api.post("/v1/posts/bulk/update", json=change, headers={"Idempotency-Key": "keeps-slots"})
    answer = read_answer(response)
    assert (answer["failed"], answer["total"]) == (0, len(posts))
    times = [(await api.get(f"/v1/posts/{post['id']}")).json()["scheduledFor"] for post in posts]
    assert times == [post["scheduledFor"] for post in posts]


async def test_a_key_takes_one_slot(api: Client, stack: Stack, queue: Any) -> None:
    body, headers = queued(stack, "sent twice"), {"Idempotency-Key": "one-slot"}
    first, second = await asyncio.gather(api.send_post(body, **headers), api.send_post(body, **headers))
    assert first.json() == second.json()
    assert [post_id for post_id in (await slots(api, queue)).values() if post_id] == [first.json()["id"]]


async def test_no_slot_is_given_twice_to_many_callers(api: Client, stack: Stack, queue: Any) -> None:
    moving = [await create(api, queued(stack, f"moving {number}")) for number in range(8)]

    async def take(number: int) -> str:
        return str((await create(api, queued(stack, f"at once {number}")))["scheduledFor"])

    async def move(post: Any) -> None:
        await patch(api, post, scheduledFor="2030-12-02T09:00:00Z")

    times = await asyncio.gather(*(take(number) for number in range(64)))
    assert len(set(times)) == 64
    more, _ = await asyncio.gather(
        asyncio.gather(*(take(number) for number in range(64, 96))), asyncio.gather(*(move(post) for post in moving))
    )
    assert len({*times, *more}) == 96


async def test_callers_whose_connections_are_killed_get_one_slot_each(api: Client, stack: Stack, queue: Any) -> None:
    killed = 0

    async def take(number: int) -> str:
        body, key = queued(stack, f"killed {number}"), {"Idempotency-Key": f"killed-{queue['id']}-{number}"}
        while (response := await api.send_post(body, **key)).status_code == 503:  # noqa: ASYNC110 a client waits, too
            await asyncio.sleep(0.05)
        assert response.status_code == 201, response.text
        return str(response.json()["scheduledFor"])

    async def kill() -> None:
        nonlocal killed
        while killed < 10:
            async with stack.database.reading() as session:
                killed += len(list(await session.scalars(_KILL)))
            await asyncio.sleep(0.02)

    killing = asyncio.create_task(kill())
    times = await asyncio.gather(*(take(number) for number in range(64)))
    killing.cancel()
    assert len(set(times)) == 64
    async with stack.database.reading() as session:
        posts = await session.scalar(text("SELECT count(*) FROM posts WHERE queue_id = :id"), {"id": queue["id"]})
    assert (posts, killed > 0) == (64, True)


_KILL = text("""
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'
  AND (query LIKE '%FROM queues%FOR UPDATE%' OR query LIKE '%create_post_v1%' OR query LIKE '%posts.queue_id = %')
LIMIT 1
""")


async def test_a_deleted_queue_leaves_its_posts_their_times(api: Client, stack: Stack, queue: Any) -> None:
    post = await create(api, queued(stack, "outlives its queue"))
    assert (await api.delete(f"/v1/queues/{queue['id']}")).json() == {"id": queue["id"], "deleted": True}
    shown = (await api.get(f"/v1/posts/{post['id']}")).json()
    assert "queueId" not in shown
    assert (shown["scheduledFor"], shown["status"]) == (TOMORROW, "scheduled")


async def test_a_change_of_the_slots_moves_no_post(api: Client, stack: Stack, queue: Any) -> None:
    post = await create(api, queued(stack, "stays"))
    path = f"/v1/queues/{queue['id']}"
    await api.patch(path, json={"slots": [{"days": WEEK, "time": "10:00"}]})
    assert (await api.get(f"/v1/posts/{post['id']}")).json() == post
    assert (await slots(api, queue))[TOMORROW] == post["id"], "it is listed although it is no slot any more"
