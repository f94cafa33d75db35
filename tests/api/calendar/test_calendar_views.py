"""Calendar views: what their tokens open, and what they do not."""

import json
import logging
from collections import defaultdict
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import icalendar
import pytest
import structlog
from litestar import Litestar

from api import auth
from api.openapi.components import OPERATIONS
from domain.api_keys import Scope
from domain.workspaces import MOST_VIEWS, ViewDetail
from store.workspaces.keys import create_key, revoke_key
from tests.api.calendar.test_days import texts
from tests.api.conftest import PUBLIC_URL, Client, draft, make_client, problems
from tests.stack import Stack

YEAR = datetime.now(UTC).year + 1
DAY = datetime.now(UTC).date().replace(day=1, month=1, year=YEAR).isoformat()


async def make_view(api: Client, **body: Any) -> dict[str, Any]:
    response = await api.post("/v1/calendar/views", json=body)
    assert response.status_code == 201, response.text
    assert response.headers["Cache-Control"] == "no-store"
    view: dict[str, Any] = response.json()
    return view


async def read_as_viewer(app: Litestar, view: dict[str, Any], **query: Any) -> Any:
    async with make_client(app, view["token"]) as viewer:
        return await viewer.get("/v1/calendar", params={"from": DAY, "to": DAY, **query})


def events(feed: Any) -> list[Any]:
    """Return the events of a feed's answer."""
    return list(icalendar.Calendar.from_ical(feed.content).walk("VEVENT"))


async def read_feed(app: Litestar, view: dict[str, Any], **headers: str) -> Any:
    address = urlsplit(view["icsUrl"])
    async with make_client(app, None) as program:
        return await program.get(f"{address.path}?{address.query}", headers=headers)


@pytest.fixture
async def account(stack: Stack, stranger: Client) -> str:
    """Return the id of an account of the stranger's workspace."""
    return (await stack.connect("mastodon", workspace_id=stranger.workspace_id)).id


async def test_a_view_has_its_addresses_once(stranger: Client) -> None:
    view = await make_view(stranger, name="Agency", show="content")
    assert view["pageUrl"] == f"{PUBLIC_URL}/calendar#view={view['token']}"
    assert view["icsUrl"] == f"{PUBLIC_URL}/calendar.ics?token={view['token']}"
    listed = (await stranger.get("/v1/calendar/views")).json()["views"]
    assert listed == [{name: value for name, value in view.items() if name not in {"token", "pageUrl", "icsUrl"}}]
    assert view["token"] not in json.dumps(listed)


async def test_a_view_shows_what_it_may(app: Litestar, stranger: Client, account: str) -> None:
    body = {"scheduledFor": f"{DAY}T08:00:00Z", "tags": ["a"]}
    await draft(stranger, "The first line\nand the second", "twitter", **body)
    seen = {}
    for show in ("content", "title", "busy"):
        view = await make_view(stranger, show=show)
        response = await read_as_viewer(app, view)
        assert response.status_code == 200, response.text
        [seen[show]] = response.json()["days"][0]["posts"]
    assert seen["content"]["text"] == "The first line\nand the second"
    assert seen["content"]["targets"][0]["accountId"] == "twitter_0"
    assert seen["title"]["text"] == "The first line"
    assert seen["title"]["targets"] == [{"platform": "twitter", "accountId": "", "username": None, "status": "pending"}]
    assert set(seen["busy"]) == {"id", "at", "local", "timezone", "status", "text", "targets"}
    assert (seen["busy"]["text"], seen["busy"]["targets"]) == ("", [])


async def test_a_view_of_an_account_shows_no_other(app: Litestar, stranger: Client, account: str) -> None:
    targets = [
        {"platform": "twitter", "accountId": "twitter_0", "customContent": "for others"},
        {"platform": "mastodon", "accountId": account, "customContent": "for this account"},
    ]
    both = {"platforms": targets, "isDraft": True, "scheduledFor": f"{DAY}T08:00:00Z"}
    assert (await stranger.send_post(both)).status_code == 201
    await draft(stranger, "elsewhere", "twitter", scheduledFor=f"{DAY}T09:00:00Z")
    view = await make_view(stranger, accountId=account, show="content")
    response = await read_as_viewer(app, view)
    [post] = response.json()["days"][0]["posts"]
    assert post["text"] == "for this account"
    assert [target["accountId"] for target in post["targets"]] == [account]
    [event] = events(await read_feed(app, view))
    assert event["DESCRIPTION"] == "for this account"
    assert event["SUMMARY"] == "Draft: for this account (Mastodon)"
    other = await read_as_viewer(app, view, accountId="twitter_0")
    assert (other.status_code, other.json()["param"]) == (400, "accountId")


async def test_a_view_of_a_campaign_shows_no_other_post(app: Litestar, stranger: Client) -> None:
    campaign = (await stranger.post("/v1/campaigns", json={"name": "Winter", "isDraft": True})).json()
    await draft(stranger, "inside", campaignId=campaign["id"], scheduledFor=f"{DAY}T08:00:00Z")
    await draft(stranger, "outside", scheduledFor=f"{DAY}T08:00:00Z")
    view = await make_view(stranger, campaignId=campaign["id"])
    assert view["pageUrl"].startswith(f"{PUBLIC_URL}/calendar?view=campaign&campaignId={campaign['id']}#view=")
    assert texts((await read_as_viewer(app, view)).json()) == {DAY: ["inside"]}
    assert len(events(await read_feed(app, view))) == 1


async def test_the_token_of_a_view_opens_nothing_else(app: Litestar, stranger: Client) -> None:
    post = await draft(stranger, "secret", scheduledFor=f"{DAY}T08:00:00Z")
    view = await make_view(stranger, show="content")
    async with make_client(app, view["token"]) as viewer:
        for method, path in (
            ("GET", "/v1/posts"),
            ("GET", f"/v1/posts/{post['id']}"),
            ("PATCH", f"/v1/posts/{post['id']}"),
            ("DELETE", f"/v1/posts/{post['id']}"),
            ("GET", "/v1/accounts"),
            ("GET", "/v1/pauses"),
            ("POST", "/v1/pauses"),
            ("GET", "/v1/campaigns"),
            ("GET", "/v1/calendar/views"),
            ("POST", "/v1/calendar/views"),
            ("DELETE", f"/v1/calendar/views/{view['id']}"),
        ):
            assert (await viewer.request(method, path)).status_code == 401, path


async def test_times_only_are_not_searched_by_content(app: Litestar, stranger: Client) -> None:
    view = await make_view(stranger, show="busy")
    campaign = (await stranger.post("/v1/campaigns", json={"name": "Winter", "isDraft": True})).json()["id"]
    for query in ({"tag": "secret"}, {"platform": "twitter"}, {"accountId": "tw_1"}, {"campaignId": campaign}):
        assert (await read_as_viewer(app, view, **query)).status_code == 400


@pytest.mark.parametrize("limit", [None, "campaignId", "accountId"])
@pytest.mark.parametrize("show", ViewDetail)
async def test_no_answer_to_a_view_has_more_than_it_promises(
    app: Litestar, stack: Stack, stranger: Client, account: str, show: ViewDetail, limit: str | None
) -> None:
    """Every operation is asked with the token, and the feed; no answer has a word that the view does not show."""
    body = {"name": "Winter market", "isDraft": False, "timezone": "UTC"}
    campaign = (await stranger.post("/v1/campaigns", json=body)).json()["id"]
    targets = [{"platform": "mastodon", "accountId": account}]
    if limit != "accountId":
        targets.append({"platform": "twitter", "accountId": "tw_secret"})
    await draft(
        stranger,
        "First line\nSecond line",
        platforms=targets,
        campaignId=campaign,
        scheduledFor=f"{DAY}T08:00:00Z",
        tags=["secret-tag"],
        externalId="secret-external",
    )
    await draft(stranger, "Of others", "bluesky", campaignId=campaign, scheduledFor=f"{DAY}T09:00:00Z")
    for scope in ({"scope": "workspace"}, {"scope": "account", "platform": "mastodon", "accountId": account}):
        assert (await stranger.post("/v1/pauses", json={**scope, "reason": "Secret reason"})).status_code == 201
    own = {"campaignId": campaign, "accountId": account}
    view = await make_view(stranger, show=show.value, **({limit: own[limit]} if limit else {}))
    names = {"platform": "mastodon", "accountId": account, "campaignId": campaign}
    answers: dict[str, str] = {}
    async with make_client(app, view["token"]) as viewer:
        for route in (operation.route for _, _, operation in OPERATIONS):
            method, _, path = route.partition(" ")
            query = f"?from={DAY}&to={DAY}" if path == "/v1/calendar" else ""
            response = await viewer.request(method, path.format_map(defaultdict(lambda: "x", names)) + query)
            assert response.status_code in {200, 401, 404}, (route, response.text)
            if response.status_code == 200:
                answers[route] = response.text
    answers["feed"] = (await read_feed(app, view)).text
    timeline = {"GET /v1/campaigns/{campaignId}/timeline"}
    shows_timeline = limit == "campaignId" or (limit is None and show is not ViewDetail.BUSY)
    assert set(answers) == {"GET /v1/calendar", "feed"} | (timeline if shows_timeline else set())
    hidden = {"secret-tag", "secret-external", "Winter market"}
    if show is not ViewDetail.CONTENT:
        hidden |= {"Second line", "Secret reason", "tw_secret", "acme", "seriesId", "campaignId"}
    if show is ViewDetail.TITLE and limit != "accountId":
        hidden |= {account}
    if show is ViewDetail.BUSY:
        hidden |= {"First line", account, "twitter", "mastodon", "bluesky", "Mastodon", campaign}
    if limit == "accountId":
        hidden |= {"bluesky", "Of others"}
    for route, text in answers.items():
        assert not {word for word in hidden if word in text}, (route, text)


async def test_a_key_that_may_not_read_makes_no_view(app: Litestar, stack: Stack, stranger: Client) -> None:
    async with stack.database.transaction() as session:
        key = await create_key(session, stranger.workspace_id, "writer", scopes=[Scope.WRITE])
    async with make_client(app, key.key) as writer:
        for show in ViewDetail:
            refused = await writer.post("/v1/calendar/views", json={"show": show.value})
            assert (refused.status_code, refused.json()["code"]) == (403, "insufficient_scope")


async def test_a_view_outlives_the_key_that_made_it(
    app: Litestar, stack: Stack, stranger: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It belongs to the workspace, as posts do; the list of views says which key made it."""
    monkeypatch.setattr(auth, "_CACHED_FOR_S", 0.0)
    async with stack.database.transaction() as session:
        key = await create_key(session, stranger.workspace_id, "leaves")
    async with make_client(app, key.key) as maker:
        view = await make_view(maker)
    async with stack.database.transaction() as session:
        await revoke_key(session, key.id)
    assert (await read_as_viewer(app, view)).status_code == 200
    [listed] = (await stranger.get("/v1/calendar/views")).json()["views"]
    assert listed["createdBy"] == key.id


async def test_a_revoked_view_is_refused(app: Litestar, stranger: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "_CACHED_FOR_S", 0.0)
    view = await make_view(stranger)
    assert (await read_as_viewer(app, view)).status_code == 200
    assert (await read_feed(app, view)).status_code == 200
    [used] = (await stranger.get("/v1/calendar/views")).json()["views"]
    assert used["lastUsedAt"] is not None
    deleted = await stranger.delete(f"/v1/calendar/views/{view['id']}")
    assert deleted.json() == {"id": view["id"], "deleted": True}
    assert (await stranger.delete(f"/v1/calendar/views/{view['id']}")).status_code == 404
    for response in (await read_as_viewer(app, view), await read_feed(app, view)):
        assert (response.status_code, response.json()["code"]) == (401, "invalid_credentials")


async def test_no_workspace_revokes_a_view_of_another(api: Client, stranger: Client) -> None:
    view = await make_view(stranger)
    assert (await api.delete(f"/v1/calendar/views/{view['id']}")).status_code == 404
    assert len((await stranger.get("/v1/calendar/views")).json()["views"]) == 1


async def test_a_workspace_has_a_limited_number_of_views(stranger: Client) -> None:
    for _ in range(MOST_VIEWS):
        await make_view(stranger, show="busy")
    response = await stranger.post("/v1/calendar/views", json={})
    assert (response.status_code, response.json()["code"]) == (429, "too_many_views")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"show": "everything"}, 400, "invalid_field_value"),
        ({"shows": "busy"}, 400, "unknown_parameter"),
        ({"campaignId": "cmp_of_nobody"}, 422, "campaign_not_found"),
        ({"accountId": "of_nobody"}, 422, "account_not_found"),
        ({"name": ""}, 400, "invalid_field_value"),
    ],
)
async def test_bad_views_are_refused(stranger: Client, body: dict[str, str], status: int, code: str) -> None:
    response = await stranger.post("/v1/calendar/views", json=body)
    assert (response.status_code, problems(response)[0]["code"]) == (status, code), response.text


async def test_a_feed_is_that_of_the_posts(app: Litestar, stranger: Client) -> None:
    post = await draft(
        stranger,
        "A line, with commas; and more\nof it",
        "twitter",
        scheduledFor=f"{DAY}T09:00:00",
        timezone="Asia/Tokyo",
    )
    await draft(stranger, "too far ahead", scheduledFor=f"{YEAR + 2}-01-01T00:00:00Z")
    await draft(stranger, "without a time")
    view = await make_view(stranger, show="content")
    response = await read_feed(app, view)
    assert response.headers["Content-Type"] == "text/calendar; charset=utf-8"
    [event] = events(response)
    start = datetime.fromisoformat(f"{DAY}T00:00:00+00:00")
    assert (event["UID"], event["SEQUENCE"], event["DTSTART"].dt, event["STATUS"]) == (
        post["id"],
        1,
        start,
        "TENTATIVE",
    )
    assert event["SUMMARY"] == "Draft: A line, with commas; and more (X)"
    assert event["DESCRIPTION"] == "A line, with commas; and more\nof it"
    unchanged = await read_feed(app, view, **{"If-None-Match": response.headers["ETag"]})
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    await stranger.patch(f"/v1/posts/{post['id']}", json={"content": "changed"})
    changed = await read_feed(app, view, **{"If-None-Match": response.headers["ETag"]})
    [event] = events(changed)
    assert (event["UID"], event["SEQUENCE"], event["DESCRIPTION"]) == (post["id"], 2, "changed")


@pytest.mark.parametrize(
    "query", ["", "token=", "token=cal_x", "token=a&token=b", "&".join(f"a{number}=1" for number in range(20))]
)
async def test_a_feed_needs_its_token(app: Litestar, query: str) -> None:
    async with make_client(app, None) as program:
        assert (await program.get(f"/calendar.ics?{query}")).status_code == 401


async def test_no_log_has_the_token(app: Litestar, stranger: Client, caplog: pytest.LogCaptureFixture) -> None:
    view = await make_view(stranger)
    with caplog.at_level(logging.DEBUG), structlog.testing.capture_logs() as lines:
        assert (await read_feed(app, view)).status_code == 200
        assert (await read_as_viewer(app, view)).status_code == 200
    access = [line for line in lines if line["event"] == "request"]
    assert [(line["path"], line["key_id"]) for line in access] == [
        ("/calendar.ics", view["id"]),
        ("/v1/calendar", view["id"]),
    ]
    # The test's own client logs its requests.
    others = [record.getMessage() for record in caplog.records if record.name != "httpx"]
    assert view["token"] not in json.dumps([lines, others], default=str)
