"""The sandbox's Reddit follows Reddit's rules, and keeps its state over a restart."""

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.sandbox.conftest import Clock
from tests.sandbox.servers import account, acting_client

APP = httpx.BasicAuth("app", "")
AGENT = "web:app:1 (by /u/ann)"
SELF = {"api_type": "json", "sr": "test", "kind": "self", "title": "Hi", "text": "Body", "resubmit": "true"}

reddit = partial(
    acting_client,
    path="/reddit",
    accounts=[account("reddit", "rd_9001", "9001", "ann", "rd-token", "rd-refresh")],
    headers={"authorization": "bearer rd-token", "user-agent": AGENT},
)


@pytest.fixture(scope="module")
async def rd() -> AsyncIterator[httpx.AsyncClient]:
    async with reddit() as client:
        yield client


async def submit(rd: httpx.AsyncClient, **more: str) -> dict[str, Any]:
    answer = await rd.post("/api/submit", data={**SELF, **more})
    assert answer.status_code == 200, answer.text
    return dict(answer.json()["json"])


async def names(rd: httpx.AsyncClient) -> list[str]:
    listing = (await rd.get("/user/Ann/submitted", params={"sort": "new"})).json()
    return [child["data"]["name"] for child in listing["data"]["children"]]


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ({"kind": "poll"}, "INVALID_OPTION"),
        ({"sr": "no such name"}, "BAD_SR_NAME"),
        ({"sr": "Missing"}, "SUBREDDIT_NOEXIST"),
        ({"title": " "}, "NO_TEXT"),
        ({"title": "x" * 301}, "TOO_LONG"),
        ({"text": "x" * 40_001}, "TOO_LONG"),
        ({"kind": "link"}, "NO_URL"),
        ({"kind": "link", "url": "example.com"}, "BAD_URL"),
        ({"kind": "image", "url": "https://example.com/a.jpg"}, "BAD_URL"),
    ],
)
async def test_refusals_come_with_status_200(rd: httpx.AsyncClient, sent: dict[str, str], code: str) -> None:
    assert (await submit(rd, **sent))["errors"][0][0] == code


@pytest.mark.parametrize("agent", ["", "python-httpx/0.28", "Mozilla/5.0"])
async def test_apps_without_a_proper_user_agent_are_refused(rd: httpx.AsyncClient, agent: str) -> None:
    assert (await rd.get("/api/v1/me", headers={"user-agent": agent})).status_code == 403


async def test_an_unknown_token_and_another_users_list(rd: httpx.AsyncClient) -> None:
    assert (await rd.get("/api/v1/me", headers={"authorization": "bearer nobody"})).status_code == 401
    assert (await rd.get("/user/somebody/submitted")).status_code == 404
    flairs = (await rd.get("/r/test/api/link_flair_v2")).json()
    assert [(flair["text"], flair["mod_only"]) for flair in flairs][::2] == [("News", False), ("Official", True)]
    assert (await rd.get("/r/closed/api/link_flair_v2")).status_code == 403


async def lease(rd: httpx.AsyncClient, content: bytes, **more: str) -> tuple[str, str, int]:
    """Return the address of what was stored, its id, and the storage's response."""
    leased = (await rd.post("/api/media/asset.json", data={"filepath": "a.png", "mimetype": "image/png"})).json()
    fields = {field["name"]: field["value"] for field in leased["args"]["fields"]} | more
    answer = await rd.post(leased["args"]["action"], data=fields, files={"file": ("a.png", content, "image/png")})
    return f"{leased['args']['action']}/{fields['key']}", leased["asset"]["asset_id"], answer.status_code


async def test_refusals_of_the_storage(rd: httpx.AsyncClient) -> None:
    assert (await lease(rd, b"", key="another"))[2] == 403
    assert (await lease(rd, bytes((20 << 20) + 1)))[2] == 400
    leased = (await rd.post("/api/media/asset.json", data={"filepath": "a.png", "mimetype": "image/png"})).json()
    fields = {field["name"]: field["value"] for field in leased["args"]["fields"]}
    assert (await rd.post(leased["args"]["action"], data=fields)).status_code == 400
    assert (await rd.post(leased["args"]["action"], content=b"")).status_code == 403
    assert (await rd.post("/api/media/asset.json", data={"mimetype": "video/mp4"})).status_code == 400


async def test_links_are_known_over_a_restart_unless_resubmitting(tmp_path: Path) -> None:
    link = {"kind": "link", "url": "https://example.com/a", "resubmit": "false"}
    async with reddit(tmp_path) as rd:
        assert (await submit(rd, **link))["errors"] == []
    async with reddit(tmp_path) as rd:
        assert (await submit(rd, **link, sr="TEST"))["errors"][0][0] == "ALREADY_SUB"
        assert (await submit(rd, **{**link, "resubmit": "true"}))["errors"] == []
        assert (await submit(rd, **{**link, "sr": "other"}))["errors"] == []


async def test_realistic_listings_lag_and_posting_is_throttled(clock: Clock) -> None:
    async with reddit(realistic=True, clock=clock) as rd:
        first = (await submit(rd))["data"]["name"]
        assert await names(rd) == []
        clock.now += 5
        assert await names(rd) == [first]
        for _ in range(4):
            await submit(rd)
        throttled = await submit(rd)
        assert throttled["errors"][0][0] == "RATELIMIT"
        assert 590 < throttled["ratelimit"] < 600
        answer = await rd.get("/api/v1/me")
        assert float(answer.headers["x-ratelimit-remaining"]) < 1000
        for _ in range(991):
            await rd.get("/api/v1/me")
        answer = await rd.get("/api/v1/me")
        assert answer.status_code == 429
        assert int(answer.headers["retry-after"]) > 0
