"""POST /v1/posts/validate."""

from typing import Any

from tests.api.conftest import Client, read_answer
from tests.stack import Stack


async def validate(api: Client, body: dict[str, Any]) -> dict[str, Any]:
    verdict = read_answer(await api.post("/v1/posts/validate", json=body))
    assert set(verdict) == {"valid", "errors", "warnings"}
    return verdict


async def test_valid_post_is_not_created(api: Client, stranger: Client, stack: Stack) -> None:
    target = {"platform": "twitter", "accountId": stack.accounts["twitter"].id}
    body = {"content": "never created", "platforms": [target], "publishNow": True}
    assert await validate(api, body) == {"valid": True, "errors": [], "warnings": []}
    assert await stack.public("never created") == []
    assert await validate(stranger, {"content": "draft"}) == {"valid": True, "errors": [], "warnings": []}
    assert (await stranger.get("/v1/posts")).json()["posts"] == []


async def test_validate_reports_the_errors_of_create(api: Client, stack: Stack) -> None:
    instagram = {"platform": "instagram", "accountId": stack.accounts["instagram"].id}
    for body in (
        {"publishNow": "yes", "zebra": 1},
        {"content": "a\0b", "tags": [1]},
        {"content": "no picture", "platforms": [instagram], "publishNow": True},
        {"content": "x", "platforms": [{**instagram, "accountId": "ig_none"}], "publishNow": True},
    ):
        created = await api.send_post(body)
        assert created.status_code in {400, 422}
        assert await validate(api, body) == {"valid": False, "errors": created.json()["errors"], "warnings": []}


async def test_a_drafts_platform_problems_are_warnings(stranger: Client) -> None:
    target = {"platform": "instagram", "accountId": "ig_none"}
    verdict = await validate(stranger, {"content": "later", "platforms": [target], "isDraft": True})
    assert (verdict["valid"], verdict["errors"]) == (True, [])
    assert [(warning["code"], warning["param"]) for warning in verdict["warnings"]] == [
        ("invalid_field_value", "mediaItems"),
        ("account_not_found", "platforms.0.accountId"),
    ]


async def test_possible_platform_refusals_are_warnings(api: Client, stack: Stack) -> None:
    x = {"platform": "twitter", "accountId": stack.accounts["twitter"].id}
    page, threads = await stack.connect("facebook"), await stack.connect("threads")
    targets: list[dict[str, Any]] = [
        {**x, "platformSpecificData": {"replyToTweetId": "1"}, "customMedia": []},
        {"platform": "facebook", "accountId": page.id},
        {"platform": "threads", "accountId": threads.id, "platformSpecificData": {"replyToId": "1"}, "customMedia": []},
    ]
    media = [{"type": "gif", "url": "https://cdn.example.com/loop.gif"}]
    body = {"content": "look", "mediaItems": media, "platforms": targets, "publishNow": True}
    verdict = await validate(api, body)
    assert (verdict["valid"], verdict["errors"]) == (True, [])
    assert [(warning["code"], warning["param"], warning["platform"]) for warning in verdict["warnings"]] == [
        ("platform_caution", "platforms.0.platformSpecificData.replyToTweetId", "twitter"),
        ("platform_caution", "mediaItems", "facebook"),
        ("platform_caution", "platforms.2.platformSpecificData.replyToId", "threads"),
    ]
    targets[0]["platformSpecificData"] = {"quoteTweetId": "1"}
    [quoted, *_] = (await validate(api, body))["warnings"]
    assert "Enterprise" in quoted["error"]


async def test_bad_json_is_still_400(api: Client) -> None:
    response = await api.post("/v1/posts/validate", content=b"{", headers={"Content-Type": "application/json"})
    assert (response.status_code, response.json()["code"]) == (400, "invalid_json")
