"""Bodies of PATCH /v1/posts/{postId}: that of GET sent back, parts of targets, and a shift of the time."""

from typing import Any

import pytest

from tests.api.conftest import Client, problems
from tests.api.posts.changes.updates import DISTANT, create, patch
from tests.stack import Stack


class TestBodyOfGet:
    async def test_resent_changes_nothing(self, api: Client, stack: Stack) -> None:
        target = {
            "platform": "twitter",
            "accountId": stack.accounts["twitter"].id,
            "customContent": "its own",
            "platformSpecificData": {"replySettings": "following"},
        }
        media = [{"type": "image", "url": "https://example.com/a.jpg", "altText": "A"}]
        wall = {"scheduledFor": "2029-02-01T09:00", "timezone": "Europe/Paris", "tags": ["t"], "mediaItems": media}
        for more in (wall, {**wall, "isDraft": True}, {"isDraft": True}):
            post_id = await create(api, stack, platforms=[target], **more)
            before = (await api.get(f"/v1/posts/{post_id}")).json()
            after = await patch(api, post_id, before)
            assert {**after, "updatedAt": ""} == {**before, "updatedAt": ""}
            if "timezone" in more and "isDraft" not in more:
                # Its time is a wall time still.
                moved = await patch(api, post_id, {"timezone": "America/New_York"})
                assert moved["scheduledFor"] == "2029-02-01T14:00:00Z"

    async def test_resent_without_a_target_removes_it(self, api: Client, stack: Stack) -> None:
        names = ("twitter", "plain")
        targets = [
            {"platform": "twitter", "accountId": stack.accounts[name].id, "customContent": f"for {name}"}
            for name in names
        ]
        post_id = await create(api, stack, platforms=targets, scheduledFor=DISTANT)
        post = (await api.get(f"/v1/posts/{post_id}")).json()
        after = await patch(api, post_id, {"platforms": post["platforms"][1:]})
        assert [platform["customContent"] for platform in after["platforms"]] == ["for plain"]

    async def test_a_post_without_text(self, api: Client, stack: Stack) -> None:
        post_id = await create(
            api, stack, content=None, mediaItems=[{"type": "image", "url": "https://a.example/b.jpg"}]
        )
        before = (await api.get(f"/v1/posts/{post_id}")).json()
        assert before["content"] is None
        assert (await patch(api, post_id, {**before, "tags": ["new"]}))["content"] is None

    @pytest.mark.parametrize(
        ("name", "value"),
        [("status", "failed"), ("content", "x"), ("publishedAt", "2029-02-01T14:00:00Z"), ("warning", "new")],
    )
    async def test_read_only_target_fields_cannot_be_changed(
        self, api: Client, stack: Stack, name: str, value: str
    ) -> None:
        post_id = await create(api, stack, scheduledFor=DISTANT)
        (target,) = (await api.get(f"/v1/posts/{post_id}")).json()["platforms"]
        response = await api.patch(f"/v1/posts/{post_id}", json={"platforms": [{**target, name: value}]})
        assert (response.status_code, response.json()["param"]) == (400, f"platforms.0.{name}")

    async def test_read_only_fields_that_an_answer_leaves_out_may_be_null(self, api: Client, stack: Stack) -> None:
        post_id = await create(api, stack, scheduledFor=DISTANT)
        post = (await api.get(f"/v1/posts/{post_id}")).json()
        (target,) = post["platforms"]
        assert not {"errorCode", "warning"} & set(target)
        sent_back = {**post, "plannedFor": None, "platforms": [{**target, "errorCode": None, "warning": None}]}
        assert (await patch(api, post_id, sent_back))["platforms"] == [target]

    async def test_new_targets_accept_no_read_only_fields(self, api: Client, stack: Stack) -> None:
        post_id = await create(api, stack, scheduledFor=DISTANT)
        (target,) = (await api.get(f"/v1/posts/{post_id}")).json()["platforms"]
        added = {**target, "accountId": stack.accounts["plain"].id}
        response = await api.patch(f"/v1/posts/{post_id}", json={"platforms": [target, added]})
        assert response.status_code == 400
        assert {problem["param"].rpartition(".")[0] for problem in problems(response)} == {"platforms.1"}


class TestTargetsAreMerged:
    async def test_omitted_target_fields_stay(self, api: Client, stack: Stack) -> None:
        account = {"platform": "twitter", "accountId": stack.accounts["twitter"].id}
        own = {"customContent": "its own", "platformSpecificData": {"replySettings": "following"}}
        post_id = await create(api, stack, platforms=[{**account, **own}], scheduledFor=DISTANT)
        (target,) = (await patch(api, post_id, {"platforms": [account]}))["platforms"]
        assert own.items() <= target.items()
        (target,) = (await patch(api, post_id, {"platforms": [{**account, "customContent": "new"}]}))["platforms"]
        assert (target["customContent"], target["platformSpecificData"]) == ("new", own["platformSpecificData"])

    async def test_null_removes_custom_content_and_media(self, api: Client, stack: Stack) -> None:
        account = {"platform": "twitter", "accountId": stack.accounts["twitter"].id}
        own = {"customContent": "its own", "customMedia": [{"type": "image", "url": "https://example.com/a.jpg"}]}
        post_id = await create(api, stack, platforms=[{**account, **own}], scheduledFor=DISTANT)
        body = {"platforms": [{**account, "customContent": None, "customMedia": None}]}
        (target,) = (await patch(api, post_id, body))["platforms"]
        assert not {"customContent", "customMedia"} & target.keys()
        assert target["content"] == "before"

    async def test_settings_are_emptied_by_an_empty_object_and_not_by_null(self, api: Client, stack: Stack) -> None:
        account = {"platform": "twitter", "accountId": stack.accounts["twitter"].id}
        own = {**account, "platformSpecificData": {"replySettings": "following"}}
        post_id = await create(api, stack, platforms=[own], scheduledFor=DISTANT)
        body = {"platforms": [{**account, "platformSpecificData": None}]}
        response = await api.patch(f"/v1/posts/{post_id}", json=body)
        assert (response.status_code, response.json()["param"]) == (400, "platforms.0.platformSpecificData")
        emptied: dict[str, Any] = {"platforms": [{**account, "platformSpecificData": {}}]}
        (target,) = (await patch(api, post_id, emptied))["platforms"]
        assert "platformSpecificData" not in target


class TestShift:
    async def test_days_keep_the_wall_time_and_a_draft_stays_one(self, api: Client, stack: Stack) -> None:
        when = {"scheduledFor": "2029-03-24T09:00", "timezone": "Europe/Berlin"}
        scheduled, draft = await create(api, stack, **when), await create(api, stack, **when, isDraft=True)
        for post_id, status in ((scheduled, "scheduled"), (draft, "draft")):
            post = await patch(api, post_id, {"shiftBy": "P1D"})
            assert (post["status"], post["scheduledForLocal"]) == (status, "2029-03-25T09:00:00")
            assert post["scheduledFor"] == "2029-03-25T07:00:00Z"
        assert (await patch(api, draft, {"shiftBy": "PT2H", "isDraft": False}))["status"] == "scheduled"
        assert (await patch(api, scheduled, {"shiftBy": "-P1W", "tags": ["a"]}))["tags"] == ["a"]

    @pytest.mark.parametrize(
        "body",
        [
            {"shiftBy": "tomorrow"},
            {"shiftBy": "P0D"},
            {"shiftBy": None},
            {"shiftBy": 1},
            {"shiftBy": "-P9999D"},
            {"shiftBy": "P9999D"},
            {"shiftBy": "P1D", "scheduledFor": DISTANT},
            {"shiftBy": "P1D", "timezone": "UTC"},
            {"shiftBy": "P1D", "publishNow": True},
        ],
        ids=str,
    )
    async def test_invalid_shifts_are_refused(self, api: Client, stack: Stack, body: dict[str, Any]) -> None:
        post_id = await create(api, stack, scheduledFor=DISTANT)
        response = await api.patch(f"/v1/posts/{post_id}", json=body)
        assert (response.status_code, response.json()["param"]) == (400, "shiftBy"), response.text
        assert (await api.get(f"/v1/posts/{post_id}")).json()["scheduledFor"] == DISTANT

    async def test_a_post_without_a_time_has_none_to_move(self, api: Client, stack: Stack) -> None:
        response = await api.patch(f"/v1/posts/{await create(api, stack)}", json={"shiftBy": "P1D"})
        assert (response.status_code, response.json()["param"]) == (400, "shiftBy")
