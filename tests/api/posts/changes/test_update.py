"""PATCH /v1/posts/{postId}."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.schedule import rfc3339
from store.models import Post
from tests.api.conftest import Client, problems
from tests.before_due import before_due, passed
from tests.stack import Stack

DISTANT = "2029-02-01T14:00:00Z"


async def create(api: Client, stack: Stack, **body: Any) -> str:
    target = {"platform": "twitter", "accountId": stack.accounts["twitter"].id}
    response = await api.send_post({"content": "before", "platforms": [target], **body})
    assert response.status_code == 201, response.text
    post_id: str = response.json()["id"]
    return post_id


async def patch(api: Client, post_id: str, body: dict[str, Any]) -> dict[str, Any]:
    response = await api.patch(f"/v1/posts/{post_id}", json=body)
    assert response.status_code == 200, response.text
    post: dict[str, Any] = response.json()
    assert (await api.get(f"/v1/posts/{post_id}")).json() == post
    return post


class TestDraft:
    async def test_every_field_changes(self, api: Client, stack: Stack) -> None:
        post_id = await create(api, stack, isDraft=True)
        instagram = {
            "platform": "instagram",
            "accountId": stack.accounts["instagram"].id,
            "platformSpecificData": {"shareToFeed": True},
        }
        media = [{"type": "image", "url": "https://example.com/a.jpg", "altText": "A"}]
        body = {
            "content": "after",
            "mediaItems": media,
            "platforms": [instagram],
            "timezone": "Asia/Tokyo",
            "tags": ["t"],
            "tiktokSettings": {"a": 1},
            "facebookSettings": {"b": 2},
            "scheduledFor": "2029-01-01T09:00:00",
        }
        post = await patch(api, post_id, {**body, "isDraft": True})
        assert post["status"] == "draft"
        assert post["scheduledFor"] == "2029-01-01T00:00:00Z"
        assert post["platforms"][0]["platformSpecificData"] == {"shareToFeed": True}
        for name in ("content", "mediaItems", "timezone", "tags", "tiktokSettings", "facebookSettings"):
            assert post[name] == body[name]
        assert (await patch(api, post_id, {}))["content"] == "after"
        assert (await patch(api, post_id, {"tags": [], "scheduledFor": None}))["tags"] == []

    async def test_is_scheduled_by_a_time(self, api: Client, stack: Stack) -> None:
        async def schedule(due: datetime) -> dict[str, Any]:
            post_id = await create(api, stack, isDraft=True, content=f"a draft for {due}")
            return await patch(api, post_id, {"scheduledFor": rfc3339(due)})

        due, post = await before_due(schedule)
        assert (post["status"], post["isDraft"]) == ("scheduled", False)
        assert (await stack.settled(post["id"])).status == "published"
        assert len(await stack.public(f"a draft for {due}")) == 1

    async def test_is_scheduled_by_the_time_that_it_remembers_sent_again(self, api: Client, stack: Stack) -> None:
        post_id = await create(api, stack, isDraft=True, scheduledFor="2029-02-01T09:00", timezone="Europe/Paris")
        post = await patch(api, post_id, {"scheduledFor": "2029-02-01T08:00:00Z"})
        assert (post["status"], post["timezone"]) == ("scheduled", "Europe/Paris")
        moved = await patch(api, post_id, {"timezone": "America/New_York"})
        assert moved["scheduledFor"] == "2029-02-01T14:00:00Z"

    async def test_only_remembers_a_time_with_is_draft_true(self, api: Client, stack: Stack) -> None:
        post_id = await create(api, stack)
        post = await patch(api, post_id, {"isDraft": True, "scheduledFor": DISTANT})
        assert (post["status"], post["scheduledFor"]) == ("draft", DISTANT)
        assert (await patch(api, post_id, {"timezone": "Asia/Tokyo", "content": "still one"}))["status"] == "draft"

    async def test_a_passed_time_is_an_error(self, api: Client, stack: Stack) -> None:
        post_id = await create(api, stack, isDraft=True, scheduledFor=DISTANT)
        assert "warnings" not in (await api.get(f"/v1/posts/{post_id}")).json()
        async with stack.database.transaction() as session:
            row = await session.get_one(Post, post_id)
            row.scheduled_for = datetime.now(UTC) - timedelta(minutes=1)
        for post in ((await api.get(f"/v1/posts/{post_id}")).json(), (await api.get("/v1/posts")).json()["posts"][0]):
            (warning,) = post["warnings"]
            assert (warning["code"], warning["param"]) == ("scheduled_time_passed", "scheduledFor")
        assert "warnings" not in await patch(api, post_id, {"isDraft": True, "scheduledFor": DISTANT})

    async def test_is_scheduled_by_is_draft_false_with_a_time(self, api: Client, stack: Stack) -> None:
        post_id = await create(api, stack, isDraft=True)
        post = await patch(api, post_id, {"isDraft": False, "scheduledFor": DISTANT})
        assert (post["status"], post["scheduledFor"]) == ("scheduled", DISTANT)
        handle = stack.client.get_workflow_handle(post_id)
        description = await handle.describe()
        assert description.status is not None
        assert description.status.name == "RUNNING"

    async def test_is_scheduled_at_the_time_it_remembers(self, api: Client, stack: Stack) -> None:
        post_id = await create(api, stack, isDraft=True, scheduledFor=DISTANT)
        assert (await patch(api, post_id, {"isDraft": False}))["status"] == "scheduled"

    async def test_is_published_by_publish_now(self, api: Client, stack: Stack) -> None:
        post_id = await create(api, stack, isDraft=True, scheduledFor=DISTANT)
        post = await patch(api, post_id, {"publishNow": True, "content": "draft goes out"})
        assert (post["status"], post["scheduledFor"], post["plannedFor"]) == ("published", None, DISTANT)
        assert len(await stack.public("draft goes out")) == 1

    async def test_meets_the_platform_rules_when_it_is_scheduled(self, api: Client, stack: Stack) -> None:
        target = {"platform": "instagram", "accountId": "ig_unknown"}
        post_id = await create(api, stack, isDraft=True, platforms=[target])
        response = await api.patch(f"/v1/posts/{post_id}", json={"isDraft": False, "scheduledFor": DISTANT})
        assert response.status_code == 422
        assert [problem["code"] for problem in problems(response)] == ["invalid_field_value", "account_not_found"]
        assert (await api.get(f"/v1/posts/{post_id}")).json()["status"] == "draft"

    @pytest.mark.parametrize(
        ("body", "code", "param"),
        [
            ({"isDraft": False}, "missing_required_field", "scheduledFor"),
            ({"scheduledFor": None}, "invalid_field_value", "scheduledFor"),
            ({"content": None}, "invalid_field_value", "content"),
            ({"mediaItems": None}, "invalid_field_value", "mediaItems"),
            ({"platforms": None}, "invalid_field_value", "platforms"),
            ({"publishNow": None}, "invalid_field_value", "publishNow"),
            ({"timezone": None}, "invalid_field_value", "timezone"),
            ({"tags": None}, "invalid_field_value", "tags"),
            ({"publishWithin": None}, "invalid_field_value", "publishWithin"),
            ({"content": ""}, "missing_required_field", "content"),
            ({"contents": "x"}, "unknown_parameter", "contents"),
            ({"publishNow": True, "isDraft": True}, "invalid_field_value", "isDraft"),
            ({"publishNow": True, "scheduledFor": DISTANT}, "invalid_field_value", "scheduledFor"),
            ({"publishNow": True, "platforms": []}, "missing_required_field", "platforms"),
            ({"isDraft": False, "scheduledFor": "2020-01-01T00:00:00Z"}, "invalid_field_value", "scheduledFor"),
            ({"timezone": "Mars"}, "invalid_field_value", "timezone"),
            ({"id": "x"}, "invalid_field_value", "id"),
            ({"status": "published"}, "invalid_field_value", "status"),
            ({"plannedFor": DISTANT}, "invalid_field_value", "plannedFor"),
        ],
    )
    async def test_invalid_changes_are_400(
        self, api: Client, stack: Stack, body: dict[str, Any], code: str, param: str
    ) -> None:
        post_id = await create(api, stack, isDraft=True)
        before = (await api.get(f"/v1/posts/{post_id}")).json()
        response = await api.patch(f"/v1/posts/{post_id}", json=body)
        assert response.status_code == 400
        assert (response.json()["code"], response.json()["param"]) == (code, param)
        assert (await api.get(f"/v1/posts/{post_id}")).json() == before


class TestScheduled:
    async def test_content_changes_and_its_time_stays(self, api: Client, stack: Stack) -> None:
        post_id = await create(api, stack, scheduledFor=DISTANT)
        post = await patch(api, post_id, {"content": "after"})
        assert (post["content"], post["status"], post["scheduledFor"]) == ("after", "scheduled", DISTANT)
        assert post["platforms"][0]["content"] == "after"

    async def test_targets_that_stay_keep_their_rows(self, api: Client, stack: Stack) -> None:
        post_id = await create(api, stack, scheduledFor=DISTANT)
        (before,) = (await stack.read(post_id)).targets
        names = ("plain", "twitter")
        targets = [{"platform": "twitter", "accountId": stack.accounts[name].id} for name in names]
        await patch(api, post_id, {"platforms": targets})
        added, kept = (await stack.read(post_id)).targets
        assert kept.id == before.id
        assert added.account_id == stack.accounts["plain"].id
        await patch(api, post_id, {"platforms": targets[:1]})
        assert [target.id for target in (await stack.read(post_id)).targets] == [added.id]

    async def test_a_new_time_reschedules(self, api: Client, stack: Stack) -> None:
        post_id = await create(api, stack, scheduledFor=DISTANT)
        soon = (datetime.now(UTC) + timedelta(seconds=2)).replace(microsecond=0)
        post = await patch(api, post_id, {"scheduledFor": rfc3339(soon), "content": "sooner now"})
        assert post["scheduledFor"] == rfc3339(soon)
        assert (await stack.settled(post_id)).status == "published"
        (public,) = await stack.public("sooner now")
        assert datetime.fromisoformat(public["createdAt"]) >= soon

    async def test_later_time_delays_publishing(self, api: Client, stack: Stack) -> None:
        async def delay(due: datetime) -> None:
            post_id = await create(api, stack, scheduledFor=rfc3339(due), content=f"held back at {due}")
            await patch(api, post_id, {"scheduledFor": DISTANT})

        due, _ = await before_due(delay)
        await passed(due)
        assert await stack.public(f"held back at {due}") == []

    async def test_publish_now_publishes_and_waits(self, api: Client, stack: Stack) -> None:
        post_id = await create(api, stack, scheduledFor=DISTANT, content="at once")
        post = await patch(api, post_id, {"publishNow": True})
        assert (post["status"], post["plannedFor"]) == ("published", DISTANT)
        assert len(await stack.public("at once")) == 1

    async def test_becomes_a_draft_and_can_be_scheduled_again(self, api: Client, stack: Stack) -> None:
        async def take_back(due: datetime) -> dict[str, Any]:
            post_id = await create(api, stack, scheduledFor=rfc3339(due), content=f"taken back at {due}")
            return await patch(api, post_id, {"isDraft": True})

        due, post = await before_due(take_back)
        assert (post["status"], post["isDraft"]) == ("draft", True)
        await passed(due)
        assert await stack.public(f"taken back at {due}") == []
        again = datetime.now(UTC) + timedelta(seconds=2)
        await patch(api, post["id"], {"isDraft": False, "scheduledFor": rfc3339(again)})
        assert (await stack.settled(post["id"])).status == "published"
        assert len(await stack.public(f"taken back at {due}")) == 1

    async def test_a_timezone_alone_moves_a_wall_time(self, api: Client, stack: Stack) -> None:
        wall = await create(api, stack, scheduledFor="2029-01-01T09:00:00", timezone="Europe/Paris")
        moved = await patch(api, wall, {"timezone": "America/New_York"})
        assert (moved["scheduledFor"], moved["timezone"]) == ("2029-01-01T14:00:00Z", "America/New_York")
        instant = await create(api, stack, scheduledFor="2029-01-01T09:00:00Z", timezone="Europe/Paris")
        kept = await patch(api, instant, {"timezone": "America/New_York"})
        assert (kept["scheduledFor"], kept["timezone"]) == ("2029-01-01T09:00:00Z", "America/New_York")

    async def test_null_alone_is_400(self, api: Client, stack: Stack) -> None:
        post_id = await create(api, stack, scheduledFor=DISTANT)
        for body in ({"scheduledFor": None}, {"scheduledFor": None, "content": "x"}):
            response = await api.patch(f"/v1/posts/{post_id}", json=body)
            assert (response.status_code, response.json()["param"]) == (400, "scheduledFor")
        assert (await patch(api, post_id, {"scheduledFor": None, "isDraft": True}))["scheduledFor"] is None

    async def test_platform_rules_hold(self, api: Client, stack: Stack) -> None:
        post_id = await create(api, stack, scheduledFor=DISTANT)
        response = await api.patch(f"/v1/posts/{post_id}", json={"content": "x" * 25_001})
        assert (response.status_code, response.json()["param"]) == (422, "content")

    async def test_concurrent_changes_all_hold(self, api: Client, stack: Stack) -> None:
        post_id = await create(api, stack, scheduledFor=DISTANT)
        changes: list[dict[str, Any]] = [
            {"content": "changed"},
            {"tags": ["changed"]},
            {"timezone": "Asia/Tokyo"},
            {"mediaItems": [{"type": "image", "url": "https://example.com/changed.jpg"}]},
            {"tiktokSettings": {"privacyLevel": "SELF_ONLY"}},
        ]
        answers = await asyncio.gather(*(api.patch(f"/v1/posts/{post_id}", json=change) for change in changes))
        assert {answer.status_code for answer in answers} == {200}
        post = (await api.get(f"/v1/posts/{post_id}")).json()
        for change in changes:
            assert change.items() <= post.items()

    async def test_works_if_the_workflow_was_never_started(self, api: Client, stack: Stack) -> None:
        post = await stack.save("never started", [stack.accounts["twitter"]], due_in=timedelta(days=1))
        assert (await patch(api, post.id, {"content": "changed all the same"}))["content"] == "changed all the same"


class TestTooLate:
    async def test_a_published_post_is_409(self, api: Client, stack: Stack) -> None:
        post_id = await create(api, stack, publishNow=True, content="out already")
        response = await api.patch(f"/v1/posts/{post_id}", json={"content": "x"})
        assert (response.status_code, response.json()["code"]) == (409, "conflict")

    async def test_a_race_with_the_due_time_has_one_definite_answer(self, api: Client, stack: Stack) -> None:
        due = datetime.now(UTC) + timedelta(seconds=1.5)
        made = [await create(api, stack, scheduledFor=rfc3339(due), content=f"race {n}") for n in range(8)]
        await asyncio.sleep((due - datetime.now(UTC)).total_seconds() - 0.03)
        answers = await asyncio.gather(
            *(api.patch(f"/v1/posts/{post_id}", json={"content": f"raced {n}"}) for n, post_id in enumerate(made))
        )
        for number, (post_id, answer) in enumerate(zip(made, answers, strict=True)):
            assert answer.status_code in {200, 409}
            await stack.settled(post_id)
            old, new = await stack.public(f"race {number}"), await stack.public(f"raced {number}")
            assert (len(old), len(new)) == ((0, 1) if answer.status_code == 200 else (1, 0))


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
