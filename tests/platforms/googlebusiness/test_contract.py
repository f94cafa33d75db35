"""Reads of accounts and locations must match Google's discovery documents.

The posts themselves belong to the My Business API v4, for which no machine-readable document is public. A
post's body is written here by hand, after its page and field reports, so that a misspelt name is still detected.
"""

import json
from typing import Any

import httpx
import pytest

from platforms.googlebusiness import PLATFORM
from platforms.googlebusiness.access import ACCOUNTS, LOCATIONS
from tests.platforms.googlebusiness.test_platform import BUTTON, EVENT, OFFER
from tests.platforms.post_steps import publish
from tests.platforms.rig import Connect, noting
from tests.platforms.specs import document

DAY, TIME = {"year": int, "month": int, "day": int}, {"hours": int, "minutes": int}
POST: dict[str, Any] = {
    "languageCode": str,
    "summary": str,
    "topicType": str,
    "callToAction": {"actionType": str, "url": str},
    "event": {"title": str, "schedule": {"startDate": DAY, "startTime": TIME, "endDate": DAY, "endTime": TIME}},
    "offer": {"couponCode": str, "redeemOnlineUrl": str, "termsConditions": str},
    "media": [{"mediaFormat": str, "sourceUrl": str}],
}


def fits(value: Any, shape: Any) -> bool:
    if isinstance(shape, dict):
        return isinstance(value, dict) and all(name in shape and fits(value[name], shape[name]) for name in value)
    if isinstance(shape, list):
        return isinstance(value, list) and all(fits(item, shape[0]) for item in value)
    return type(value) is shape


@pytest.fixture
async def sent(connect: Connect) -> list[httpx.Request]:
    rig = await connect("googlebusiness")
    async with noting() as (client, requests):
        await PLATFORM.whoami(rig.connection(client))
        for settings in (
            {},
            {"callToAction": BUTTON, "languageCode": "de"},
            {"callToAction": {"type": "CALL"}},
            {"event": EVENT, "callToAction": BUTTON},
            {"event": EVENT, "offer": OFFER},
        ):
            await publish(rig, rig.context("Hi", [rig.sandbox.media("a.jpg")], settings=settings), client)
    return requests


async def test_posts_are_made_of_known_names(sent: list[httpx.Request]) -> None:
    bodies = [json.loads(request.content) for request in sent if request.method == "POST"]
    assert len(bodies) == 5
    assert all(fits(body, POST) for body in bodies)
    assert {name for body in bodies for name in body} == POST.keys()


def test_a_misspelt_field_would_be_seen() -> None:
    assert not fits({"summery": "x"}, POST)
    assert not fits({"event": {"schedule": {"startDate": {"year": "2026"}}}}, POST)
    assert not fits({"media": [{"sourceURL": "x"}]}, POST)


@pytest.mark.parametrize(
    ("file", "host", "path", "methods"),
    [
        ("mybusinessaccountmanagement", ACCOUNTS, "/v1/accounts", ["accounts", "list"]),
        ("mybusinessbusinessinformation", LOCATIONS, "/locations", ["accounts", "locations", "list"]),
    ],
)
async def test_accounts_and_locations_are_read_as_described(
    sent: list[httpx.Request], file: str, host: str, path: str, methods: list[str]
) -> None:
    api = document(f"google/{file}.v1.json")
    assert api["rootUrl"] == f"{host}/"
    described = api
    for name in methods[:-1]:
        described = described["resources"][name]
    described = described["methods"][methods[-1]]
    [request] = [request for request in sent if request.url.path.endswith(path)]
    assert request.method == described["httpMethod"]
    assert set(request.url.params) <= described["parameters"].keys() | api["parameters"].keys()
    needed = {name for name, about in described["parameters"].items() if about.get("required")} - {"parent"}
    assert needed <= set(request.url.params)
    # Another page is requested only if there are more results, so paging is checked against the document here.
    assert {"pageToken", "pageSize"} <= described["parameters"].keys()
    answer = api["schemas"][described["response"]["$ref"]]["properties"]
    assert {methods[-2], "nextPageToken"} <= answer.keys()
    if "readMask" in request.url.params:
        assert set(request.url.params["readMask"].split(",")) <= api["schemas"]["Location"]["properties"].keys()
