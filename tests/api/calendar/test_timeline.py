"""The timelines of campaigns, the plans of a calendar, and the pictures of its posts."""

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

from litestar import Litestar

from store.models import Account
from tests.api.calendar.test_calendar_views import DAY, make_view, read_as_viewer
from tests.api.calendar.test_days import YEAR
from tests.api.conftest import Client, draft, make_client
from tests.api.media.files import presign, serving, upload_ready
from tests.api.media.test_thumbnails import PICTURE, make_all
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


STRANGER = {"type": "image", "url": "https://cdn.example.net/media/u/1234567890123456789012345678abcd/a.jpg"}


async def plan(api: Client, *items: dict[str, Any], **fields: Any) -> str:
    body = {"content": "Snow", "mediaItems": items, "scheduledFor": f"{DAY}T10:00:00Z", "isDraft": True}
    answer = await api.send_post(body | fields)
    assert answer.status_code == 201, answer.text
    post_id: str = answer.json()["id"]
    return post_id


def image(upload: dict[str, Any], **fields: str) -> dict[str, Any]:
    return {"type": "image", "url": upload["publicUrl"]} | fields


def thumbnails(calendar: Any) -> dict[str, Any]:
    return {post["id"]: post.get("thumbnail") for day in calendar.json()["days"] for post in day["posts"]}


async def test_posts_show_their_first_upload_with_a_picture(app: Litestar, stack: Stack, stranger: Client) -> None:
    key = stranger.headers["Authorization"].removeprefix("Bearer ")
    async with serving(app, key) as client, serving(app, (await stack.new_workspace())[1]) as other:
        first, second = await upload_ready(client, PICTURE), await upload_ready(client, PICTURE)
        pending, damaged = await presign(client), await upload_ready(client, PICTURE[:500])
        foreign = await upload_ready(other, PICTURE)
    await make_all(app, stack)
    account = await stack.connect("mastodon", workspace_id=stranger.workspace_id)
    target = {"platform": account.platform, "accountId": account.id, "customMedia": [image(second)]}
    shown = {
        await plan(stranger, STRANGER, image(first, altText="Skis"), image(second)): (first, "Skis"),
        await plan(stranger, image(damaged), image(second)): (second, None),
        await plan(stranger, content="Own", platforms=[target]): (second, None),
        await plan(stranger, STRANGER, content="2"): None,
        await plan(stranger, image(pending), content="3"): None,
        await plan(stranger, image(foreign), content="4"): None,
        await plan(stranger, content="5"): None,
    }
    files = {file["id"]: file["thumbnailUrl"] for file in (await stranger.get("/v1/media")).json()["media"]}
    expected = {
        post_id: {"url": files[entry[0]["id"]], "altText": entry[1]} if entry else None
        for post_id, entry in shown.items()
    }
    calendar = await stranger.get("/v1/calendar", params={"from": DAY, "to": DAY})
    assert thumbnails(calendar) == expected
    for detail in ("content", "title", "busy"):
        view = await make_view(stranger, show=detail)
        seen = thumbnails(await read_as_viewer(app, view))
        assert seen == (expected if detail == "content" else dict.fromkeys(expected)), detail


async def test_posts_are_counted_by_day_status_and_platform(app: Litestar, stranger: Client) -> None:
    body = {"name": "Winter", "isDraft": True, "timezone": "Europe/Berlin"}
    campaign = (await stranger.post("/v1/campaigns", json=body)).json()
    path = f"/v1/campaigns/{campaign['id']}/timeline"
    assert (await stranger.get(path)).json() == {"timezone": "Europe/Berlin", "days": [], "withoutTime": 0}
    # 20 minutes before and after midnight in Berlin, on one UTC day, and ten days later.
    for moment, platforms in (
        ("12-03T23:40:00", ["twitter", "twitter"]),
        ("12-04T00:20:00", ["twitter", "mastodon"]),
        ("12-14T09:00:00", []),
    ):
        await draft(stranger, moment, *platforms, scheduledFor=f"{YEAR}-{moment}", campaignId=campaign["id"])
    await draft(stranger, "without a time", campaignId=campaign["id"])
    await draft(stranger, "of no campaign", scheduledFor=f"{YEAR}-12-04T00:20:00")
    response = await stranger.get(path)
    assert response.json() == {
        "timezone": "Europe/Berlin",
        "days": [
            {"date": f"{YEAR}-12-03", "total": 1, "statuses": {"draft": 1}, "platforms": {"twitter": 1}},
            {"date": f"{YEAR}-12-04", "total": 1, "statuses": {"draft": 1}, "platforms": {"mastodon": 1, "twitter": 1}},
            {"date": f"{YEAR}-12-14", "total": 1, "statuses": {"draft": 1}, "platforms": {}},
        ],
        "withoutTime": 1,
    }
    unchanged = await stranger.get(path, headers={"If-None-Match": response.headers["ETag"]})
    assert unchanged.status_code == 304
    in_utc = (await stranger.get(path, params={"timezone": "UTC"})).json()
    assert [(day["date"], day["total"]) for day in in_utc["days"]] == [(f"{YEAR}-12-03", 2), (f"{YEAR}-12-14", 1)]
    view, other = await make_view(stranger, campaignId=campaign["id"]), await make_view(stranger)
    for token in (view["token"], other["token"]):
        async with make_client(app, token) as viewer:
            assert (await viewer.get(path)).status_code == 200


async def test_a_timeline_is_that_of_the_callers_campaign(app: Litestar, api: Client, stranger: Client) -> None:
    campaign = (await stranger.post("/v1/campaigns", json={"name": "Mine", "isDraft": True})).json()
    other = (await stranger.post("/v1/campaigns", json={"name": "Other", "isDraft": True})).json()
    path = f"/v1/campaigns/{campaign['id']}/timeline"
    assert (await api.get(path)).status_code == 404
    assert (await stranger.get(path, params={"timezone": "Berlin"})).json()["param"] == "timezone"
    view = await make_view(stranger, campaignId=other["id"])
    async with make_client(app, view["token"]) as viewer:
        assert (await viewer.get(path)).status_code == 404


async def test_a_campaigns_address_leads_to_its_calendar(api: Client) -> None:
    response = await api.get("/campaigns/cmp_1%3F%23")
    assert (response.status_code, response.headers["Location"]) == (
        302,
        "/calendar?view=campaign&campaignId=cmp_1%3F%23",
    )
