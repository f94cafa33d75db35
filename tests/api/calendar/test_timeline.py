"""GET /v1/campaigns/{campaignId}/timeline: the posts of a campaign by day."""

from litestar import Litestar

from tests.api.calendar.test_calendar_views import make_view
from tests.api.calendar.test_days import YEAR
from tests.api.conftest import Client, draft, make_client


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
