"""Posts join a campaign, leave it, and keep its rules."""

from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import delete, update

from domain.campaigns import Blackout, CampaignStatus
from domain.ids import new_id
from domain.schedule import resolve, rfc3339
from store.campaigns.campaigns import CampaignFields
from store.models import Campaign, Post, Target
from tests.api.campaigns.conftest import save_campaign
from tests.api.conftest import Client, patch, problems, read_answer
from tests.stack import Stack
from tests.workflows.waiting import until

YEAR = datetime.now(UTC).year + 1
NOON = f"{YEAR}-06-01T12:00:00"
BERLIN = CampaignFields(
    "Summer",
    timezone="Europe/Berlin",
    starts=resolve(f"{YEAR}-05-01T00:00:00", "Europe/Berlin"),
    ends=resolve(f"{YEAR}-07-01T00:00:00", "Europe/Berlin"),
    blackouts=[Blackout(date(YEAR, 6, 10), date(YEAR, 6, 12), "a fair")],
)


def post_body(stack: Stack, campaign_id: str | None, **fields: Any) -> dict[str, Any]:
    account = stack.accounts["plain"]
    target = {"platform": account.platform, "accountId": account.id}
    body = {"content": f"of a campaign {new_id('x')}", "platforms": [target], **fields}
    return body | ({"campaignId": campaign_id} if campaign_id else {})


async def create(api: Client, stack: Stack, campaign_id: str | None, **fields: Any) -> dict[str, Any]:
    return read_answer(await api.send_post(post_body(stack, campaign_id, **(fields or {"scheduledFor": NOON}))), 201)


async def test_a_post_has_the_zone_of_its_campaign_unless_it_has_its_own(api: Client, stack: Stack) -> None:
    campaign_id = await save_campaign(stack, BERLIN)
    post = await create(api, stack, campaign_id, scheduledFor=NOON)
    assert (post["campaignId"], post["timezone"], post["scheduledFor"]) == (
        campaign_id,
        "Europe/Berlin",
        f"{YEAR}-06-01T10:00:00Z",
    )
    own = await create(api, stack, campaign_id, scheduledFor=NOON, timezone="UTC")
    assert (own["timezone"], own["scheduledFor"]) == ("UTC", f"{YEAR}-06-01T12:00:00Z")


async def test_a_post_joins_changes_and_leaves_its_campaign_with_a_new_version(api: Client, stack: Stack) -> None:
    first, second = await save_campaign(stack), await save_campaign(stack)
    post = await create(api, stack, None, scheduledFor=NOON)
    assert "campaignId" not in post
    for campaign_id in (first, second, None):
        version = (await stack.read(post["id"])).version
        changed = await patch(api, post, campaignId=campaign_id)
        assert changed.get("campaignId") == campaign_id
        assert (await stack.read(post["id"])).version == version + 1
    history = (await api.get(f"/v1/posts/{post['id']}/history")).json()["events"]
    assert any(first in str(event) for event in history)


async def test_an_unknown_campaign_is_named(api: Client, stack: Stack) -> None:
    async with stack.database.transaction() as session:
        foreign, _ = await stack.new_workspace("another")
    strange = await save_campaign(stack)
    async with stack.database.transaction() as session:
        (await session.get_one(Campaign, strange)).workspace_id = foreign
    post = await create(api, stack, None)
    for campaign_id in ("cmp_1", "nonsense", new_id("cmp"), strange):
        for response in (
            await api.send_post(post_body(stack, campaign_id, scheduledFor=NOON)),
            await api.patch(f"/v1/posts/{post['id']}", json={"campaignId": campaign_id}),
        ):
            assert response.status_code == 422, response.text
            (problem,) = problems(response)
            assert (problem["code"], problem["param"]) == ("campaign_not_found", "campaignId")


@pytest.mark.parametrize(
    ("time", "code"),
    {
        f"{YEAR}-04-30T23:59:59": "outside_window",
        f"{YEAR}-05-01T00:00:00": None,
        f"{YEAR}-06-09T23:59:59": None,
        f"{YEAR}-06-10T00:00:00": "in_blackout",
        f"{YEAR}-06-12T23:59:59": "in_blackout",
        f"{YEAR}-06-13T00:00:00": None,
        f"{YEAR}-06-30T23:59:59": None,
        f"{YEAR}-07-01T00:00:00": "outside_window",
    }.items(),
)
async def test_a_post_keeps_the_times_of_its_campaign(api: Client, stack: Stack, time: str, code: str | None) -> None:
    campaign_id = await save_campaign(stack, BERLIN)
    body = post_body(stack, campaign_id, scheduledFor=time)
    moved = await api.patch(f"/v1/posts/{(await create(api, stack, campaign_id))['id']}", json={"scheduledFor": time})
    verdict = (await api.post("/v1/posts/validate", json=body)).json()
    assert verdict["valid"] is (code is None)
    for response in await api.send_post(body), moved:
        assert response.is_success is (code is None)
        if code:
            assert [(problem["code"], problem["param"]) for problem in problems(response)] == [(code, "scheduledFor")]
    # A draft is checked when it is scheduled.
    assert (await create(api, stack, campaign_id, scheduledFor=time, isDraft=True))["isDraft"]


async def test_publishing_now_keeps_the_times_of_the_campaign(api: Client, stack: Stack) -> None:
    campaign_id = await save_campaign(stack, BERLIN)
    response = await api.send_post(post_body(stack, campaign_id, publishNow=True))
    assert response.status_code == 422
    assert [(problem["code"], problem["param"]) for problem in problems(response)] == [("outside_window", "publishNow")]
    open_campaign = await save_campaign(stack)
    assert (await create(api, stack, open_campaign, publishNow=True))["status"] == "published"


async def test_posts_of_a_draft_campaign_are_drafts_with_their_times(api: Client, stack: Stack) -> None:
    campaign_id = await save_campaign(stack, BERLIN, CampaignStatus.DRAFT)
    post = await create(api, stack, campaign_id, scheduledFor=NOON)
    assert (post["isDraft"], post["scheduledFor"]) == (True, f"{YEAR}-06-01T10:00:00Z")
    moved = await patch(api, post, scheduledFor=f"{YEAR}-06-02T12:00:00")
    assert (moved["isDraft"], moved["scheduledFor"]) == (True, f"{YEAR}-06-02T10:00:00Z")
    assert (await patch(api, post, isDraft=False))["isDraft"]
    refused = await patch(api, post, 409, publishNow=True)
    assert refused["code"] == "campaign_not_started"
    scheduled = await create(api, stack, None, scheduledFor=NOON)
    assert (await patch(api, scheduled, campaignId=campaign_id))["isDraft"]


async def test_an_ended_campaign_takes_no_posts_and_schedules_none(api: Client, stack: Stack) -> None:
    campaign_id = await save_campaign(stack)
    draft = await create(api, stack, campaign_id, scheduledFor=NOON, isDraft=True)
    async with stack.database.transaction() as session:
        (await session.get_one(Campaign, campaign_id)).status = CampaignStatus.ENDED.value
    for fields in ({"isDraft": True}, {"scheduledFor": NOON}, {"publishNow": True}):
        response = await api.send_post(post_body(stack, campaign_id, **fields))
        assert (response.status_code, problems(response)[0]["code"]) == (409, "campaign_ended")
    assert (await patch(api, draft, content="still a draft"))["isDraft"]
    assert (await patch(api, draft, 409, isDraft=False))["code"] == "campaign_ended"
    assert not (await patch(api, draft, campaignId=None, isDraft=False))["isDraft"]


async def test_a_failed_post_may_join_another_campaign_that_goes_on(api: Client, stack: Stack) -> None:
    first, second = await save_campaign(stack), await save_campaign(stack)
    post = await create(api, stack, first, publishNow=True)
    async with stack.database.transaction() as session:
        row = await session.get_one(Post, post["id"])
        row.status = "failed"
        await session.execute(update(Target).where(Target.post_id == post["id"]).values(status="failed"))
    assert (await patch(api, post, campaignId=second))["campaignId"] == second
    over = await save_campaign(stack, status=CampaignStatus.ENDED)
    assert (await patch(api, post, 409, campaignId=over))["code"] == "campaign_ended"
    assert (await patch(api, post, 422, campaignId=new_id("cmp")))["code"] == "campaign_not_found"


async def test_a_campaign_that_is_deleted_meanwhile_takes_no_post(
    api: Client, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign_id = await save_campaign(stack)

    async def delete_campaign(*_: Any) -> None:
        async with stack.database.transaction() as session:
            await session.execute(delete(Campaign).where(Campaign.id == campaign_id))

    monkeypatch.setattr("api.shared.workspace_usage.WorkspaceUsage.count_post", delete_campaign)
    response = await api.send_post(post_body(stack, campaign_id, scheduledFor=NOON))
    assert (response.status_code, problems(response)[0]["code"]) == (422, "campaign_not_found")


async def test_posts_are_listed_counted_and_changed_by_their_campaign(api: Client, stack: Stack) -> None:
    campaign_id = await save_campaign(stack)
    ids = [(await create(api, stack, campaign_id, scheduledFor=NOON))["id"] for _ in range(3)]
    await create(api, stack, None)
    page = (await api.get("/v1/posts", params={"campaignId": campaign_id, "limit": 2})).json()
    rest = (await api.get("/v1/posts", params={"campaignId": campaign_id, "cursor": page["cursor"]})).json()
    assert [post["id"] for post in page["posts"] + rest["posts"]] == ids[::-1]
    soonest = (await api.get("/v1/posts", params={"campaignId": campaign_id, "sort": "scheduledFor"})).json()["posts"]
    assert [post["id"] for post in soonest] == ids
    counts = (await api.get("/v1/posts/counts", params={"campaignId": campaign_id})).json()
    assert counts == {"total": 3, "counts": [{"status": "scheduled", "posts": 3}]}
    selection = {"filter": {"campaignId": campaign_id}, "change": {"tags": ["moved"]}}
    changed = await api.post("/v1/posts/bulk/update", json=selection, headers={"Idempotency-Key": new_id("k")})
    assert changed.json()["succeeded"] == 3, changed.text
    leaving = {"filter": {"campaignId": campaign_id}, "change": {"campaignId": None}}
    await api.post("/v1/posts/bulk/update", json=leaving, headers={"Idempotency-Key": new_id("k")})
    assert (await api.get("/v1/posts", params={"campaignId": campaign_id})).json()["posts"] == []


async def test_a_workflow_has_the_campaign_of_its_post(api: Client, stack: Stack) -> None:
    due = rfc3339(datetime.now(UTC) + timedelta(hours=1))
    campaign_id = await save_campaign(stack)
    post = await create(api, stack, campaign_id, scheduledFor=due)
    row = await stack.read(post["id"])
    handle = stack.client.get_workflow_handle(row.workflow_id)

    async def has(campaign: str | None) -> bool:
        attributes = (await handle.describe()).typed_search_attributes
        return {pair.key.name: pair.value for pair in attributes}.get("Campaign") == campaign

    await until(lambda: has(campaign_id))
    for campaign in (await save_campaign(stack), None):
        await patch(api, post, campaignId=campaign)
        await until(partial(has, campaign))
