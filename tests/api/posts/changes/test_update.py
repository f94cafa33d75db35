"""PATCH /v1/posts/{postId}."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.schedule import rfc3339
from store.models import Post
from tests.api.conftest import Client, problems
from tests.api.posts.changes.updates import DISTANT, create, patch
from tests.before_due import before_due, passed
from tests.stack import Stack


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
        added, old = (await stack.read(post_id)).targets
        assert old.id == before.id
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
        unmoved = await patch(api, instant, {"timezone": "America/New_York"})
        assert (unmoved["scheduledFor"], unmoved["timezone"]) == ("2029-01-01T09:00:00Z", "America/New_York")

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
        ids = [await create(api, stack, scheduledFor=rfc3339(due), content=f"race {n}") for n in range(8)]
        await asyncio.sleep((due - datetime.now(UTC)).total_seconds() - 0.03)
        answers = await asyncio.gather(
            *(api.patch(f"/v1/posts/{post_id}", json={"content": f"raced {n}"}) for n, post_id in enumerate(ids))
        )
        for number, (post_id, answer) in enumerate(zip(ids, answers, strict=True)):
            assert answer.status_code in {200, 409}
            await stack.settled(post_id)
            old, new = await stack.public(f"race {number}"), await stack.public(f"raced {number}")
            assert (len(old), len(new)) == ((0, 1) if answer.status_code == 200 else (1, 0))
