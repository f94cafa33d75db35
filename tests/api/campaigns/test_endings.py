"""Campaigns are started, ended and deleted: all of their posts together, or none."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from api.posts.bodies.platform_rules import collect_platform_problems
from domain.campaigns import CampaignStatus
from domain.ids import new_id
from domain.schedule import rfc3339
from reconcile.campaigns import complete_ended_campaigns, end_next_campaign, lift_holds, settle_holds
from store.campaigns.campaigns import CampaignFields, lock_campaign
from store.campaigns.pausing import pause_campaign
from store.models import Campaign, Event, Gate, Post, Target
from tests.api.campaigns.conftest import save_campaign
from tests.api.campaigns.test_posts import BERLIN, NOON, YEAR, create
from tests.api.conftest import Client, patch, problems, read_answer
from tests.stack import Stack
from tests.store.events.listening import listen

pytestmark = pytest.mark.usefixtures("no_pause_remains")


async def do(api: Client, campaign_id: str, action: str, status: int = 200, key: str = "") -> Any:
    headers = {"Idempotency-Key": key or new_id("k")}
    return read_answer(await api.post(f"/v1/campaigns/{campaign_id}/{action}", headers=headers), status)


async def delete_campaign(api: Client, campaign_id: str, status: int = 200, key: str = "", **query: str) -> Any:
    return read_answer(
        await api.delete(f"/v1/campaigns/{campaign_id}", params=query, headers={"Idempotency-Key": key} if key else {}),
        status,
    )


async def read(api: Client, post: Any) -> Any:
    return (await api.get(f"/v1/posts/{post['id']}")).json()


class TestStart:
    async def test_all_drafts_with_times_are_scheduled_and_published(self, api: Client, stack: Stack) -> None:
        campaign_id = await save_campaign(stack, status=CampaignStatus.DRAFT)
        soon = rfc3339(datetime.now(UTC) + timedelta(seconds=4))
        first = await create(api, stack, campaign_id, scheduledFor=soon)
        later = await create(api, stack, campaign_id, scheduledFor=NOON)
        timeless = await create(api, stack, campaign_id, isDraft=True)
        started = await do(api, campaign_id, "start")
        assert (started["status"], started["result"]) == ("active", {"scheduled": 2})
        assert started["progress"]["scheduled"] == 2
        assert (await read(api, later))["status"] == "scheduled"
        assert (await read(api, timeless))["status"] == "draft"
        assert (await stack.settled(first["id"])).status == "published"
        assert (await do(api, campaign_id, "start", 409))["code"] == "conflict"

    async def test_a_problem_of_one_draft_starts_none(self, api: Client, stack: Stack) -> None:
        campaign_id = await save_campaign(stack, BERLIN, CampaignStatus.DRAFT)
        sound = await create(api, stack, campaign_id, scheduledFor=NOON)
        outside = await create(api, stack, campaign_id, scheduledFor=f"{YEAR}-08-01T12:00:00")
        nowhere = await create(api, stack, campaign_id, scheduledFor=NOON, platforms=[])
        target = {"platform": "twitter", "accountId": "tw_unknown"}
        unknown = await create(api, stack, campaign_id, scheduledFor=NOON, platforms=[target])
        past = await create(api, stack, campaign_id, scheduledFor=NOON)
        async with stack.database.transaction() as session:
            (await session.get_one(Post, past["id"])).scheduled_for = datetime.now(UTC) - timedelta(hours=1)
        refused = await do(api, campaign_id, "start", 422)
        assert {(problem["postId"], problem["code"], problem["param"]) for problem in refused["errors"]} == {
            (outside["id"], "outside_window", f"posts.{outside['id']}.scheduledFor"),
            (nowhere["id"], "missing_required_field", f"posts.{nowhere['id']}.platforms"),
            (unknown["id"], "account_not_found", f"posts.{unknown['id']}.platforms.0.accountId"),
            (past["id"], "invalid_field_value", f"posts.{past['id']}.scheduledFor"),
        }
        assert (await read(api, sound))["status"] == "draft"
        assert (await api.get(f"/v1/campaigns/{campaign_id}")).json()["status"] == "draft"

    async def test_a_draft_that_changes_meanwhile_is_checked_again(
        self, api: Client, stack: Stack, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        campaign_id = await save_campaign(stack, status=CampaignStatus.DRAFT)
        post = await create(api, stack, campaign_id, scheduledFor=NOON)
        check, times = collect_platform_problems, iter([f"{YEAR}-06-02T12:00:00Z", None])

        async def change_then_check(*arguments: Any) -> Any:
            checked = await check(*arguments)
            if time := next(times):
                await patch(api, post, scheduledFor=time)
            return checked

        monkeypatch.setattr("api.campaigns.actions.collect_platform_problems", change_then_check)
        await do(api, campaign_id, "start")
        shown = await read(api, post)
        assert (shown["status"], shown["scheduledFor"]) == ("scheduled", f"{YEAR}-06-02T12:00:00Z")

    async def test_starts_with_one_key_are_one(self, api: Client, stack: Stack) -> None:
        campaign_id, key = await save_campaign(stack, status=CampaignStatus.DRAFT), new_id("k")
        await create(api, stack, campaign_id, scheduledFor=NOON)
        answers = await asyncio.gather(*(do(api, campaign_id, "start", key=key) for _ in range(4)))
        assert {answer["operationId"] for answer in answers} == {answers[0]["operationId"]}
        response = await api.post(f"/v1/campaigns/{campaign_id}/start")
        assert [problem["param"] for problem in problems(response)] == ["Idempotency-Key"]


class TestEnd:
    async def test_unsent_posts_become_drafts_and_nothing_is_published_any_more(
        self, api: Client, stack: Stack
    ) -> None:
        campaign_id = await save_campaign(stack)
        public = await create(api, stack, campaign_id, publishNow=True)
        scheduled = await create(api, stack, campaign_id, scheduledFor=NOON)
        ended = await do(api, campaign_id, "end")
        assert (ended["status"], ended["result"], ended["pause"]) == ("ended", {"drafts": 1}, None)
        assert ended["endsAt"] <= rfc3339(datetime.now(UTC))
        shown = await read(api, scheduled)
        assert (shown["status"], shown["skipReason"], shown["scheduledFor"]) == (
            "draft",
            "campaign_ended",
            f"{YEAR}-06-01T12:00:00Z",
        )
        assert (await read(api, public))["status"] == "published"
        assert (await do(api, campaign_id, "end", 409))["code"] == "campaign_ended"
        freed = await patch(api, scheduled, campaignId=None, isDraft=False)
        assert (freed["status"], "skipReason" in freed) == ("scheduled", False)

    async def test_a_post_that_slips_past_the_end_is_held_and_becomes_a_draft(self, api: Client, stack: Stack) -> None:
        campaign_id = await save_campaign(stack)
        await do(api, campaign_id, "end")
        post = await create(api, stack, None, scheduledFor=rfc3339(datetime.now(UTC) + timedelta(seconds=2)))
        async with stack.database.transaction() as session:
            (await session.get_one(Post, post["id"])).campaign_id = campaign_id
        await _until_held(stack, post["id"])
        await settle_holds(stack.database)
        row = await stack.read(post["id"])
        assert (row.status, row.skip_reason, row.due_at) == ("draft", "campaign_ended", None)

    async def test_held_targets_of_a_partly_public_post_fail_and_may_be_retried_elsewhere(
        self, api: Client, stack: Stack
    ) -> None:
        campaign_id = await save_campaign(stack)
        post = await create(api, stack, None, publishNow=True)
        async with stack.database.transaction() as session:
            row = await session.get_one(Post, post["id"])
            row.campaign_id, row.status = campaign_id, "publishing"
            held = Target(
                id=new_id("tgt"),
                post_id=row.id,
                workspace_id=row.workspace_id,
                position=1,
                platform="twitter",
                account_id=stack.accounts["twitter"].id,
                settings={},
                status="held",
                hold_reason="paused",
                due_at=datetime.now(UTC),
            )
            session.add(held)
        await do(api, campaign_id, "end")
        assert (await read(api, post))["status"] == "publishing"
        await settle_holds(stack.database)
        shown = await read(api, post)
        assert shown["status"] == "partial"
        target = shown["platforms"][1]
        assert (target["errorCode"], target["retryable"]) == ("campaign_ended", True)
        refused = await api.post(f"/v1/posts/{post['id']}/retry")
        assert (refused.status_code, problems(refused)[0]["code"]) == (409, "campaign_ended")
        await patch(api, post, campaignId=None)
        retried = (await api.post(f"/v1/posts/{post['id']}/retry")).json()
        assert retried["status"] == "published", retried

    async def test_the_end_ends_a_pause(self, api: Client, stack: Stack) -> None:
        campaign_id = await save_campaign(stack)
        post = await create(api, stack, campaign_id, scheduledFor=NOON)
        async with stack.database.transaction() as session:
            campaign = await lock_campaign(session, stack.workspace_id, campaign_id)
            assert campaign is not None
            await pause_campaign(session, campaign, "a crisis", await stack.actor())
        assert (await api.get(f"/v1/campaigns/{campaign_id}")).json()["pause"]["reason"] == "a crisis"
        ended = await do(api, campaign_id, "end")
        assert (ended["status"], ended["pause"]) == ("ended", None)
        assert (await read(api, post))["skipReason"] == "campaign_ended"
        assert {pause["status"] for pause in (await api.get("/v1/pauses")).json()["pauses"]} == {"ended"}
        async with stack.database.reading() as session:
            gate = (await session.scalars(select(Gate).where(Gate.id == campaign_id))).one()
        assert gate.planned[-1].upper is None or gate.planned[-1].upper_inf

    async def test_a_campaign_whose_end_has_passed_is_ended_by_a_worker(self, api: Client, stack: Stack) -> None:
        campaign_id = await save_campaign(stack)
        post = await create(api, stack, campaign_id, scheduledFor=NOON)
        async with stack.database.transaction() as session:
            campaign = await session.get_one(Campaign, campaign_id)
            campaign.ends_at = ends_at = datetime.now(UTC)
        assert (await api.get(f"/v1/campaigns/{campaign_id}")).json()["status"] == "ended"
        while await end_next_campaign(stack.worker_database):
            pass
        shown = (await api.get(f"/v1/campaigns/{campaign_id}")).json()
        assert (shown["status"], shown["endsAt"]) == ("ended", rfc3339(ends_at))
        assert (await read(api, post))["skipReason"] == "campaign_ended"
        (operation,) = (await api.get(f"/v1/campaigns/{campaign_id}/operations")).json()["operations"]
        assert (operation["kind"], operation["by"], operation["result"]) == ("ended", {"type": "worker"}, {"drafts": 1})

    async def test_an_ended_campaign_is_completed_once_nothing_of_it_is_on_its_way(
        self, api: Client, stack: Stack
    ) -> None:
        await listen(stack.database, stack.workspace_id)
        campaign_id = await save_campaign(stack)
        post = await create(api, stack, None, scheduledFor=NOON)

        async def put(**values: Any) -> None:
            async with stack.database.transaction() as session:
                await session.execute(update(Post).where(Post.id == post["id"]).values(**values))

        async def told_of_campaign() -> list[Any]:
            while await complete_ended_campaigns(stack.worker_database):
                pass
            is_own = Event.type.startswith("campaign.") & (Event.data["campaignId"].as_string() == campaign_id)
            query = select(Event.type, Event.data["status"].as_string()).where(is_own).order_by(Event.seq)
            async with stack.database.reading() as session:
                return [(event_type, status) for event_type, status in await session.execute(query)]

        # A send has begun before the end.
        await put(campaign_id=campaign_id, status="publishing")
        async with stack.database.transaction() as session:
            sending = update(Target).where(Target.post_id == post["id"])
            await session.execute(sending.values(status="publishing", begun_at=datetime.now(UTC)))
        await do(api, campaign_id, "end")
        assert await told_of_campaign() == [("campaign.ended", "ended")]
        await put(status="published")
        assert await told_of_campaign() == [("campaign.ended", "ended"), ("campaign.completed", "ended")]
        assert len(await told_of_campaign()) == 2


class TestDelete:
    async def test_unsent_posts_must_be_meant(self, api: Client, stack: Stack) -> None:
        campaign_id = await save_campaign(stack)
        await create(api, stack, campaign_id, scheduledFor=NOON)
        refused = await delete_campaign(api, campaign_id, 409)
        assert (refused["code"], refused["param"]) == ("campaign_has_unsent_posts", "posts")
        assert (await delete_campaign(api, campaign_id, 400, posts="drop"))["param"] == "posts"
        assert (await api.get(f"/v1/campaigns/{campaign_id}")).status_code == 200

    async def test_kept_posts_leave_the_campaign_and_stay_scheduled(self, api: Client, stack: Stack) -> None:
        campaign_id = await save_campaign(stack)
        scheduled = await create(api, stack, campaign_id, scheduledFor=NOON)
        draft = await create(api, stack, campaign_id, isDraft=True)
        public = await create(api, stack, campaign_id, publishNow=True)
        version = (await stack.read(scheduled["id"])).version
        deleted = await delete_campaign(api, campaign_id, posts="keep")
        assert deleted["result"] == {"name": "Black Friday", "deleted": 0, "kept": 2}
        for post in (scheduled, draft):
            shown = await read(api, post)
            assert (shown["status"], "campaignId" in shown) == (post["status"], False)
        assert (await stack.read(scheduled["id"])).version == version + 1
        assert (await read(api, public))["campaignId"] == campaign_id
        assert (await api.get(f"/v1/campaigns/{campaign_id}")).status_code == 404
        kinds = [
            operation["kind"]
            for operation in (await api.get(f"/v1/campaigns/{campaign_id}/operations")).json()["operations"]
        ]
        assert kinds == ["deleted"]

    async def test_deleted_posts_are_never_published_and_their_history_stays(self, api: Client, stack: Stack) -> None:
        campaign_id = await save_campaign(stack)
        post = await create(api, stack, campaign_id, scheduledFor=rfc3339(datetime.now(UTC) + timedelta(hours=1)))
        draft = await create(api, stack, campaign_id, isDraft=True)
        workflow_id = (await stack.read(post["id"])).workflow_id
        key = new_id("k")
        deleted = await delete_campaign(api, campaign_id, posts="delete", key=key)
        assert deleted["result"]["deleted"] == 2
        assert await delete_campaign(api, campaign_id, posts="delete", key=key) == deleted
        for gone in (post, draft):
            assert (await api.get(f"/v1/posts/{gone['id']}")).status_code == 404
            events = (await api.get(f"/v1/posts/{gone['id']}/history")).json()["events"]
            assert [event["action"] for event in events] == ["created", "deleted"]
        listed = (await api.get("/v1/posts/deleted")).json()["posts"]
        assert {post["id"], draft["id"]} <= {entry["id"] for entry in listed}
        handle = stack.client.get_workflow_handle(workflow_id)
        async with asyncio.timeout(60):
            await handle.result()

    async def test_a_paused_campaign_does_not_keep_its_posts(self, api: Client, stack: Stack) -> None:
        campaign_id = await save_campaign(stack, status=CampaignStatus.PAUSED)
        await create(api, stack, campaign_id, scheduledFor=NOON)
        assert (await delete_campaign(api, campaign_id, 409, posts="keep"))["code"] == "paused"
        await delete_campaign(api, campaign_id, posts="delete")

    async def test_an_empty_campaign_is_deleted_without_more_words(self, api: Client, stack: Stack) -> None:
        campaign_id = await save_campaign(stack)
        await delete_campaign(api, campaign_id)
        await delete_campaign(api, campaign_id, 404)


async def test_a_blackout_that_begins_holds_what_is_late_and_lets_it_go_when_it_ends(api: Client, stack: Stack) -> None:
    campaign_id = await save_campaign(stack, CampaignFields("late"))
    post = await create(api, stack, campaign_id, scheduledFor=rfc3339(datetime.now(UTC) + timedelta(seconds=3)))
    today = datetime.now(UTC).date().isoformat()
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).date().isoformat()
    change = {"blackouts": [{"from": today, "to": tomorrow}]}
    refused = await api.patch(f"/v1/campaigns/{campaign_id}", json=change)
    assert problems(refused)[0]["code"] == "posts_in_blackout"
    async with stack.database.transaction() as session:
        # As if the post had been created while the campaign was changed.
        await session.execute(update(Post).where(Post.id == post["id"]).values(campaign_id=None))
    changed = await api.patch(f"/v1/campaigns/{campaign_id}", json=change)
    assert changed.status_code == 200, changed.text
    async with stack.database.transaction() as session:
        await session.execute(update(Post).where(Post.id == post["id"]).values(campaign_id=campaign_id))
    await _until_held(stack, post["id"])
    await api.patch(f"/v1/campaigns/{campaign_id}", json={"blackouts": []})
    await lift_holds(stack.database)
    await stack.deliver(await stack.read(post["id"]))
    assert (await stack.settled(post["id"])).status == "published"


async def _until_held(stack: Stack, post_id: str) -> None:
    for _ in range(300):
        row = await stack.read(post_id)
        if any(target.hold_reason == "paused" for target in row.targets):
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"{post_id} was not held")
