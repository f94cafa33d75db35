"""Series over HTTP: created once, shown, changed, paused and deleted."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from domain.schedule import resolve, rfc3339
from store.posts.queries import find_post
from tests.api.conftest import Client, end_pauses, read_answer
from tests.before_due import before_due
from tests.stack import Stack

ZONE = "Europe/Berlin"


@pytest.fixture(autouse=True)
async def no_series_remains(api: Client) -> AsyncIterator[None]:
    yield
    await end_pauses(api)
    for series in (await api.get("/v1/series")).json()["series"]:
        assert (await api.delete(f"/v1/series/{series['id']}?posts=delete")).status_code == 200


def day(days: int = 1) -> date:
    return datetime.now(UTC).date() + timedelta(days=days)


def body(stack: Stack, **fields: Any) -> dict[str, Any]:
    account = stack.accounts["twitter"]
    return {
        "name": "tips",
        "timezone": ZONE,
        "start": f"{day()}T09:00:00",
        "recurrence": {"frequency": "daily"},
        "post": {
            "content": f"tip {secrets.token_hex(4)}",
            "platforms": [{"platform": account.platform, "accountId": account.id}],
        },
        **fields,
    }


async def create(api: Client, body: dict[str, Any], status: int = 201, key: str | None = None) -> Any:
    headers = {"Idempotency-Key": key or secrets.token_hex(8)}
    return read_answer(await api.post("/v1/series", json=body, headers=headers), status)


async def change(api: Client, series: Any, **fields: Any) -> Any:
    return read_answer(await api.patch(f"/v1/series/{series['id']}", json=fields))


async def occurrences(api: Client, series: Any, query: str = "") -> list[Any]:
    response = await api.get(f"/v1/series/{series['id']}/occurrences{query}")
    assert response.status_code == 200, response.text
    shown: list[Any] = response.json()["occurrences"]
    return shown


@pytest.mark.parametrize(
    ("recurrence", "rrule"),
    [
        ({"frequency": "daily", "interval": 2, "count": 5}, "FREQ=DAILY;INTERVAL=2;COUNT=5"),
        ({"frequency": "weekly", "byDay": ["mo", "th"]}, "FREQ=WEEKLY;BYDAY=MO,TH"),
        (
            {"frequency": "monthly", "byDay": [{"day": "fr", "nthOfPeriod": -1}]},
            "FREQ=MONTHLY;BYDAY=-1FR",
        ),
        (
            {"frequency": "monthly", "byMonthDay": [31], "skip": "backward"},
            "RSCALE=GREGORIAN;FREQ=MONTHLY;BYMONTHDAY=31;SKIP=BACKWARD",
        ),
        ({"frequency": "yearly", "byMonth": [3], "byMonthDay": [1]}, "FREQ=YEARLY;BYMONTH=3;BYMONTHDAY=1"),
        ({"rrule": "FREQ=WEEKLY;BYDAY=TU;BYHOUR=8,18"}, "FREQ=WEEKLY;BYDAY=TU;BYHOUR=8,18;BYMINUTE=0"),
    ],
)
async def test_series_of_each_frequency_has_posts(
    api: Client, stack: Stack, recurrence: dict[str, Any], rrule: str
) -> None:
    series = await create(api, body(stack, recurrence=recurrence))
    assert series["rrule"] == rrule
    assert series["status"] == "active"
    assert len(series["next"]) == 3
    for occurrence in series["next"]:
        assert occurrence["state"] == "made"
        assert occurrence["scheduledFor"] == rfc3339(resolve(occurrence["occurrence"], ZONE).instant)
        post = (await api.get(f"/v1/posts/{occurrence['postId']}")).json()
        assert (post["status"], post["scheduledFor"]) == ("scheduled", occurrence["scheduledFor"])
    assert (await api.get(f"/v1/series/{series['id']}")).json() == series


async def test_repeated_request_creates_one_series(api: Client, stack: Stack) -> None:
    key, wanted_body = secrets.token_hex(8), body(stack)
    first = await create(api, wanted_body, key=key)
    assert (await create(api, wanted_body, key=key))["id"] == first["id"]
    assert len((await api.get("/v1/series")).json()["series"]) == 1
    refusal = await create(api, body(stack), 422, key=key)
    assert refusal["code"] == "idempotency_key_reused"
    response = await api.post("/v1/series", json=body(stack))
    assert (response.status_code, response.json()["param"]) == (400, "Idempotency-Key")


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({"recurrence": {"frequency": "monthly", "byMonthDay": [30]}}, "missing_required_field", "recurrence.skip"),
        ({"recurrence": {"frequency": "weekly", "byMonthDay": [3]}}, "unsupported_recurrence", "recurrence.byMonthDay"),
        ({"recurrence": {"frequency": "hourly"}}, "unsupported_recurrence", "recurrence.frequency"),
        ({"recurrence": {"rrule": "FREQ=HOURLY"}}, "unsupported_recurrence", "recurrence.rrule"),
        (
            {"recurrence": {"frequency": "monthly", "byDay": ["mo", "tu"], "bySetPosition": [1, 60]}},
            "unsupported_recurrence",
            "recurrence.bySetPosition",
        ),
        ({"recurrence": {"rrule": "FREQ=DAILY", "count": 2}}, "invalid_field_value", "recurrence.rrule"),
        ({"recurrence": {}}, "missing_required_field", "recurrence.frequency"),
        ({"recurrence": {"frequency": "daily", "byDay": ["xx"]}}, "invalid_field_value", "recurrence.byDay.0.day"),
        (
            {"recurrence": {"frequency": "yearly", "byMonth": [2], "byMonthDay": [30], "skip": "omit"}},
            "no_occurrence",
            "recurrence",
        ),
        ({"start": "2020-01-01T09:00:00"}, "invalid_field_value", "start"),
        ({"start": "2030-02-30T09:00:00"}, "invalid_field_value", "start"),
        ({"start": "2030-02-20T09:00:00Z"}, "invalid_field_value", "start"),
        ({"exclude": ["2030-02-30T09:00:00"]}, "invalid_field_value", "exclude.0"),
        ({"recurrence": {"frequency": "daily", "until": "2030-13-01"}}, "invalid_field_value", "recurrence.until"),
        ({"post": {"content": "no account"}}, "missing_required_field", "post.platforms"),
        ({"variations": [{"content": "x", "publishNow": True}]}, "unknown_parameter", "variations.0.publishNow"),
        ({"campaignId": "cmp_nothing"}, "campaign_not_found", "campaignId"),
    ],
)
async def test_wrong_series_names_the_field(
    api: Client, stack: Stack, fields: dict[str, Any], code: str, param: str
) -> None:
    status = 422 if code == "campaign_not_found" else 400
    refusal = await create(api, body(stack, **fields), status)
    assert (refusal["code"], refusal["param"]) == (code, param)


async def test_variation_that_a_platform_refuses_is_named(api: Client, stack: Stack) -> None:
    account = stack.accounts["plain"]
    post = {"platforms": [{"platform": account.platform, "accountId": account.id}]}
    refused = body(stack, post=post, variations=[{"content": "short"}, {"content": "x" * 400}])
    assert {problem["param"] for problem in (await create(api, refused, 422))["errors"]} == {"variations.1.content"}


async def test_same_text_again_and_again_is_a_warning_where_a_platform_refuses_it(api: Client, stack: Stack) -> None:
    series = await create(api, body(stack))
    assert [warning["code"] for warning in series["warnings"]] == ["duplicate_content"]
    assert series["warnings"][0]["accountId"] == stack.accounts["twitter"].id
    varied = await create(api, body(stack, variations=[{"content": "A"}, {"content": "B"}]))
    assert varied["warnings"] == []


async def test_variations_rotate_and_exceptions_survive(api: Client, stack: Stack) -> None:
    series = await create(api, body(stack, variations=[{"content": "A"}, {"content": "B"}]))
    first, second, third = series["next"]
    texts = [(await api.get(f"/v1/posts/{post['postId']}")).json()["content"] for post in series["next"]]
    assert texts == ["A", "B", "A"]
    assert (await api.delete(f"/v1/posts/{first['postId']}")).status_code == 200
    edited = await api.patch(f"/v1/posts/{second['postId']}", json={"content": "by hand"})
    assert edited.status_code == 200
    changed = await change(api, series, variations=[{"content": "C"}, {"content": "D"}])
    assert changed["keptEdited"] == [second["occurrence"]]
    assert third["occurrence"] in changed["changed"]
    assert first["occurrence"] not in changed["added"]
    shown = {entry["occurrence"]: entry for entry in await occurrences(api, series)}
    assert (shown[first["occurrence"]]["state"], shown[first["occurrence"]]["reason"]) == ("skipped", "deleted")
    assert (await api.get(f"/v1/posts/{second['postId']}")).json()["content"] == "by hand"
    assert (await api.get(f"/v1/posts/{third['postId']}")).json()["content"] == "C"


async def test_dry_run_says_what_the_change_does_and_changes_nothing(api: Client, stack: Stack) -> None:
    series = await create(api, body(stack))
    fields = {"recurrence": {"frequency": "daily", "interval": 2}, "from": f"{day(10)}T00:00:00"}
    planned = await change(api, series, **fields, dryRun=True)
    assert planned["removed"]
    assert planned["series"] == series
    done = await change(api, series, **fields)
    compared = ("added", "removed", "changed", "keptEdited", "untouched")
    assert {name: done[name] for name in compared} == {name: planned[name] for name in compared}
    assert min(done["removed"]) >= f"{day(10)}"
    assert [later["effectiveFrom"] for later in done["series"]["later"]] == [f"{day(10)}T00:00:00"]
    assert done["series"]["recurrence"] == {"frequency": "daily", "interval": 1}


async def test_edit_and_edit_back_have_the_same_occurrences(api: Client, stack: Stack) -> None:
    series = await create(api, body(stack))
    before = [entry["occurrence"] for entry in await occurrences(api, series)]
    await change(api, series, recurrence={"frequency": "weekly"})
    await change(api, series, recurrence={"frequency": "daily"})
    assert [entry["occurrence"] for entry in await occurrences(api, series)] == before


async def test_series_is_paused_and_resumed(api: Client, stack: Stack) -> None:
    series = await create(api, body(stack))
    path = f"/v1/series/{series['id']}"
    pause = await api.post(f"{path}/pause", json={"reason": "new texts"})
    assert (pause.status_code, pause.json()["seriesId"]) == (201, series["id"])
    shown = (await api.get(path)).json()
    assert (shown["status"], shown["pauseId"]) == ("paused", pause.json()["id"])
    assert (await api.delete(f"{path}?posts=keep")).json()["code"] == "paused"
    assert (await api.post(f"{path}/resume")).json()["status"] == "ended"
    assert (await api.get(path)).json()["status"] == "active"
    assert (await api.post(f"{path}/resume")).status_code == 409


async def test_series_with_unsent_posts_is_deleted_only_with_a_word_on_them(api: Client, stack: Stack) -> None:
    series = await create(api, body(stack, recurrence={"frequency": "weekly"}))
    path = f"/v1/series/{series['id']}"
    refusal = await api.delete(path)
    assert (refusal.status_code, refusal.json()["code"]) == (409, "series_has_unsent_posts")
    assert (await api.delete(f"{path}?posts=all")).status_code == 400
    deleted = await api.delete(f"{path}?posts=keep")
    assert deleted.json() == {"id": series["id"], "deleted": True, "deletedPosts": 0}
    assert (await api.get(path)).status_code == 404
    for occurrence in series["next"]:
        assert (await api.delete(f"/v1/posts/{occurrence['postId']}")).status_code == 200


async def test_posts_are_deleted_with_their_series(api: Client, stack: Stack) -> None:
    series = await create(api, body(stack, recurrence={"frequency": "daily", "count": 4}))
    deleted = await api.delete(f"/v1/series/{series['id']}?posts=delete")
    assert deleted.json()["deletedPosts"] == 4
    assert (await api.get(f"/v1/posts/{series['next'][0]['postId']}")).status_code == 404


async def test_preview_shows_clock_changes_and_creates_nothing(api: Client) -> None:
    rules = {
        "timezone": "America/New_York",
        "start": "2027-03-13T02:30:00",
        "recurrence": {"frequency": "daily", "times": ["02:30", "03:30"], "count": 4},
    }
    response = await api.post("/v1/series/preview", json=rules)
    assert response.status_code == 200, response.text
    shown = [(entry["occurrence"], entry["movedByClockChange"]) for entry in response.json()["occurrences"]]
    # 02:30 and 03:30 of the 14th are one instant, of which the later has no post.
    assert shown == [
        ("2027-03-13T02:30:00", False),
        ("2027-03-13T03:30:00", False),
        ("2027-03-14T02:30:00", True),
    ]
    assert (await api.get("/v1/series")).json()["series"] == []


async def test_occurrences_of_a_later_time_are_planned(api: Client, stack: Stack) -> None:
    series = await create(api, body(stack, exclude=[f"{day(5)}T09:00:00"]))
    far = await occurrences(api, series, f"?from={day(100)}&to={day(109)}")
    assert [entry["state"] for entry in far] == ["planned"] * 10
    near = {entry["occurrence"]: entry for entry in await occurrences(api, series)}
    assert near[f"{day(5)}T09:00:00"]["reason"] == "excluded"
    assert await occurrences(api, series, "?from=2150-01-01&to=2150-02-01") == []
    too_long = await api.get(f"/v1/series/{series['id']}/occurrences?from=2030-01-01&to=2031-12-31")
    assert too_long.status_code == 400


async def test_series_of_another_workspace_do_not_exist(api: Client, stranger: Client, stack: Stack) -> None:
    series = await create(api, body(stack))
    path = f"/v1/series/{series['id']}"
    for response in (
        await stranger.get(path),
        await stranger.get(f"{path}/occurrences"),
        await stranger.patch(path, json={"name": "mine"}),
        await stranger.delete(f"{path}?posts=delete"),
        await stranger.post(f"{path}/pause"),
        await stranger.post(f"{path}/resume"),
        await api.get("/v1/series/nothing"),
    ):
        assert (response.status_code, response.json()["code"]) == (404, "not_found")


async def test_page_continues_after_its_last_series(api: Client, stack: Stack) -> None:
    newest_first = [(await create(api, body(stack, recurrence={"frequency": "yearly"})))["id"] for _ in range(3)][::-1]
    page = (await api.get("/v1/series?limit=2")).json()
    rest = (await api.get(f"/v1/series?limit=2&cursor={page['cursor']}")).json()
    assert [series["id"] for series in [*page["series"], *rest["series"]]] == newest_first
    assert (page["hasMore"], rest["hasMore"]) == (True, False)


async def test_workflow_of_a_post_is_named_by_its_occurrence(api: Client, stack: Stack) -> None:
    series = await create(api, body(stack))
    occurrence = series["next"][0]
    async with stack.database.reading() as session:
        post = await find_post(session, stack.workspace_id, occurrence["postId"])
    assert post is not None
    assert post.workflow_id == f"{series['id']}/{occurrence['occurrence']}"
    shown = (await api.get(f"/v1/posts/{post.id}")).json()
    assert (shown["seriesId"], shown["occurrence"]) == (series["id"], occurrence["occurrence"])


async def test_occurrence_is_published_once_at_its_time(api: Client, stack: Stack) -> None:
    async def new_series(due: datetime) -> Any:
        wall = due.replace(tzinfo=None, microsecond=0).isoformat()
        return await create(api, body(stack, timezone="UTC", include=[wall], start=f"{day(9)}T09:00:00"))

    _, series = await before_due(new_series)
    occurrence, *_ = series["next"]
    async with asyncio.timeout(60):
        while (post := (await api.get(f"/v1/posts/{occurrence['postId']}")).json())["status"] != "published":  # noqa: ASYNC110 no event
            await asyncio.sleep(0.1)
    assert datetime.fromisoformat(post["publishedAt"]) >= datetime.fromisoformat(occurrence["scheduledFor"])
    assert len(await stack.public(post["content"])) == 1
    shown = await occurrences(api, series, f"?from={day(-1)}&to={day()}")
    assert [(entry["state"], entry["status"]) for entry in shown] == [("made", "published")]


async def test_posts_of_a_series_are_listed_and_counted(api: Client, stack: Stack) -> None:
    series = await create(api, body(stack, recurrence={"frequency": "daily", "count": 4}))
    await create(api, body(stack))
    listed = (await api.get(f"/v1/posts?seriesId={series['id']}")).json()["posts"]
    assert {post["seriesId"] for post in listed} == {series["id"]}
    assert sorted(post["occurrence"] for post in listed) == [f"{day(ahead)}T09:00:00" for ahead in range(1, 5)]
    by_schedule = await api.get(f"/v1/posts?seriesId={series['id']}&status=scheduled&sort=scheduledFor&limit=2")
    assert [post["occurrence"] for post in by_schedule.json()["posts"]] == [f"{day(1)}T09:00:00", f"{day(2)}T09:00:00"]
    deleted = await api.post(
        "/v1/posts/bulk/delete",
        json={"filter": {"seriesId": series["id"]}},
        headers={"Idempotency-Key": secrets.token_hex(8)},
    )
    assert deleted.json()["succeeded"] == 4
