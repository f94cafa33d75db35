"""POST /v1/posts/{postId}/edit."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from store.models import Revision, Target
from tests.api.conftest import Client
from tests.stack import Stack

_PICTURE = {"type": "image", "url": "https://example.com/edit.jpg"}


async def publish(api: Client, stack: Stack, content: str, *names: str, **more: Any) -> dict[str, Any]:
    targets = [
        {"platform": stack.accounts[name].platform, "accountId": stack.accounts[name].id, **more}
        for name in names or ("twitter",)
    ]
    for target in targets:
        target.setdefault("customMedia", [_PICTURE] if target["platform"] == "instagram" else [])
    response = await api.send_post({"content": content, "platforms": targets, "publishNow": True})
    post: dict[str, Any] = response.json()
    assert post["status"] == "published", post
    return post


async def edit(api: Client, post: dict[str, Any], **body: Any) -> Any:
    return await api.post(f"/v1/posts/{post['id']}/edit", json=body)


async def set_target(stack: Stack, post: dict[str, Any], **values: Any) -> None:
    async with stack.database.transaction() as session:
        await session.execute(update(Target).where(Target.post_id == post["id"]).values(**values))


async def test_makes_a_new_version_and_keeps_the_old(api: Client, stack: Stack) -> None:
    post = await publish(api, stack, "with a tpyo")
    response = await edit(api, post, content="without a typo")
    edited = response.json()
    (before,), (after,) = post["platforms"], edited["platforms"]
    assert response.status_code == 200
    assert edited["content"] == "with a tpyo"
    assert after["content"] == "without a typo"
    assert after["platformPostId"] != before["platformPostId"]
    assert after["platformPostUrl"].endswith(after["platformPostId"])
    (version,) = after["editHistory"]
    assert version["platformPostId"] == before["platformPostId"]
    assert version["platformPostUrl"] == before["platformPostUrl"]
    assert version["content"] == "with a tpyo"
    assert version["editedAt"].endswith("Z")
    twice = (await edit(api, post, content="better still")).json()["platforms"][0]
    assert [entry["content"] for entry in twice["editHistory"]] == ["with a tpyo", "without a typo"]
    async with stack.database.transaction() as session:
        revisions = list(await session.scalars(select(Revision).where(Revision.post_id == post["id"])))
    assert [(revision.state, "content" in revision.body) for revision in revisions] == [("applied", False)] * 2
    assert (await api.get(f"/v1/posts/{post['id']}")).json()["platforms"][0] == twice


async def test_a_tweet_with_a_picture_keeps_it(api: Client, stack: Stack) -> None:
    post = await publish(api, stack, "a picture with a tpyo", customMedia=[_PICTURE])
    response = await edit(api, post, content="a picture without a typo")
    assert response.status_code == 200, response.text
    (target,) = response.json()["platforms"]
    shown = await stack.control("GET", f"posts?platform=twitter&accountId={stack.accounts['twitter'].id}")
    (public,) = [entry for entry in shown["posts"] if entry["platformPostId"] == target["platformPostId"]]
    assert (public["text"], public["mediaCount"]) == ("a picture without a typo", 1)


async def test_a_tweet_whose_pictures_are_not_known_any_more_stays(api: Client, stack: Stack) -> None:
    post = await publish(api, stack, "a picture after a restore", customMedia=[_PICTURE])
    await set_target(stack, post, handles={})
    response = await edit(api, post, content="without its picture")
    assert (response.status_code, response.json()["code"]) == (422, "edit_not_supported")
    assert "media" in response.json()["error"]


async def test_other_platforms_and_accounts_without_premium_are_left_alone(api: Client, stack: Stack) -> None:
    post = await publish(api, stack, "three places", "instagram", "plain", "twitter")
    instagram, plain, premium = (await edit(api, post, content="edited in one")).json()["platforms"]
    assert [instagram["content"], plain["content"], premium["content"]] == [
        "three places",
        "three places",
        "edited in one",
    ]


async def test_edits_of_a_post_are_limited(api: Client, stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.posts.changes.update.MOST_REVISIONS", 3)
    post = await publish(api, stack, "edited in vain")
    await stack.fault(
        "twitter",
        "reject",
        "edit",
        status=403,
        body={
            "type": "about:blank",
            "title": "Forbidden",
            "detail": "You are not permitted to perform this action.",
            "status": 403,
        },
        times=3,
    )
    for number in range(3):
        refused = await edit(api, post, content=f"edited in vain {number}")
        assert refused.status_code == 422, refused.text
        assert refused.json()["code"] != "edit_limit_reached"
    answers = await asyncio.gather(*(edit(api, post, content=f"edited in vain again {n}") for n in range(3)))
    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(422, "edit_limit_reached")}
    async with stack.database.transaction() as session:
        revisions = list(await session.scalars(select(Revision).where(Revision.post_id == post["id"])))
    assert len(revisions) == 3


class TestRules:
    async def test_edit_needs_a_published_tweet(self, api: Client, stack: Stack) -> None:
        draft = (await api.send_post({"content": "draft"})).json()
        elsewhere = await publish(api, stack, "picture", "instagram")
        for post in (draft, elsewhere):
            response = await edit(api, post, content="x")
            assert (response.status_code, response.json()["code"]) == (422, "edit_not_supported")

    async def test_no_premium(self, api: Client, stack: Stack) -> None:
        post = await publish(api, stack, "free account", "plain")
        assert (await edit(api, post, content="x")).json()["code"] == "premium_required"

    async def test_an_hour_has_passed(self, api: Client, stack: Stack) -> None:
        post = await publish(api, stack, "old tweet")
        long_ago = datetime.now(UTC) - timedelta(minutes=61)
        await set_target(stack, post, published_at=long_ago, editable_until=None)
        assert (await edit(api, post, content="x")).json()["code"] == "edit_window_closed"

    async def test_reported_edit_window_overrides_the_rule(self, api: Client, stack: Stack) -> None:
        post = await publish(api, stack, "thirty minutes")
        await set_target(stack, post, editable_until=datetime.now(UTC) - timedelta(seconds=1))
        assert (await edit(api, post, content="x")).json()["code"] == "edit_window_closed"

    async def test_five_edits(self, api: Client, stack: Stack) -> None:
        post = await publish(api, stack, "edited often")
        version = {"platformPostId": "1", "platformPostUrl": None, "content": "x", "editedAt": "2026-01-01T00:00:00Z"}
        await set_target(stack, post, edit_history=[version] * 5)
        assert (await edit(api, post, content="x")).json()["code"] == "edit_limit_reached"

    @pytest.mark.parametrize("field", ["mediaItems", "customMedia", "media"])
    async def test_media_in_the_body(self, api: Client, stack: Stack, field: str) -> None:
        post = await publish(api, stack, f"text only {field}")
        response = await edit(api, post, content="x", **{field: []})
        assert (response.status_code, response.json()["code"]) == (422, "text_only")

    @pytest.mark.parametrize(
        "settings",
        [{"poll": {"options": ["yes", "no"], "durationMinutes": 60}}, {"quoteTweetId": "1445880548472328192"}],
    )
    async def test_a_poll_or_a_quote(self, api: Client, stack: Stack, settings: dict[str, Any]) -> None:
        post = await publish(api, stack, f"which? {list(settings)}", platformSpecificData=settings)
        assert (await edit(api, post, content="x")).json()["code"] == "text_only"

    async def test_the_text_is_too_long(self, api: Client, stack: Stack) -> None:
        post = await publish(api, stack, "grows")
        response = await edit(api, post, content="x" * 25_001)
        answer = response.json()
        assert (response.status_code, answer["code"], answer["param"]) == (422, "invalid_field_value", "content")

    async def test_they_are_checked_in_the_decided_order(self, api: Client, stack: Stack) -> None:
        long_ago = {"published_at": datetime.now(UTC) - timedelta(hours=2), "editable_until": None}
        version = {"platformPostId": "1", "platformPostUrl": None, "content": "x", "editedAt": "2026-01-01T00:00:00Z"}
        everything_wrong = {"content": "x" * 25_001, "mediaItems": []}
        free = await publish(api, stack, "order, free", "plain")
        await set_target(stack, free, edit_history=[version] * 5, **long_ago)
        assert (await edit(api, free, **everything_wrong)).json()["code"] == "premium_required"
        post = await publish(api, stack, "order, premium")
        await set_target(stack, post, edit_history=[version] * 5)
        assert (await edit(api, post, **everything_wrong)).json()["code"] == "edit_limit_reached"
        await set_target(stack, post, **long_ago)
        assert (await edit(api, post, **everything_wrong)).json()["code"] == "edit_window_closed"

    @pytest.mark.parametrize(
        ("body", "code", "param"),
        [
            ({}, "missing_required_field", "content"),
            ({"content": " "}, "missing_required_field", "content"),
            ({"content": 1}, "invalid_field_value", "content"),
            ({"content": "x", "platform": "twitter"}, "unknown_parameter", "platform"),
        ],
    )
    async def test_the_shape_is_checked_first(self, api: Client, body: dict[str, Any], code: str, param: str) -> None:
        draft = (await api.send_post({"content": "draft"})).json()
        response = await edit(api, draft, **body)
        assert response.status_code == 400
        assert (response.json()["code"], response.json()["param"]) == (code, param)

    async def test_the_platforms_refusal_is_passed_on(self, api: Client, stack: Stack) -> None:
        post = await publish(api, stack, "refused edit")
        await stack.fault(
            "twitter",
            "reject",
            "edit",
            status=403,
            body={
                "type": "about:blank",
                "title": "Forbidden",
                "detail": "You are not permitted to perform this action.",
                "status": 403,
            },
        )
        response = await edit(api, post, content="not this")
        assert response.status_code == 422
        (problem,) = response.json()["errors"]
        assert (problem["code"], problem["platform"]) == ("edit_refused", "twitter")
        assert problem["accountId"] == post["platforms"][0]["accountId"]
        assert problem["platformCode"]
        assert (await api.get(f"/v1/posts/{post['id']}")).json()["platforms"] == post["platforms"]
