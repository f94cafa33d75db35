"""Many clients change one post concurrently, around its due time: each response stays true."""

import asyncio
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.post import PostStatus
from domain.schedule import rfc3339
from tests.api.conftest import Client
from tests.stack import Stack

CLIENTS = 24


@pytest.mark.parametrize(
    "seed", [0, 1, pytest.param(2, marks=pytest.mark.thorough), pytest.param(3, marks=pytest.mark.thorough)]
)
async def test_concurrent_changes_keep_every_answer_true(api: Client, stack: Stack, seed: int) -> None:
    dice = random.Random(seed)
    account = await stack.connect("twitter")
    due = datetime.now(UTC) + timedelta(seconds=2)
    target = {"platform": "twitter", "accountId": account.id}
    body = {"content": f"storm {seed}", "platforms": [target], "scheduledFor": rfc3339(due)}
    post_id = (await api.send_post(body)).json()["id"]
    changed: list[tuple[int, str]] = []
    deleted: list[datetime] = []

    async def ask(number: int) -> None:
        await asyncio.sleep((due - datetime.now(UTC)).total_seconds() + dice.uniform(-1.5, 0.3))
        request = dice.choice(["text", "later", "sooner", "draft", "schedule", "delete"])
        if request == "delete":
            if number % 8 == 0:
                answer = await api.delete(f"/v1/posts/{post_id}")
                if answer.status_code == 200:
                    deleted.append(datetime.now(UTC))
                assert answer.status_code in {200, 404, 409}, answer.text
            return
        later, sooner = due + timedelta(seconds=2), datetime.now(UTC) + timedelta(seconds=0.2)
        changes: dict[str, dict[str, Any]] = {
            "text": {"content": f"storm {seed} by {number}"},
            "later": {"scheduledFor": rfc3339(later)},
            "sooner": {"scheduledFor": rfc3339(sooner)},
            "draft": {"isDraft": True},
            "schedule": {"isDraft": False, "scheduledFor": rfc3339(later)},
        }
        change = changes[request]
        answer = await api.patch(f"/v1/posts/{post_id}", json=change)
        assert answer.status_code in {200, 400, 404, 409}, answer.text
        if answer.status_code == 200 and request == "text":
            changed.append((number, change["content"]))

    await asyncio.gather(*(ask(number) for number in range(CLIENTS)))
    last = await api.get(f"/v1/posts/{post_id}")
    if last.status_code == 200 and last.json()["status"] == PostStatus.DRAFT:
        await asyncio.sleep(4)
        assert await everything_public(stack, seed) == []
        return
    if deleted:
        await asyncio.sleep(4)
        assert (last.status_code, len(deleted)) == (404, 1)
        # The post may have been public when it was deleted, but not since.
        public_at = [
            datetime.fromisoformat(public_post["createdAt"]) for public_post in await everything_public(stack, seed)
        ]
        assert len(public_at) <= 1
        assert all(moment <= deleted[0] for moment in public_at)
        return
    settled = await stack.settled(post_id)
    (public,) = await everything_public(stack, seed)
    assert settled.status == PostStatus.PUBLISHED
    assert public["text"] == settled.content
    assert settled.due_at
    assert datetime.fromisoformat(public["createdAt"]) >= settled.due_at - timedelta(milliseconds=5)
    assert not changed or public["text"] in [text for _, text in changed]


async def everything_public(stack: Stack, seed: int) -> list[dict[str, Any]]:
    posts = (await stack.control("GET", f"posts?since={rfc3339(stack.began_at)}"))["posts"]
    return [post for post in posts if post["text"].startswith(f"storm {seed}")]
