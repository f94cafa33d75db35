"""Campaigns over HTTP: created, listed, changed, and each operation done once and recorded."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from domain.campaigns import CampaignStatus
from domain.ids import new_id
from store.campaigns.campaigns import CampaignFields
from store.models import Campaign
from tests.api.campaigns.conftest import save_campaign
from tests.api.campaigns.test_posts import NOON, YEAR, post_body
from tests.api.campaigns.test_posts import create as create_post
from tests.api.conftest import Client, problems, read_answer
from tests.stack import Stack

BODY: dict[str, Any] = {
    "name": "Summer",
    "tags": ["s1"],
    "timezone": "Europe/Berlin",
    "startsAt": f"{YEAR}-05-01T00:00:00",
    "endsAt": f"{YEAR}-07-01T00:00:00",
    "blackouts": [{"from": f"{YEAR}-06-10", "to": f"{YEAR}-06-12", "reason": "a fair"}],
}


async def create(api: Client, status: int = 201, key: str | None = None, **fields: Any) -> Any:
    headers = {"Idempotency-Key": key} if key else {}
    return read_answer(await api.post("/v1/campaigns", json={"name": "Summer", **fields}, headers=headers), status)


async def patch(api: Client, campaign_id: str, status: int = 200, key: str | None = None, **change: Any) -> Any:
    headers = {"Idempotency-Key": key} if key else {}
    return read_answer(await api.patch(f"/v1/campaigns/{campaign_id}", json=change, headers=headers), status)


async def test_a_campaign_is_answered_as_it_was_created(api: Client) -> None:
    campaign = await create(api, **BODY)
    assert (campaign["status"], campaign["version"], campaign["pause"]) == ("active", 1, None)
    assert (campaign["startsAt"], campaign["startsAtLocal"]) == (f"{YEAR}-04-30T22:00:00Z", f"{YEAR}-05-01T00:00:00")
    assert campaign["blackouts"] == BODY["blackouts"]
    assert campaign["progress"]["total"] == 0
    read = (await api.get(f"/v1/campaigns/{campaign['id']}")).json()
    assert read == {name: value for name, value in campaign.items() if name not in {"operationId", "result"}} | {
        "progress": read["progress"]
    }
    assert (await create(api, isDraft=True))["status"] == "draft"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"name": ""}, "name"),
        ({"timezone": "Europe/Berlino"}, "timezone"),
        ({"startsAt": "tomorrow"}, "startsAt"),
        ({"startsAt": f"{YEAR}-02-30T00:00:00"}, "startsAt"),
        ({"startsAt": "9999-12-31T23:59:59-12:00"}, "startsAt"),
        ({"endsAt": "2020-01-01T00:00:00"}, "endsAt"),
        ({"endsAt": f"{YEAR + 9}-01-01T00:00:00Z"}, "endsAt"),
        ({"startsAt": f"{YEAR}-02-02T00:00:00", "endsAt": f"{YEAR}-02-01T00:00:00"}, "endsAt"),
        ({"blackouts": [{"from": f"{YEAR}-02-30", "to": f"{YEAR}-03-01"}]}, "blackouts.0.from"),
        ({"blackouts": [{"from": f"{YEAR}-03-02", "to": f"{YEAR}-03-01"}]}, "blackouts.0.to"),
        ({"blackouts": [{"from": f"{YEAR}-03-02", "to": "9999-12-31"}]}, "blackouts.0.to"),
        ({"blackouts": [{"from": "0001-01-01", "to": f"{YEAR}-03-01"}]}, "blackouts.0.from"),
        ({"blackouts": [{"from": f"{YEAR}-03-02"}]}, "blackouts.0.to"),
        ({"blackouts": [{"from": f"{YEAR}-03-01", "to": f"{YEAR}-03-01"}] * 201}, "blackouts"),
        ({"nme": "x"}, "nme"),
    ],
)
async def test_a_wrong_field_is_named(api: Client, fields: dict[str, Any], param: str) -> None:
    campaign = await create(api)
    for response in (
        await api.post("/v1/campaigns", json={"name": "x", **fields}),
        await api.patch(f"/v1/campaigns/{campaign['id']}", json=fields),
    ):
        assert response.status_code == 400, response.text
        assert [problem["param"] for problem in problems(response)] == [param]


async def test_requests_with_one_key_create_one_campaign(api: Client) -> None:
    key = new_id("k")
    answers = await asyncio.gather(*(create(api, key=key, **BODY) for _ in range(5)))
    assert len({answer["id"] for answer in answers}) == len({answer["operationId"] for answer in answers}) == 1
    assert (await create(api, 422, key=key, name="another"))["code"] == "idempotency_key_reused"
    replay = await api.post("/v1/campaigns", json={"name": "Summer", **BODY}, headers={"Idempotency-Key": key})
    assert replay.headers["Idempotent-Replayed"] == "true"
    # A key names one request of the workspace, whatever that asks for.
    post = await api.post("/v1/posts", json={"content": "A draft", "isDraft": True}, headers={"Idempotency-Key": key})
    assert (post.status_code, post.json()["code"]) == (422, "idempotency_key_reused")


async def test_campaigns_are_listed_by_status_and_tag_in_pages(api: Client, stack: Stack) -> None:
    tag = new_id("t")
    ids = [(await create(api, tags=[tag, "x"], isDraft=draft))["id"] for draft in (False, True, False)]
    # Its end has passed, and its row does not say that it has ended.
    ids.append(await save_campaign(stack, CampaignFields("past", tags=[tag])))
    async with stack.database.transaction() as session:
        (await session.get_one(Campaign, ids[-1])).ends_at = datetime.now(UTC) - timedelta(seconds=1)

    async def listed(**query: Any) -> Any:
        return (await api.get("/v1/campaigns", params={"tag": tag, **query})).json()

    async def listed_ids(**query: Any) -> list[str]:
        return [campaign["id"] for campaign in (await listed(**query))["campaigns"]]

    page = await listed(limit=3)
    rest = await listed_ids(cursor=page["cursor"])
    assert [campaign["id"] for campaign in page["campaigns"]] + rest == ids[::-1]
    assert await listed_ids(status="active") == [ids[2], ids[0]]
    assert await listed_ids(status="draft") == [ids[1]]
    assert await listed_ids(status="ended") == [ids[3]]
    assert (await api.get("/v1/campaigns", params={"status": "over"})).status_code == 400
    assert (await api.get("/v1/campaigns", params={"cursor": "x"})).status_code == 400


async def test_another_workspace_sees_no_campaign(api: Client, stranger: Client) -> None:
    campaign = await create(api)
    path = f"/v1/campaigns/{campaign['id']}"
    for response in (
        await stranger.get(path),
        await stranger.get(f"{path}/operations"),
        await stranger.patch(path, json={"name": "mine"}),
        await api.get("/v1/campaigns/cmp_1"),
        await api.get("/v1/campaigns/cmp_1/operations"),
        await api.patch("/v1/campaigns/%00", json={}),
    ):
        assert response.status_code == 404, response.text
    assert (await stranger.get("/v1/campaigns")).json()["campaigns"] == []


async def test_progress_says_where_the_posts_are(api: Client, stack: Stack) -> None:
    campaign = await create(api)
    for number in range(3):
        await create_post(api, stack, campaign["id"], scheduledFor=f"{YEAR}-06-0{number + 1}T10:00:00Z")
    await create_post(api, stack, campaign["id"], isDraft=True)
    await create_post(api, stack, campaign["id"], publishNow=True)
    await asyncio.sleep(1.1)
    shown = (await api.get(f"/v1/campaigns/{campaign['id']}")).json()
    progress = shown["progress"]
    assert {name: count for name, count in progress.items() if count} == {
        "asOf": progress["asOf"],
        "total": 5,
        "draft": 1,
        "scheduled": 3,
        "published": 1,
    }
    assert (shown["nextAt"], shown["lastAt"]) == (f"{YEAR}-06-01T10:00:00Z", f"{YEAR}-06-03T10:00:00Z")


async def test_progress_is_counted_once_a_second_however_many_ask(api: Client, statements: list[Any]) -> None:
    campaign = await create(api)
    await asyncio.sleep(1.1)
    statements.clear()
    answers = await asyncio.gather(*(api.get(f"/v1/campaigns/{campaign['id']}") for _ in range(20)))
    assert {answer.status_code for answer in answers} == {200}
    counts = [statement for statement in statements if "'skipped'" in statement.text]
    assert len(counts) == 1


async def test_posts_that_a_change_does_not_allow_are_named_or_skipped(api: Client, stack: Stack) -> None:
    campaign = await create(api, timezone="Europe/Berlin")
    early, middle, late = [
        (await create_post(api, stack, campaign["id"], scheduledFor=f"{YEAR}-0{month}-01T12:00:00"))["id"]
        for month in (5, 6, 7)
    ]
    draft = await create_post(api, stack, campaign["id"], isDraft=True, scheduledFor=f"{YEAR}-08-01T12:00:00")
    change: dict[str, Any] = {
        "startsAt": f"{YEAR}-05-01T12:00:01",
        "endsAt": f"{YEAR}-07-01T12:00:00",
        "blackouts": [{"from": f"{YEAR}-06-01", "to": f"{YEAR}-06-01"}],
    }
    refused = await patch(api, campaign["id"], 409, **change)
    assert [(problem["code"], problem["postId"]) for problem in refused["errors"]] == [
        ("posts_outside_window", early),
        ("posts_outside_window", late),
        ("posts_in_blackout", middle),
    ]
    assert "2 scheduled posts" in refused["error"]
    unchanged = (await api.get(f"/v1/campaigns/{campaign['id']}")).json()
    assert (unchanged["version"], unchanged["startsAt"]) == (1, None)
    changed = await patch(api, campaign["id"], **change, conflicts="skip")
    assert (changed["version"], changed["result"]["skipped"]) == (2, 3)
    for post_id, reason in ((early, "outside_window"), (middle, "in_blackout"), (late, "outside_window")):
        post = (await api.get(f"/v1/posts/{post_id}")).json()
        assert (post["status"], post["skipReason"]) == ("draft", reason)
        assert post["scheduledFor"] is not None
    assert "skipReason" not in (await api.get(f"/v1/posts/{draft['id']}")).json()


async def test_a_new_zone_keeps_wall_times(api: Client) -> None:
    campaign = await create(api, **BODY | {"endsAt": f"{YEAR}-07-01T00:00:00Z"})
    moved = await patch(api, campaign["id"], timezone="America/New_York")
    assert (moved["startsAt"], moved["startsAtLocal"]) == (f"{YEAR}-05-01T04:00:00Z", f"{YEAR}-05-01T00:00:00")
    assert moved["endsAt"] == f"{YEAR}-07-01T00:00:00Z"
    gone = await patch(api, campaign["id"], startsAt=None, endsAt=None, blackouts=[])
    assert (gone["startsAt"], gone["endsAt"], gone["blackouts"]) == (None, None, [])
    assert (await patch(api, campaign["id"], 400, name=None))["param"] == "name"


async def test_blackouts_and_the_end_are_planned_for_the_gate(api: Client, stack: Stack) -> None:
    campaign = await create(api, **BODY)

    async def is_closed(moment: str) -> bool:
        query = text("SELECT planned @> CAST(:moment AS timestamptz) FROM gates WHERE kind = 'campaign' AND id = :id")
        async with stack.database.reading() as session:
            values = {"moment": datetime.fromisoformat(moment), "id": campaign["id"]}
            return bool(await session.scalar(query, values))

    times = {"06-09T21:59:59": False, "06-09T22:00:00": True, "06-12T21:59:59": True, "06-12T22:00:00": False}
    for time, closed in {**times, "06-30T21:59:59": False, "06-30T22:00:00": True, "12-30T00:00:00": True}.items():
        assert await is_closed(f"{YEAR}-{time}Z") is closed, time
    await patch(api, campaign["id"], endsAt=None, blackouts=[])
    assert not await is_closed(f"{YEAR}-06-10T12:00:00Z")
    assert not await is_closed(f"{YEAR}-12-30T00:00:00Z")


async def test_an_ended_campaign_changes_its_name_only(api: Client, stack: Stack) -> None:
    campaign_id = await save_campaign(stack, status=CampaignStatus.ENDED)
    assert (await patch(api, campaign_id, name="then", tags=["old"]))["name"] == "then"
    assert (await patch(api, campaign_id, 409, endsAt=NOON))["code"] == "campaign_ended"


async def test_operations_say_who_did_what(api: Client) -> None:
    campaign = await create(api)
    key = new_id("k")
    changes = [await patch(api, campaign["id"], key=key, name="Autumn") for _ in range(2)]
    assert changes[0]["operationId"] == changes[1]["operationId"]
    path = f"/v1/campaigns/{campaign['id']}/operations"
    page = (await api.get(path, params={"limit": 1})).json()
    rest = (await api.get(path, params={"cursor": page["cursor"]})).json()
    operations = page["operations"] + rest["operations"]
    assert [(operation["kind"], operation["result"]) for operation in operations] == [
        ("changed", {"fields": ["name"], "skipped": 0}),
        ("created", {}),
    ]
    assert all(operation["by"]["type"] == "api_key" for operation in operations)


async def test_a_workspace_has_a_limited_number_of_campaigns(api: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    count = len((await api.get("/v1/campaigns")).json()["campaigns"])
    monkeypatch.setattr("api.campaigns.actions.MOST_CAMPAIGNS", count + 1)
    responses = await asyncio.gather(*(api.post("/v1/campaigns", json={"name": "x"}) for _ in range(4)))
    assert sorted(response.status_code for response in responses) == [201, 429, 429, 429]
    assert {problems(response)[0]["code"] for response in responses if response.is_error} == {"too_many_campaigns"}


class TestWithPosts:
    async def test_a_campaign_and_its_posts_are_created_together(self, api: Client, stack: Stack) -> None:
        times = (f"{YEAR}-05-02T09:00:00", f"{YEAR}-06-30T18:00:00")
        posts = [post_body(stack, None, externalId=new_id("x"), scheduledFor=time) for time in times]
        campaign = await create(api, key=new_id("k"), **BODY, posts=[*posts, post_body(stack, None)])
        assert (campaign["progress"]["total"], campaign["progress"]["draft"], campaign["result"]["posts"]) == (3, 1, 3)
        assert (campaign["nextAt"], campaign["lastAt"]) == (f"{YEAR}-05-02T07:00:00Z", f"{YEAR}-06-30T16:00:00Z")
        listed = (await api.get("/v1/posts", params={"campaignId": campaign["id"]})).json()["posts"]
        assert {post["timezone"] for post in listed} == {"Europe/Berlin"}

    async def test_a_repeat_creates_nothing_again(self, api: Client, stack: Stack) -> None:
        body = {**BODY, "posts": [post_body(stack, None, scheduledFor=NOON)]}
        headers = {"Idempotency-Key": new_id("k")}
        first, second = [await api.post("/v1/campaigns", json=body, headers=headers) for _ in range(2)]
        assert (first.status_code, second.status_code) == (201, 201)
        assert first.json()["operationId"] == second.json()["operationId"]
        assert (await api.get("/v1/posts/counts", params={"campaignId": first.json()["id"]})).json()["total"] == 1
        other = await api.post("/v1/campaigns", json={**BODY, "posts": body["posts"] * 2}, headers=headers)
        assert problems(other)[0]["code"] == "idempotency_key_reused"

    async def test_the_posts_of_a_draft_are_drafts_until_it_starts(self, api: Client, stack: Stack) -> None:
        posts = [post_body(stack, None, scheduledFor=NOON)]
        campaign = await create(api, key=new_id("k"), isDraft=True, posts=posts)
        assert (campaign["status"], campaign["progress"]["draft"]) == ("draft", 1)
        started = await api.post(f"/v1/campaigns/{campaign['id']}/start", headers={"Idempotency-Key": new_id("k")})
        assert started.json()["result"] == {"scheduled": 1}

    async def test_one_wrong_post_creates_nothing(self, api: Client, stack: Stack) -> None:
        before = len((await api.get("/v1/campaigns")).json()["campaigns"])
        taken = new_id("x")
        existing = await create_post(api, stack, None, externalId=taken, scheduledFor=NOON)
        posts = [
            post_body(stack, None, scheduledFor=NOON),
            post_body(stack, None, scheduledFor=f"{YEAR}-08-01T12:00:00"),
            post_body(stack, "cmp_1", scheduledFor=NOON),
            post_body(stack, None, publishNow=True),
            post_body(stack, None, scheduledFor=NOON, externalId=taken),
        ]
        refused = await create(api, 400, key=new_id("k"), **BODY, posts=posts)
        assert [(problem["row"], problem["code"], problem["param"]) for problem in refused["errors"]] == [
            (1, "outside_window", "posts.1.scheduledFor"),
            (2, "invalid_field_value", "posts.2.campaignId"),
            (3, "invalid_field_value", "posts.3.publishNow"),
            (4, "external_id_taken", "posts.4.externalId"),
        ]
        assert refused["errors"][3]["postId"] == existing["id"]
        assert len((await api.get("/v1/campaigns")).json()["campaigns"]) == before

    @pytest.mark.parametrize(
        ("body", "param"),
        [
            ({"name": "x", "posts": {}}, "posts"),
            ({"name": "x", "posts": [1]}, "posts.0"),
            ({"posts": []}, "name"),
            ({"name": "x", "posts": [{}], "pots": 1}, "pots"),
        ],
    )
    async def test_wrong_bodies_are_named(self, api: Client, body: dict[str, Any], param: str) -> None:
        response = await api.post("/v1/campaigns", json=body, headers={"Idempotency-Key": new_id("k")})
        assert response.status_code == 400, response.text
        assert problems(response)[0]["param"] == param

    async def test_posts_need_a_key(self, api: Client, stack: Stack) -> None:
        response = await api.post("/v1/campaigns", json={"name": "x", "posts": [post_body(stack, None)]})
        assert [problem["param"] for problem in problems(response)] == ["Idempotency-Key"]
        assert (await api.post("/v1/campaigns", json={"name": "x", "posts": []})).status_code == 201


async def test_a_campaign_counts_its_series(api: Client, stack: Stack) -> None:
    campaign = await create(api)
    account = stack.accounts["plain"]
    body = {
        "campaignId": campaign["id"],
        "name": "Monday tip",
        "timezone": "UTC",
        "start": f"{YEAR}-06-01T09:00:00",
        "recurrence": {"frequency": "weekly", "count": 2},
        "post": {"content": "A tip", "platforms": [{"platform": account.platform, "accountId": account.id}]},
    }
    response = await api.post("/v1/series", json=body, headers={"Idempotency-Key": new_id("k")})
    assert response.status_code == 201, response.text
    assert (await api.get(f"/v1/campaigns/{campaign['id']}")).json()["series"] == 1
    assert campaign["series"] == 0
