"""The fake Google: its messages, what it accepts, and the result of its review of a post."""

from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import httpx
import pytest

from tests.sandbox.conftest import Clock
from tests.sandbox.servers import account, acting_client

LOCATION = "12345678901234567"
PARENT = f"/googlebusiness/v4/accounts/1{LOCATION}/locations/{LOCATION}"
PHOTO = [{"mediaFormat": "PHOTO", "sourceUrl": "https://example.com/a.jpg"}]
DAY = {"year": 2026, "month": 1, "day": 20}
SCHEDULE = {"startDate": DAY, "startTime": {"hours": 9}, "endDate": DAY, "endTime": {"hours": 17}}

google = partial(
    acting_client,
    path="",
    accounts=[account("googlebusiness", "gb_1", LOCATION, "Cafe", "t", "1//r")],
    headers={"authorization": "Bearer t"},
)


@pytest.fixture(scope="module")
async def shared() -> AsyncIterator[httpx.AsyncClient]:
    async with google() as client:
        yield client


async def post(client: httpx.AsyncClient, **body: Any) -> httpx.Response:
    return await client.post(f"{PARENT}/localPosts", json={"languageCode": "en", "summary": "Hi", **body})


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"/googlebusiness/v4/locations/{LOCATION}/localPosts", 404),
        (f"/googlebusiness/v4/accounts/7/locations/{LOCATION}/localPosts", 404),
        (f"{PARENT}/localPosts/7", 404),
        (f"{PARENT}/localPosts?pageSize=101", 400),
    ],
)
async def test_unknown_objects_are_not_found(shared: httpx.AsyncClient, path: str, status: int) -> None:
    answer = await shared.get(path)
    assert answer.status_code == answer.json()["error"]["code"] == status


async def test_tokens(shared: httpx.AsyncClient) -> None:
    answer = await shared.get("/googlebusiness/v1/accounts", headers={"authorization": "Bearer nope"})
    assert (answer.status_code, answer.json()["error"]["status"]) == (401, "UNAUTHENTICATED")
    for _ in range(2):
        form = {"grant_type": "refresh_token", "refresh_token": "1//r", "client_id": "c", "client_secret": "s"}
        renewed = (await shared.post("/googlebusiness/token", data=form)).json()
        assert "refresh_token" not in renewed
        headers = {"authorization": f"Bearer {renewed['access_token']}"}
        assert (await shared.get("/googlebusiness/v1/accounts", headers=headers)).status_code == 200
    revoked = {"grant_type": "refresh_token", "refresh_token": "1//x"}
    assert (await shared.post("/googlebusiness/token", data=revoked)).json()["error"] == "invalid_grant"
    assert (await shared.post("/googlebusiness/token", data={"grant_type": "x"})).status_code == 400


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"summary": ""}, "summary"),
        ({"summary": "x" * 1501}, "summary"),
        ({"topicType": "ALERT"}, "topic_type"),
        ({"media": PHOTO * 2}, "media"),
        ({"media": [{"mediaFormat": "PHOTO", "sourceUrl": "https://example.com/a.gif"}]}, "media.source_url"),
        ({"callToAction": {"actionType": "LEARN_MORE"}}, "call_to_action.url"),
        ({"callToAction": {"actionType": "CALL", "url": "https://example.com"}}, "call_to_action.url"),
        ({"callToAction": {"actionType": "DANCE"}}, "call_to_action"),
        ({"topicType": "EVENT"}, "event.title"),
        ({"topicType": "EVENT", "event": {"title": "x" * 59, "schedule": SCHEDULE}}, "event.title"),
        ({"topicType": "EVENT", "event": {"title": "x", "schedule": {"startDate": DAY}}}, "event.schedule"),
        (
            {"topicType": "EVENT", "event": {"title": "x", "schedule": {**SCHEDULE, "endTime": {"hours": 8}}}},
            "event.schedule",
        ),
        (
            {
                "topicType": "OFFER",
                "event": {"title": "x", "schedule": SCHEDULE},
                "callToAction": {"actionType": "CALL"},
            },
            "call_to_action",
        ),
    ],
)
async def test_refusals_name_their_field(shared: httpx.AsyncClient, body: dict[str, Any], field: str) -> None:
    answer = await post(shared, **body)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["status"] == "INVALID_ARGUMENT"
    assert error["details"][0]["errorDetails"][0]["field"] == field


async def test_unknown_names_and_videos_are_refused(shared: httpx.AsyncClient) -> None:
    assert 'Unknown name "summery"' in (await post(shared, summery="x")).json()["error"]["message"]
    video = await post(shared, media=[{"mediaFormat": "VIDEO", "sourceUrl": "https://example.com/a.mp4"}])
    assert (video.status_code, video.json()["error"]["status"]) == (500, "INTERNAL")
    assert (await shared.post(f"{PARENT}/localPosts", content=b"[")).status_code == 400
    assert (await shared.post(f"{PARENT}/localPosts", json=[])).status_code == 400


async def test_posts_are_listed_newest_first_page_by_page() -> None:
    async with google() as client:
        assert (await client.get(f"{PARENT}/localPosts")).json() == {}
        names = [(await post(client, summary=f"number {number}")).json()["name"] for number in range(3)]
        first = (await client.get(f"{PARENT}/localPosts", params={"pageSize": "2"})).json()
        rest = (await client.get(f"{PARENT}/localPosts", params={"pageToken": first["nextPageToken"]})).json()
        assert [local_post["name"] for local_post in first["localPosts"] + rest["localPosts"]] == names[::-1]
        assert "nextPageToken" not in rest


async def test_post_is_reviewed_then_shown_or_rejected() -> None:
    clock = Clock()
    async with google(realistic=True, clock=clock) as client:
        good, bad = (await post(client, media=PHOTO)).json(), (await post(client, summary="Call +1 555 123")).json()
        assert (good["state"], bad["state"]) == ("PROCESSING", "PROCESSING")
        assert "searchUrl" not in good
        clock.now += 60
        shown = (await client.get(f"/googlebusiness/v4/{good['name']}")).json()
        assert (shown["state"], shown["createTime"]) == ("LIVE", good["createTime"])
        assert shown["searchUrl"].startswith("https://local.google.com/")
        assert (await client.get(f"/googlebusiness/v4/{bad['name']}")).json()["state"] == "REJECTED"


async def test_three_hundred_queries_a_minute() -> None:
    clock = Clock()
    async with google(realistic=True, clock=clock) as client:
        for _ in range(300):
            assert (await client.get(f"{PARENT}/localPosts")).status_code == 200
        assert (await client.get(f"{PARENT}/localPosts")).json()["error"]["status"] == "RESOURCE_EXHAUSTED"
        clock.now += 61
        assert (await client.get(f"{PARENT}/localPosts")).status_code == 200


async def test_a_photo_that_cannot_be_fetched_has_a_number_and_no_field(shared: httpx.AsyncClient) -> None:
    answer = await post(shared, media=[{"mediaFormat": "PHOTO", "sourceUrl": "http://127.0.0.1:9/a.jpg"}])
    (fault,) = answer.json()["error"]["details"][0]["errorDetails"]
    assert (answer.status_code, fault) == (400, {"code": 1000, "message": "Fetching image failed."})
