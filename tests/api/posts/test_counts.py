"""GET /v1/posts/counts."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import func, literal, select, text

from api.dependencies import Dependencies
from api.posts import counts
from store.posts.list_filters import Shape
from tests.api.conftest import Client, draft, make_client, read_answer
from tests.serving import app_over
from tests.stack import Stack

YEAR = datetime.now(UTC).year + 1


async def read_counts(api: Client, **query: Any) -> dict[str, Any]:
    return read_answer(await api.get("/v1/posts/counts", params=query))


async def test_a_workspace_without_posts_has_none(stranger: Client) -> None:
    assert await read_counts(stranger) == {"total": 0, "counts": []}


async def test_posts_are_counted_by_status_and_platform(api: Client, stranger: Client, stack: Stack) -> None:
    await draft(api, "of another workspace", "twitter")
    await draft(stranger, "one", "twitter", tags=["a"])
    await draft(stranger, "two", "twitter", "twitter", "mastodon", tags=["a", "b"])
    await draft(stranger, "nowhere")
    assert await read_counts(stranger) == {"total": 3, "counts": [{"status": "draft", "posts": 3}]}
    by_platform = await read_counts(stranger, by="platform")
    # A post with two accounts of a platform counts once for it.
    assert by_platform == {
        "total": 3,
        "counts": [{"platform": "mastodon", "posts": 1}, {"platform": "twitter", "posts": 2}],
    }
    both = await read_counts(stranger, by="platform,status", tag="b")
    assert both == {
        "total": 1,
        "counts": [
            {"status": "draft", "platform": "mastodon", "posts": 1},
            {"status": "draft", "platform": "twitter", "posts": 1},
        ],
    }
    assert (await read_counts(stranger, status="scheduled,failed"))["total"] == 0
    assert (await read_counts(stranger, platform="mastodon"))["total"] == 1


async def test_days_are_those_of_the_time_zone(stranger: Client) -> None:
    # 20 minutes before and after midnight in Berlin, on one UTC day.
    for moment in ("12-03T23:40:00", "12-04T00:20:00", "12-04T09:00:00"):
        await draft(stranger, moment, scheduledFor=f"{YEAR}-{moment}", timezone="Europe/Berlin")
    await draft(stranger, "without a time")
    days = {"by": "scheduledFor", "scheduledFrom": f"{YEAR}-12-01", "scheduledTo": f"{YEAR}-12-05"}
    assert await read_counts(stranger, **days, timezone="Europe/Berlin") == {
        "total": 3,
        "counts": [{"day": f"{YEAR}-12-03", "posts": 1}, {"day": f"{YEAR}-12-04", "posts": 2}],
    }
    assert [group["posts"] for group in (await read_counts(stranger, **days))["counts"]] == [2, 1]
    today = datetime.now(UTC).date().isoformat()
    created = await read_counts(stranger, by="createdAt,status", fromDate=today, toDate=today)
    assert created == {"total": 4, "counts": [{"status": "draft", "day": today, "posts": 4}]}


async def test_counts_are_those_of_the_list(api: Client, stack: Stack) -> None:
    account = stack.accounts["twitter"]
    target = {"platform": account.platform, "accountId": account.id}
    await api.send_post({"content": f"counted {YEAR}", "platforms": [target], "publishNow": True, "tags": ["counted"]})
    for tags in ([], ["counted"]):
        await api.send_post(
            {"content": "counted", "platforms": [target], "scheduledFor": f"{YEAR}-01-02T00:00:00Z", "tags": tags}
        )
    for query in ({"tag": "counted"}, {"status": "scheduled", "tag": "counted"}, {"scheduledFrom": f"{YEAR}-01-01"}):
        listed = (await api.get("/v1/posts", params={**query, "limit": 100})).json()["posts"]
        answer = await read_counts(api, **query)
        assert answer["total"] == len(listed) > 0
        assert {group["status"]: group["posts"] for group in answer["counts"]} == Counter(
            post["status"] for post in listed
        )


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("by=colour", "by"),
        ("by=status,", "by"),
        ("by=scheduledFor,createdAt", "by"),
        ("by=scheduledFor", "scheduledFrom"),
        ("by=scheduledFor&scheduledFrom=2026-12-01", "scheduledTo"),
        ("by=createdAt&fromDate=2026-01-01&toDate=2026-04-11", "toDate"),
        ("by=createdAt&fromDate=9999-12-30&toDate=9999-12-31T23:00:00Z&timezone=Asia/Tokyo", "toDate"),
        ("by=createdAt&fromDate=2026-01-02&toDate=2026-01-01", "fromDate"),
        ("status=lost", "status"),
        ("timezone=Berlin", "timezone"),
        ("limit=5", "limit"),
    ],
)
async def test_bad_queries_are_400(stranger: Client, query: str, param: str) -> None:
    response = await stranger.get(f"/v1/posts/counts?{query}")
    assert (response.status_code, response.json()["param"]) == (400, param), response.text


async def test_a_hundred_days_are_counted(stranger: Client) -> None:
    assert (await read_counts(stranger, by="createdAt", fromDate="2026-01-01", toDate="2026-04-10"))["total"] == 0


async def test_more_posts_than_the_limit_are_refused(stranger: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        await draft(stranger, str(number), tags=["first"] if number == 0 else [])
    monkeypatch.setattr(counts, "MOST_COUNTED", 2)
    response = await stranger.get("/v1/posts/counts")
    assert (response.status_code, response.json()["code"]) == (400, "invalid_field_value")
    assert (await read_counts(stranger, tag="first"))["total"] == 1


async def test_a_slow_count_is_ended(stranger: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(_: Shape) -> Any:
        return select(literal("").label("id"), literal("").label("status"), func.pg_sleep(2).label("scheduled_for"))

    monkeypatch.setattr("store.posts.counts.LIMIT_TIME", text("SET LOCAL statement_timeout = 50"))
    monkeypatch.setattr("store.posts.counts.matching_posts", slow)
    response = await stranger.get("/v1/posts/counts")
    assert (response.status_code, response.json()["code"]) == (503, "unavailable")
    assert "ask for less" in response.json()["error"]


async def test_two_requests_of_a_workspace_count_at_a_time(stack: Stack) -> None:
    deps = Dependencies.assemble(stack.api_database, stack.workflows, stack.outcomes)
    async with app_over(deps) as app, make_client(app, stack.api_key) as api:
        with deps.counts.take(stack.workspace_id), deps.counts.take(stack.workspace_id):
            assert (await api.get("/v1/posts/counts")).status_code == 429
