"""GET /v1/calendar with `plans`: free slots, occurrences that get their posts later, and blackouts."""

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

from litestar import Litestar

from store.models import Account
from tests.api.conftest import Client, make_client
from tests.stack import Stack

ZONE = "Asia/Tokyo"
WEEK = ["mo", "tu", "we", "th", "fr", "sa", "su"]


def day(days: int) -> str:
    return (datetime.now(UTC).date() + timedelta(days=days)).isoformat()


async def plans(api: Client, first: str, last: str, **query: str) -> dict[str, Any]:
    response = await api.get("/v1/calendar", params={"from": first, "to": last, "plans": "true", **query})
    assert response.status_code == 200, response.text
    return {entry["date"]: entry for entry in response.json()["days"]}


async def test_a_day_has_free_slots_planned_occurrences_and_blackouts(app: Litestar, stack: Stack) -> None:
    # Campaigns, series and queues of other tests would be listed, up to a number.
    workspace_id, key = await stack.new_workspace()
    account = await stack.connect("twitter", workspace_id=workspace_id)
    async with make_client(app, key) as api:
        await _check_plans(api, account)


async def _check_plans(api: Client, account: Account) -> None:
    target = {"platform": "twitter", "accountId": account.id}
    queue = {"name": secrets.token_hex(4), "timezone": ZONE, "slots": [{"days": WEEK, "time": "09:00"}]}
    queue |= {"accounts": [target], "blackouts": [{"from": day(4), "to": day(4), "reason": "audit"}]}
    response = await api.post("/v1/queues", json=queue)
    queue_id = response.json()["id"]
    body = {"name": "tips", "timezone": ZONE, "start": f"{day(1)}T10:00:00", "recurrence": {"frequency": "daily"}}
    body["post"] = {"content": secrets.token_hex(4), "platforms": [target]}
    series = await api.post("/v1/series", json=body, headers={"Idempotency-Key": secrets.token_hex(8)})
    series_id = series.json()["id"]
    campaign = {"name": "sale", "timezone": ZONE, "blackouts": [{"from": day(90), "to": day(91)}]}
    headers = {"Idempotency-Key": secrets.token_hex(8)}
    campaign_id = (await api.post("/v1/campaigns", json=campaign, headers=headers)).json()["id"]
    try:
        post = await api.send_post({"content": secrets.token_hex(4), "platforms": [target], "queue": queue_id})
        taken = post.json()["scheduledForLocal"][:10]
        near = await plans(api, day(2), day(6), timezone=ZONE, accountId=account.id)
        assert {date: [slot["local"] for slot in entry["slots"]] for date, entry in near.items()} == {
            date: [] if date in {taken, day(4)} else [f"{date}T09:00:00"] for date in map(day, range(2, 7))
        }
        assert near[day(4)]["blackouts"] == [{"queueId": queue_id, "name": queue["name"], "reason": "audit"}]
        assert near[day(3)]["planned"] == [], "their posts are there"
        far = await plans(api, day(90), day(92), timezone=ZONE)
        assert [entry["local"] for entry in far[day(90)]["planned"] if entry["seriesId"] == series_id] == [
            f"{day(90)}T10:00:00"
        ]
        of_campaign = [
            [entry["campaignId"] for entry in far[date]["blackouts"] if "campaignId" in entry]
            for date in map(day, range(90, 93))
        ]
        assert [campaign_id in ids for ids in of_campaign] == [True, True, False]
        alone = await plans(api, day(90), day(90), timezone=ZONE, campaignId=campaign_id)
        assert (alone[day(90)]["slots"], alone[day(90)]["planned"]) == ([], [])
        assert [entry["name"] for entry in alone[day(90)]["blackouts"]] == ["sale"]
        # A status is one of posts.
        failed = await plans(api, day(90), day(90), status="failed")
        assert (failed[day(90)]["slots"], failed[day(90)]["planned"]) == ([], [])
        without = (await api.get("/v1/calendar", params={"from": day(2), "to": day(2)})).json()
        assert without["days"][0].keys() == {"date", "posts"}
    finally:
        await api.delete(f"/v1/queues/{queue_id}")
        await api.delete(f"/v1/series/{series_id}?posts=delete")
        await api.delete(f"/v1/campaigns/{campaign_id}?posts=delete")


async def test_plans_are_true_or_false_and_no_view_shows_them(api: Client) -> None:
    query = {"from": day(1), "to": day(1)}
    refused = await api.get("/v1/calendar", params=query | {"plans": "yes"})
    assert (refused.status_code, refused.json()["param"]) == (400, "plans")
    token = (await api.post("/v1/calendar/views", json={"show": "busy"})).json()["token"]
    viewer = {"Authorization": f"Bearer {token}"}
    shown = await api.get("/v1/calendar", params=query | {"plans": "false"}, headers=viewer)
    refused = await api.get("/v1/calendar", params=query | {"plans": "true"}, headers=viewer)
    assert (shown.status_code, refused.status_code, refused.json()["param"]) == (200, 400, "plans")
