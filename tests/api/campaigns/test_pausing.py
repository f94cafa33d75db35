"""Campaigns are paused, resumed and moved over HTTP, once for each Idempotency-Key."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from domain.campaigns import Blackout, CampaignStatus
from domain.schedule import rfc3339
from store.campaigns.campaigns import CampaignFields
from tests.api.campaigns.conftest import save_campaign
from tests.api.conftest import Client, read_answer
from tests.api.pauses.test_routes import post_body, shown_as, soon
from tests.stack import Stack

pytestmark = pytest.mark.usefixtures("no_pause_remains")


@pytest.fixture
async def campaign(stack: Stack) -> str:
    return await save_campaign(stack)


async def act(
    api: Client, campaign_id: str, action: str, status: int = 200, *, key: str | None = None, **body: Any
) -> Any:
    headers = {"Idempotency-Key": key or str(uuid4())}
    return read_answer(await api.post(f"/v1/campaigns/{campaign_id}/{action}", json=body, headers=headers), status)


async def plan(api: Client, stack: Stack, campaign_id: str, text: str, **when: Any) -> Any:
    return read_answer(await api.send_post(post_body(stack, text, **when) | {"campaignId": campaign_id}), 201)


async def test_a_campaign_is_paused_and_its_missed_posts_are_published(
    api: Client, stack: Stack, campaign: str
) -> None:
    paused = await act(api, campaign, "pause", reason="wrong prices")
    assert (paused["status"], paused["pause"]["status"], paused["pause"]["reason"]) == (
        "paused",
        "paused",
        "wrong prices",
    )
    assert (paused["pause"]["scope"], paused["pause"]["campaignId"]) == ("campaign", campaign)
    again = await act(api, campaign, "pause")
    assert again["pause"]["since"] == paused["pause"]["since"]
    post = await plan(api, stack, campaign, "missed by a campaign", **soon())
    path = f"/v1/posts/{post['id']}"
    await shown_as(api, path, "held")
    now = await api.send_post(post_body(stack, "now in a paused campaign") | {"campaignId": campaign})
    assert (now.status_code, now.json()["code"], now.json()["param"]) == (409, "paused", "campaign")
    refused = await act(api, campaign, "resume", 400)
    assert (refused["code"], refused["param"]) == ("missing_required_field", "missed")
    preview = await act(api, campaign, "resume", missed="publish", dryRun=True)
    assert (preview["status"], preview["result"]["published"], "operationId" in preview) == ("paused", 1, False)
    key = str(uuid4())
    resumed = await act(api, campaign, "resume", key=key, missed="publish")
    assert (resumed["status"], resumed["pause"], resumed["result"]["published"]) == ("active", None, 1)
    assert (await shown_as(api, path, "published"))["status"] == "published"
    repeated = await act(api, campaign, "resume", key=key, missed="publish")
    assert (repeated["operationId"], repeated["result"]) == (resumed["operationId"], resumed["result"])
    assert (await act(api, campaign, "resume", 409))["code"] == "conflict"
    operations = (await api.get(f"/v1/campaigns/{campaign}/operations")).json()["operations"]
    assert [line["kind"] for line in operations] == ["resumed", "paused", "paused"]


async def test_the_pause_of_a_campaign_is_listed_and_ended_as_others(api: Client, campaign: str) -> None:
    await act(api, campaign, "pause")
    pauses = (await api.get("/v1/pauses")).json()["pauses"]
    (pause,) = [pause for pause in pauses if pause.get("campaignId") == campaign]
    assert pause["scope"] == "campaign"
    ended = await api.post(f"/v1/pauses/{pause['id']}/resume", json={})
    assert ended.json()["status"] == "ended"
    assert (await api.get(f"/v1/campaigns/{campaign}")).json()["status"] == "active"


async def test_a_pause_may_end_by_itself(api: Client, campaign: str) -> None:
    at = rfc3339(datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1))
    paused = await act(api, campaign, "pause", resumeAt=at, missed="shift")
    assert (paused["pause"]["resumeAt"], paused["pause"]["resumeMissed"]) == (at, "shift")
    later = rfc3339(datetime.now(UTC).replace(microsecond=0) + timedelta(hours=2))
    changed = await act(api, campaign, "pause", resumeAt=later, missed="skip")
    assert (changed["pause"]["resumeAt"], changed["pause"]["since"]) == (later, paused["pause"]["since"])


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"resumeAt": "2099-01-01T00:00:00Z"}, "missed"),
        ({"missed": "skip"}, "resumeAt"),
        ({"resumeAt": "2020-01-01T00:00:00Z", "missed": "skip"}, "resumeAt"),
        ({"resumeAt": "tomorrow", "missed": "skip"}, "resumeAt"),
        ({"reason": "x" * 501}, "reason"),
        ({"until": "tomorrow"}, "until"),
    ],
)
async def test_a_bad_pause_is_named(api: Client, campaign: str, body: dict[str, Any], param: str) -> None:
    assert (await act(api, campaign, "pause", 400, **body))["param"] == param


async def test_a_draft_and_an_ended_campaign_are_not_paused(api: Client, stack: Stack) -> None:
    draft = await save_campaign(stack, status=CampaignStatus.DRAFT)
    assert (await act(api, draft, "pause", 409))["code"] == "campaign_not_started"
    ended = await save_campaign(stack, status=CampaignStatus.ENDED)
    assert (await act(api, ended, "pause", 409))["code"] == "campaign_ended"


async def test_a_campaign_moves(api: Client, stack: Stack, campaign: str) -> None:
    at = datetime.now(UTC).replace(microsecond=0) + timedelta(days=3)
    first = await plan(api, stack, campaign, "moved with a campaign", scheduledFor=rfc3339(at))
    second = await plan(api, stack, campaign, "moved as well", scheduledFor=rfc3339(at + timedelta(days=9)))
    preview = await act(api, campaign, "shift", by="P2D", dryRun=True)
    assert preview["result"] == {"moved": 2, "tooLate": [], "tooLateCount": 0, "seriesKept": 0}
    assert (await api.get(f"/v1/posts/{first['id']}")).json()["scheduledFor"] == rfc3339(at)
    key = str(uuid4())
    moved = await act(api, campaign, "shift", key=key, by="P2D")
    assert moved["result"]["moved"] == 2
    assert (await act(api, campaign, "shift", key=key, by="P2D"))["operationId"] == moved["operationId"]
    assert (await api.get(f"/v1/posts/{first['id']}")).json()["scheduledFor"] == rfc3339(at + timedelta(days=2))
    day = (at + timedelta(days=11)).date().isoformat()
    of_day: dict[str, Any] = {"by": "-PT1H", "from": day, "to": day}
    part = await act(api, campaign, "shift", **of_day)
    assert part["result"]["moved"] == 1
    post = (await api.get(f"/v1/posts/{second['id']}")).json()
    assert post["scheduledFor"] == rfc3339(at + timedelta(days=11, hours=-1))
    history = (await api.get(f"/v1/posts/{second['id']}/history")).json()["events"]
    assert any("changed scheduledFor from" in line["summary"] for line in history)
    refused = await act(api, campaign, "shift", 400, by="-P1W")
    assert (refused["param"], refused["errors"][0]["postId"]) == ("by", first["id"])
    other_body = await api.post(f"/v1/campaigns/{campaign}/shift", json={"by": "P3D"}, headers={"Idempotency-Key": key})
    assert (other_body.status_code, other_body.json()["code"]) == (422, "idempotency_key_reused")


async def test_no_post_moves_into_a_blackout(api: Client, stack: Stack) -> None:
    at = datetime.now(UTC) + timedelta(days=5)
    campaign = await save_campaign(stack, CampaignFields("c", blackouts=(Blackout(at.date(), at.date()),)))
    await plan(api, stack, campaign, "before a blackout", scheduledFor=rfc3339(at - timedelta(days=2)))
    refused = await act(api, campaign, "shift", 409, by="P2D")
    assert (refused["code"], refused["param"]) == ("in_blackout", "by")


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "by"),
        ({"by": "2 days"}, "by"),
        ({"by": "P1D", "from": "yesterday"}, "from"),
        ({"by": "P1D", "from": "2030-02-01", "to": "2030-01-01"}, "from"),
        ({"by": "P1D", "to": "2030-02-30"}, "to"),
    ],
)
async def test_a_bad_move_is_named(api: Client, campaign: str, body: dict[str, Any], param: str) -> None:
    assert (await act(api, campaign, "shift", 400, **body))["param"] == param


@pytest.mark.parametrize(("action", "body"), [("pause", {}), ("resume", {}), ("shift", {"by": "P1D"})])
async def test_a_key_is_required_and_strangers_see_nothing(
    api: Client, stranger: Client, campaign: str, action: str, body: dict[str, Any]
) -> None:
    path = f"/v1/campaigns/{campaign}/{action}"
    missing = await api.post(path, json=body)
    assert (missing.status_code, missing.json()["param"]) == (400, "Idempotency-Key")
    headers = {"Idempotency-Key": str(uuid4())}
    assert (await stranger.post(path, json=body, headers=headers)).status_code == 404
    assert (await api.post("/v1/campaigns/cmp_x/pause", json={}, headers=headers)).status_code == 404
