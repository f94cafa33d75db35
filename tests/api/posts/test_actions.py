"""DELETE and retry."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from domain.post import PostStatus, TargetStatus
from domain.schedule import rfc3339
from store.models import Post, Target
from tests.api.conftest import Client, read_answer
from tests.before_due import passed
from tests.stack import Stack


async def create(api: Client, stack: Stack, content: str, *names: str, **more: Any) -> dict[str, Any]:
    targets = [
        {"platform": stack.accounts[name].platform, "accountId": stack.accounts[name].id}
        for name in names or ("twitter",)
    ]
    return read_answer(await api.send_post({"content": content, "platforms": targets, **more}), 201)


async def fail(stack: Stack, platform: str = "twitter") -> None:
    await stack.fault(
        platform,
        "reject",
        "publish",
        status=400,
        body={"type": "about:blank", "title": "Invalid Request", "detail": "Invalid Request", "status": 400},
    )


class TestDelete:
    async def test_a_draft(self, stranger: Client) -> None:
        post_id = (await stranger.send_post({"content": "draft"})).json()["id"]
        response = await stranger.delete(f"/v1/posts/{post_id}")
        assert (response.status_code, response.json()) == (200, {"id": post_id, "deleted": True})
        assert (await stranger.delete(f"/v1/posts/{post_id}")).status_code == 404
        assert (await stranger.get(f"/v1/posts/{post_id}")).status_code == 404
        assert (await stranger.get("/v1/posts")).json()["posts"] == []

    async def test_a_scheduled_post_is_surely_not_published(self, api: Client, stack: Stack) -> None:
        due = datetime.now(UTC) + timedelta(seconds=2)
        posts = [
            (await create(api, stack, f"delete race {number}", scheduledFor=rfc3339(due)))["id"] for number in range(8)
        ]
        await asyncio.sleep((due - datetime.now(UTC)).total_seconds() - 0.5)
        answers = await asyncio.gather(*(api.delete(f"/v1/posts/{post_id}") for post_id in posts))
        await passed(due)
        for number, (post_id, answer) in enumerate(zip(posts, answers, strict=True)):
            assert answer.status_code in {200, 409}
            if answer.status_code == 409:
                await stack.settled(post_id)
            public = await stack.public(f"delete race {number}")
            assert len(public) == (answer.status_code == 409)

    async def test_a_published_post_leaves_this_service_only(self, api: Client, stack: Stack) -> None:
        post = await create(api, stack, "stays public", publishNow=True)
        assert (await api.delete(f"/v1/posts/{post['id']}")).status_code == 200
        assert (await api.delete(f"/v1/posts/{post['id']}")).status_code == 404
        assert len(await stack.public("stays public")) == 1

    async def test_is_refused_while_publishing(self, api: Client, stack: Stack) -> None:
        await stack.fault("twitter", "accept_then_delay", "publish", seconds=2)
        body = {
            "content": "in flight",
            "platforms": [{"platform": "twitter", "accountId": stack.accounts["twitter"].id}],
            "publishNow": True,
        }
        post_id = (await api.send_post(body, Prefer="wait=0")).json()["id"]
        response = await api.delete(f"/v1/posts/{post_id}")
        assert (response.status_code, response.json()["code"]) == (409, "conflict")
        assert (await stack.settled(post_id)).status == "published"

    @pytest.mark.parametrize(
        "body", [{"isDraft": True}, {"scheduledFor": "2029-01-01T00:00:00Z"}, {"publishNow": True}], ids=str
    )
    async def test_concurrent_deletes_succeed_once(self, api: Client, stack: Stack, body: dict[str, Any]) -> None:
        posts = [await create(api, stack, f"deleted by many {n} {body}", **body) for n in range(3)]
        for post in posts:
            answers = await asyncio.gather(*(api.delete(f"/v1/posts/{post['id']}") for _ in range(6)))
            assert sorted(answer.status_code for answer in answers) == [200, 404, 404, 404, 404, 404]

    async def test_works_if_the_workflow_was_never_started(self, api: Client, stack: Stack) -> None:
        post = await stack.save("never started", [stack.accounts["twitter"]], due_in=timedelta(days=1))
        assert (await api.delete(f"/v1/posts/{post.id}")).status_code == 200
        assert (await api.get(f"/v1/posts/{post.id}")).status_code == 404


class TestRetry:
    async def test_publishes_only_failed_targets(self, api: Client, stack: Stack) -> None:
        await fail(stack)
        media = [{"type": "image", "url": "https://example.com/retry.jpg"}]
        post = await create(api, stack, "second try", "instagram", "twitter", mediaItems=media, publishNow=True)
        assert post["status"] == "partial"
        response = await api.post(f"/v1/posts/{post['id']}/retry")
        assert response.status_code == 200
        assert response.json()["status"] == "published"
        assert response.json()["platforms"][0] == post["platforms"][0]
        assert "error" not in response.json()["platforms"][1]
        assert len(await stack.public("second try")) == 2

    async def test_waits_for_a_new_failure_too(self, api: Client, stack: Stack) -> None:
        await fail(stack)
        post = await create(api, stack, "fails twice", publishNow=True)
        assert post["status"] == "failed"
        await fail(stack)
        again = await api.post(f"/v1/posts/{post['id']}/retry", json={}, headers={"Prefer": "wait=20"})
        assert (again.status_code, again.json()["status"]) == (200, "failed")
        assert again.headers["preference-applied"] == "wait=20"
        assert again.json()["updatedAt"] > post["updatedAt"]

    async def test_retry_stops_after_the_most_attempts(
        self, api: Client, stack: Stack, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await fail(stack)
        post = await create(
            api,
            stack,
            "tried very often",
            "twitter",
            "instagram",
            publishNow=True,
            mediaItems=[{"type": "image", "url": "https://example.com/often.jpg"}],
        )
        assert post["status"] == "partial"
        monkeypatch.setattr("api.posts.changes.post_change.MOST_ATTEMPTS", 3)
        await fail(stack)
        assert (await api.post(f"/v1/posts/{post['id']}/retry")).status_code == 200
        refused = await api.post(f"/v1/posts/{post['id']}/retry")
        assert (refused.status_code, refused.json()["code"]) == (409, "retry_limit_reached")

    async def test_a_failure_unknown_to_the_workflow_is_retried(self, api: Client, stack: Stack) -> None:
        """The row decides; a step of an earlier run may still be running."""
        # No other test here uses this platform, so no earlier post takes the delay.
        await stack.fault("discord", "accept_then_delay", "publish", seconds=3)
        row = await stack.save("not told yet", [await stack.connect("discord")])
        await stack.start(row)

        async def out() -> bool:
            return (await stack.read(row.id)).targets[0].status == TargetStatus.PUBLISHING

        assert await stack.outcomes.wait(row.id, out, 10)
        async with stack.database.transaction() as session:
            for model, key in ((Post, Post.id), (Target, Target.post_id)):
                await session.execute(update(model).where(key == row.id).values(status="failed"))
        response = await api.post(f"/v1/posts/{row.id}/retry")
        assert (response.status_code, response.json()["status"]) == (200, PostStatus.PUBLISHED)
        assert len(await stack.public("not told yet")) == 1

    async def test_retry_without_failed_targets_is_409(self, api: Client, stack: Stack) -> None:
        draft = (await api.send_post({"content": "draft"})).json()
        scheduled = await create(api, stack, "waits", scheduledFor="2029-01-01T00:00:00Z")
        published = await create(api, stack, "is out", publishNow=True)
        for post in (draft, scheduled, published):
            response = await api.post(f"/v1/posts/{post['id']}/retry")
            assert (response.status_code, response.json()["code"]) == (409, "nothing_to_retry")

    async def test_retry_accepts_targets_only(self, api: Client) -> None:
        post_id = (await api.send_post({"content": "draft"})).json()["id"]
        response = await api.post(f"/v1/posts/{post_id}/retry", json={"platform": "twitter"})
        assert (response.status_code, response.json()["code"]) == (400, "unknown_parameter")
