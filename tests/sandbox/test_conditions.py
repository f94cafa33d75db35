"""Conditions of platforms, which last until they are switched off."""

from collections.abc import AsyncIterator

import pytest

from tests.sandbox.conftest import Sandbox


@pytest.fixture
async def sandbox(shared: Sandbox) -> AsyncIterator[Sandbox]:
    yield shared
    await shared.control.delete("/_/conditions")


async def switch_on(sandbox: Sandbox, platform: str, condition: str, account_id: str | None = None) -> None:
    named = {"accountId": account_id} if account_id else {}
    answer = await sandbox.control.post("/_/conditions", json={"platform": platform, "condition": condition, **named})
    assert answer.status_code == 201, answer.text


async def test_a_refused_app_is_refused_until_the_condition_is_cleared(sandbox: Sandbox) -> None:
    await switch_on(sandbox, "twitter", "app_refused")
    for text in ("first", "second"):
        answer = await sandbox.x.post("/2/tweets", json={"text": text})
        assert (answer.status_code, answer.json()["detail"]) == (402, "credits depleted")
    assert (await sandbox.x.get("/2/users/me")).status_code == 402
    assert [
        condition["condition"] for condition in (await sandbox.control.get("/_/conditions")).json()["conditions"]
    ] == ["app_refused"]
    await sandbox.control.delete("/_/conditions?platform=instagram")
    assert (await sandbox.x.post("/2/tweets", json={"text": "third"})).status_code == 402
    await sandbox.control.delete("/_/conditions?platform=twitter")
    assert (await sandbox.x.post("/2/tweets", json={"text": "fourth"})).status_code == 201


async def test_a_condition_may_hold_for_one_account(sandbox: Sandbox) -> None:
    await switch_on(sandbox, "twitter", "app_refused", "acc_free")
    assert (await sandbox.free.post("/2/tweets", json={"text": "mine"})).status_code == 402
    assert (await sandbox.x.post("/2/tweets", json={"text": "yours"})).status_code == 201


@pytest.mark.parametrize("platform", ["bluesky", "facebook", "pinterest", "tiktok"])
async def test_every_platform_knows_an_app_that_is_refused(sandbox: Sandbox, platform: str) -> None:
    known = (await sandbox.control.get("/_/conditions")).json()["known"]
    assert "app_refused" in known[platform]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"platform": "myspace", "condition": "app_refused"}, "platform"),
        ({"platform": "twitter", "condition": "fog"}, "condition"),
        ({"platform": "twitter"}, "condition"),
        ({"platform": "twitter", "condition": "app_refused", "more": 1}, "more"),
    ],
)
async def test_unknown_conditions_are_named(sandbox: Sandbox, body: dict[str, object], message: str) -> None:
    answer = await sandbox.control.post("/_/conditions", json=body)
    assert answer.status_code == 400
    assert message in answer.json()["error"]
