"""POST /v1/posts/validate with checkMedia: the worker checks the files."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update

from api.shared.waiting import TOO_MANY_CHECKS, ConcurrentRequests
from domain.errors import TooManyRequests
from reconcile.expiry import expire
from store.models import MediaCheck
from tests.api.conftest import Client, read_answer
from tests.stack import Stack

GOOD = {"type": "image", "url": "https://example.com/checked.jpg"}
MISSING = {"type": "image", "url": "https://nonexistent.invalid/a.jpg"}


def create_body(stack: Stack, *names: str, **more: Any) -> dict[str, Any]:
    accounts = [stack.accounts[name] for name in names]
    targets = [{"platform": account.platform, "accountId": account.id} for account in accounts]
    return {"content": "checked", "mediaItems": [GOOD], "platforms": targets, "publishNow": True, **more}


async def validate(api: Client, body: dict[str, Any]) -> dict[str, Any]:
    return read_answer(await api.post("/v1/posts/validate", json={"checkMedia": True, **body}))


async def test_valid_files_are_accepted(api: Client, stack: Stack) -> None:
    assert await validate(api, create_body(stack, "instagram", "twitter")) == {
        "valid": True,
        "errors": [],
        "warnings": [],
    }


async def test_a_file_that_cannot_be_fetched_is_named_for_each_target(api: Client, stack: Stack) -> None:
    before = (await api.get("/v1/posts")).json()["posts"]
    verdict = await validate(api, create_body(stack, "instagram", "twitter", mediaItems=[GOOD, MISSING]))
    assert verdict["valid"] is False
    assert [(error["code"], error["param"], error["platform"]) for error in verdict["errors"]] == [
        ("media_refused", "mediaItems.1", "instagram"),
        ("media_refused", "mediaItems.1", "twitter"),
    ]
    assert (await api.get("/v1/posts")).json()["posts"] == before


async def test_media_of_one_target(api: Client, stack: Stack) -> None:
    body = create_body(stack, "instagram", "twitter")
    body["platforms"][1]["customMedia"] = [MISSING]
    (problem,) = (await validate(api, body))["errors"]
    assert (problem["param"], problem["platform"]) == ("platforms.1.customMedia.0", "twitter")


async def test_a_drafts_files_are_warnings(api: Client, stack: Stack) -> None:
    body = create_body(stack, "twitter", mediaItems=[MISSING], publishNow=False, isDraft=True)
    verdict = await validate(api, body)
    assert (verdict["valid"], verdict["errors"]) == (True, [])
    assert [warning["code"] for warning in verdict["warnings"]] == ["media_refused"]


async def test_files_are_not_fetched_if_the_body_is_invalid(api: Client, stack: Stack) -> None:
    verdict = await validate(api, create_body(stack, "twitter", content="x" * 30_000, mediaItems=[MISSING]))
    assert {error["code"] for error in verdict["errors"]} == {"invalid_field_value"}
    async with stack.database.reading() as session:
        assert await session.scalar(select(func.count()).where(MediaCheck.content["content"].astext.like("xxx%"))) == 0


async def test_files_are_checked_only_on_request(api: Client, stack: Stack) -> None:
    body = create_body(stack, "twitter", mediaItems=[MISSING])
    for asked in ({}, {"checkMedia": False}):
        assert (await api.post("/v1/posts/validate", json={**body, **asked})).json()["valid"] is True
    assert (await api.send_post({**body, "checkMedia": True})).json()["param"] == "checkMedia"


async def test_number_of_checked_files_is_limited(api: Client, stack: Stack) -> None:
    accounts = [await stack.connect("instagram") for _ in range(6)]
    media = [{"type": "image", "url": f"https://example.com/{number}.jpg"} for number in range(10)]
    targets = [{"platform": account.platform, "accountId": account.id} for account in accounts]
    body = {"content": "many", "mediaItems": media, "platforms": targets, "publishNow": True}
    (warning,) = (await validate(api, body))["warnings"]
    assert warning["code"] == "media_not_checked"


@pytest.mark.parametrize("flag", [None, "yes", 1])
async def test_check_media_must_be_a_boolean(api: Client, stack: Stack, flag: Any) -> None:
    (problem,) = (await validate(api, create_body(stack, "twitter", checkMedia=flag)))["errors"]
    assert (problem["code"], problem["param"]) == ("invalid_field_value", "checkMedia")


async def test_check_of_a_slow_server_is_bounded(api: Client, stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("activities.check_media.CHECK_TIMEOUT_S", 0.0)
    verdict = await validate(api, create_body(stack, "twitter"))
    assert verdict["valid"] is True
    assert [(warning["code"], warning["param"]) for warning in verdict["warnings"]] == [
        ("media_not_checked", "mediaItems.0")
    ]


async def test_missing_worker_is_a_warning(api: Client, stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    async def nothing(_: Any, __: Any) -> None:
        await asyncio.sleep(0)

    monkeypatch.setattr("workflows.client.post_workflows.PostWorkflows.check_media", nothing)
    verdict = await validate(api, create_body(stack, "twitter"))
    assert verdict["valid"] is True
    assert [(warning["code"], warning["param"]) for warning in verdict["warnings"]] == [
        ("media_not_checked", "platforms.0")
    ]


def test_concurrent_checks_are_limited() -> None:
    checks = ConcurrentRequests(3, 2, TOO_MANY_CHECKS, retry_after=5)
    with checks.take("one"), checks.take("one"):
        with pytest.raises(TooManyRequests), checks.take("one"):
            pass
        with checks.take("two"), pytest.raises(TooManyRequests), checks.take("three"):
            pass
    with checks.take("one"):
        pass


async def test_checked_files_are_deleted(api: Client, stack: Stack) -> None:
    await validate(api, create_body(stack, "twitter", content="checked and deleted"))
    rows = select(func.count()).where(MediaCheck.content["content"].astext == "checked and deleted")
    async with stack.database.transaction() as session:
        assert await session.scalar(rows) == 1
        await session.execute(update(MediaCheck).values(expires_at=datetime.now(UTC) - timedelta(seconds=1)))
    await expire(stack.worker_database, datetime.now(UTC))
    async with stack.database.reading() as session:
        assert await session.scalar(rows) == 0


async def test_workflows_know_no_content(api: Client, stack: Stack) -> None:
    await validate(api, create_body(stack, "twitter", content="known to nobody"))
    async with stack.database.reading() as session:
        rows = select(MediaCheck.id).where(MediaCheck.content["content"].astext == "known to nobody")
        check_id = await session.scalar(rows)
    history = await stack.client.get_workflow_handle(check_id or "").fetch_history()
    assert "known to nobody" not in str(history.events)
    assert "checked.jpg" not in str(history.events)
