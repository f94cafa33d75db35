"""GET /v1/calendar: the posts of each day, and requests that wait until they have changed."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from api.posts import counts
from tests.api.conftest import Client, draft, end_pauses, read_answer
from tests.stack import Stack
from tests.statements import Statement

YEAR = datetime.now(UTC).year + 1


async def shown_days(api: Client, first: str, last: str, **query: Any) -> dict[str, Any]:
    return read_answer(await api.get("/v1/calendar", params={"from": first, "to": last, **query}))


def texts(calendar: dict[str, Any]) -> dict[str, list[str]]:
    return {day["date"]: [post["text"] for post in day["posts"]] for day in calendar["days"]}


@pytest.mark.parametrize(
    ("zone", "day", "times"),
    [
        # The day on which clocks go forward has 23 hours, and that on which they go back has 25.
        ("Europe/Berlin", "2027-03-28", ("00:00:00", "02:30:00", "23:59:59")),
        ("America/New_York", "2027-03-14", ("00:00:00", "02:30:00", "23:59:59")),
        ("Europe/Berlin", "2027-10-31", ("00:00:00", "02:30:00", "23:59:59")),
        ("America/New_York", "2027-11-07", ("00:00:00", "01:30:00", "23:59:59")),
        ("Australia/Lord_Howe", "2027-10-03", ("00:00:00", "02:15:00", "23:59:59")),
        # Its clocks go forward at midnight: 2027-04-30 begins at 01:00.
        ("Africa/Cairo", "2027-04-30", ("00:30:00", "12:00:00", "23:59:59")),
        # Its clocks go back at midnight: the last hour of 2027-04-03 occurs twice.
        ("America/Santiago", "2027-04-03", ("00:00:00", "23:30:00", "23:59:59")),
    ],
)
async def test_a_day_has_the_posts_of_its_date(stranger: Client, zone: str, day: str, times: tuple[str, ...]) -> None:
    before, after = ((datetime.fromisoformat(day) + timedelta(days=number)).date().isoformat() for number in (-1, 1))
    for moment in (f"{before}T23:59:59", *(f"{day}T{time}" for time in times), f"{after}T00:00:00"):
        await draft(stranger, moment, scheduledFor=moment, timezone=zone)
    calendar = await shown_days(stranger, before, after, timezone=zone)
    assert calendar["timezone"] == zone
    assert texts(calendar) == {
        before: [f"{before}T23:59:59"],
        day: [f"{day}T{time}" for time in times],
        after: [f"{after}T00:00:00"],
    }
    for entry in calendar["days"]:
        assert {post["local"][:10] for post in entry["posts"]} == {entry["date"]}


async def test_a_post_is_shown_in_short(api: Client, stack: Stack) -> None:
    account = stack.accounts["twitter"]
    target = {"platform": account.platform, "accountId": account.id}
    day = f"{YEAR}-05-04"
    await api.send_post(
        {
            "content": "A line of text. " * 10,
            "platforms": [target],
            "scheduledFor": f"{day}T09:00:00",
            "timezone": "Asia/Tokyo",
        }
    )
    calendar = await shown_days(api, day, day, timezone="Europe/Berlin", accountId=account.id)
    [post] = calendar["days"][0]["posts"]
    post_id = post.pop("id")
    assert post == {
        "at": f"{day}T00:00:00Z",
        "local": f"{day}T02:00:00",
        "timezone": "Asia/Tokyo",
        "status": "scheduled",
        "text": ("A line of text. " * 10)[:80],
        "targets": [{**target, "username": account.username, "status": "pending"}],
    }
    assert (await api.get(f"/v1/posts/{post_id}")).json()["scheduledFor"] == post["at"]


async def test_posts_are_shown_when_they_were_published_at_once(api: Client, stack: Stack) -> None:
    account = await stack.connect("mastodon")
    target = {"platform": account.platform, "accountId": account.id}
    tag = f"calendar-{stack.began_at.timestamp()}"
    body = {"content": f"At once {tag}", "platforms": [target], "tags": [tag]}
    at_once = (await api.send_post({**body, "publishNow": True})).json()
    planned = (
        await api.send_post({**body, "content": f"Ahead {tag}", "scheduledFor": f"{YEAR}-01-01T00:00:00Z"})
    ).json()
    await api.patch(f"/v1/posts/{planned['id']}", json={"publishNow": True})
    await draft(api, "Without a time", tags=[tag])
    today = datetime.now(UTC).date()
    calendar = await shown_days(
        api, (today - timedelta(days=1)).isoformat(), (today + timedelta(days=1)).isoformat(), tag=tag
    )
    posts = [post for day in calendar["days"] for post in day["posts"]]
    assert [post["id"] for post in posts] == [at_once["id"], planned["id"]]
    assert {post["status"] for post in posts} == {"published"}
    assert {target["status"] for post in posts for target in post["targets"]} == {"published"}


async def test_more_posts_are_counted(stranger: Client, stack: Stack) -> None:
    day = f"{YEAR}-06-01"
    first = await draft(stranger, "the first", "twitter", scheduledFor=f"{day}T08:00:00Z")
    copies = text(
        "INSERT INTO posts (id, workspace_id, workflow_id, status, content, media_items, tags, timezone, scheduled_for,"
        " tiktok_settings, facebook_settings, answer_bytes, created_at, updated_at)"
        " SELECT id || n, workspace_id, workflow_id || n, status, n::text, '[]', tags, timezone,"
        " scheduled_for + n * interval '1 second', '{}', '{}', answer_bytes, created_at, updated_at"
        " FROM posts, generate_series(1, 60) AS n WHERE id = :id"
    )
    async with stack.database.transaction() as session:
        await session.execute(copies, {"id": first["id"]})
    calendar = await shown_days(stranger, day, day)
    assert texts(calendar)[day] == ["the first", *map(str, range(1, 50))]
    assert calendar["more"] == {day: 11}
    full = await shown_days(stranger, day, day, full="true")
    assert texts(full)[day] == ["the first", *map(str, range(1, 61))]
    assert full["more"] == {}


async def test_the_targets_that_need_a_person_come_first(stranger: Client, stack: Stack) -> None:
    day = f"{YEAR}-06-02"
    platforms = ["twitter"] * 12
    post = await draft(stranger, "twelve", *platforms, scheduledFor=f"{day}T08:00:00Z")
    async with stack.database.transaction() as session:
        await session.execute(
            text(
                "UPDATE targets SET"
                " status = CASE position WHEN 11 THEN 'held' WHEN 10 THEN 'unconfirmed' ELSE 'pending' END,"
                " hold_reason = CASE position WHEN 11 THEN 'paused' END WHERE post_id = :id"
            ),
            {"id": post["id"]},
        )
    [shown] = (await shown_days(stranger, day, day))["days"][0]["posts"]
    assert [target["accountId"] for target in shown["targets"]][:3] == ["twitter_10", "twitter_11", "twitter_0"]
    assert (len(shown["targets"]), shown["moreTargets"], shown["waitsFor"]) == (10, 2, "person")


async def test_a_paused_post_says_so(api: Client, stack: Stack) -> None:
    account = stack.accounts["twitter"]
    target = {"platform": account.platform, "accountId": account.id}
    pause = await api.post("/v1/pauses", json={"scope": "workspace"})
    assert pause.status_code == 201, pause.text
    try:
        due = datetime.now(UTC) - timedelta(seconds=2)
        post = (
            await api.send_post({"content": f"Paused {due}", "platforms": [target], "scheduledFor": due.isoformat()})
        ).json()
        async with asyncio.timeout(60):
            while not (held := (await api.get(f"/v1/posts/{post['id']}")).json())["platforms"][0].get("waitsFor"):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        calendar = await shown_days(api, due.date().isoformat(), due.date().isoformat(), accountId=account.id)
        [day], [shown_pause] = calendar["days"], calendar["pauses"]
        assert shown_pause == {name: pause.json()[name] for name in ("id", "scope", "since", "reason")}
        [shown] = [shown for shown in day["posts"] if shown["id"] == post["id"]]
        assert (shown["status"], shown["waitsFor"]) == (held["status"], held["platforms"][0]["waitsFor"])
    finally:
        await end_pauses(api)


async def test_filters_select_posts(stranger: Client) -> None:
    day = f"{YEAR}-07-01"
    await draft(stranger, "one", "twitter", tags=["a"], scheduledFor=f"{day}T08:00:00Z")
    await draft(stranger, "two", "mastodon", tags=["a", "b"], scheduledFor=f"{day}T09:00:00Z")
    for query, expected in (
        ({}, ["one", "two"]),
        ({"platform": "mastodon"}, ["two"]),
        ({"accountId": "twitter_0"}, ["one"]),
        ({"tag": ["a", "b"]}, ["two"]),
        ({"status": "scheduled,draft"}, ["one", "two"]),
        ({"status": "published"}, []),
        ({"status": "held"}, []),
    ):
        assert texts(await shown_days(stranger, day, day, **query)) == {day: expected}, query


async def test_a_workspace_sees_its_own_posts(api: Client, stranger: Client) -> None:
    day = f"{YEAR}-07-02"
    await draft(api, "of another workspace", scheduledFor=f"{day}T08:00:00Z")
    assert await shown_days(stranger, day, day) == {
        "timezone": "UTC",
        "days": [{"date": day, "posts": []}],
        "pauses": [],
        "more": {},
    }


async def test_an_unchanged_calendar_is_304(stranger: Client) -> None:
    day = f"{YEAR}-07-03"
    post = await draft(stranger, "before", scheduledFor=f"{day}T08:00:00Z")
    first = await stranger.get("/v1/calendar", params={"from": day, "to": day})
    again = await stranger.get(
        "/v1/calendar", params={"from": day, "to": day}, headers={"If-None-Match": first.headers["ETag"]}
    )
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", first.headers["ETag"])
    assert again.headers["Cache-Control"] == "no-store"
    await stranger.patch(f"/v1/posts/{post['id']}", json={"content": "after"})
    changed = await stranger.get(
        "/v1/calendar", params={"from": day, "to": day}, headers={"If-None-Match": first.headers["ETag"]}
    )
    assert changed.status_code == 200
    assert texts(changed.json()) == {day: ["after"]}


async def test_a_calendar_takes_two_statements(stranger: Client, statements: list[Statement]) -> None:
    day = f"{YEAR}-07-04"
    await draft(stranger, "counted", "twitter", "mastodon", scheduledFor=f"{day}T08:00:00Z")
    await shown_days(stranger, day, day)
    statements.clear()
    await shown_days(stranger, f"{YEAR}-07-01", f"{YEAR}-08-30")
    reads = [statement for statement in statements if "FROM posts" in statement.text]
    assert len(reads) == 2, statements


async def test_too_many_posts_are_refused(stranger: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    day = f"{YEAR}-07-05"
    for number in range(3):
        await draft(stranger, str(number), scheduledFor=f"{day}T08:00:00Z")
    monkeypatch.setattr("api.calendar.days.MOST_COUNTED", 2)
    response = await stranger.get("/v1/calendar", params={"from": day, "to": day})
    assert (response.status_code, response.json()["param"]) == (400, "to"), response.text
    assert counts.MOST_COUNTED > 2


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("from=2027-01-01", "to"),
        ("to=2027-01-01", "from"),
        ("from=2027-01-01&to=2027-03-04", "to"),
        ("from=2027-01-02&to=2027-01-01", "from"),
        ("from=2027-02-30&to=2027-03-01", "from"),
        ("from=2027-02-01T10:00:00&to=2027-03-01", "from"),
        ("from=9999-12-31&to=9999-12-31", "to"),
        ("from=0001-01-01&to=0001-01-01&timezone=Asia/Tokyo", "to"),
        ("from=2027-01-01&to=2027-01-01&timezone=Berlin", "timezone"),
        ("from=2027-01-01&to=2027-01-01&status=lost", "status"),
        ("from=2027-01-01&to=2027-01-01&limit=5", "limit"),
    ],
)
async def test_bad_queries_are_400(stranger: Client, query: str, param: str) -> None:
    response = await stranger.get(f"/v1/calendar?{query}")
    assert (response.status_code, response.json()["param"]) == (400, param), response.text


async def test_62_days_are_answered(stranger: Client) -> None:
    assert len((await shown_days(stranger, "2027-01-01", "2027-03-03"))["days"]) == 62
