"""Many posts of one account, due at the same time: its platform gets no more requests than it allows."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from activities import rate_limiting
from api.dependencies import Dependencies
from domain.post import HoldReason, PostStatus, TargetStatus
from domain.request_limits import RateLimit
from domain.schedule import rfc3339
from platforms.errors import ErrorKind
from platforms.registry import platforms
from platforms.tiktok import errors
from runtime import worker
from runtime.parts import open_parts
from store.models import Account, Post
from store.publishing.targets import list_attempts
from tests.api.conftest import make_client
from tests.running import running_stack
from tests.serving import app_over
from tests.stack import Stack
from tests.temporal import temporal_server
from tests.workflows.scenarios import comes_to

SETTINGS = {"contentPreviewConfirmed": True, "expressConsentGiven": True, "privacyLevel": "PUBLIC_TO_EVERYONE"}
PICTURE = ["https://example.com/slot.jpg"]
RATE_LIMIT = RateLimit(5, timedelta(seconds=2))
WINDOWS_S = (3, 12, 40)
"""An idle machine does the work of a test within the first, a busy one within a later one."""


@pytest.fixture(scope="module")
async def rate_limited(postgres_url: str) -> AsyncIterator[Stack]:
    """Run a separate stack, because the other tests' worker does not limit rates."""
    async with temporal_server() as environment, running_stack(postgres_url, environment) as stack:
        stack.settings.platform_rate_limits = True
        # TikTok fetches photos from our own addresses only; the sandbox does not check them.
        stack.settings.public_url = "https://posts.example.com"
        async with (
            open_parts(stack.settings, stack.worker_database) as parts,
            worker.running_workers(stack.client, parts),
        ):
            yield stack


@pytest.fixture(autouse=True)
def _short_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limiting, "_WAIT_IN_STEP", timedelta(seconds=0.1))
    # As much as with a window of a minute.
    monkeypatch.setattr(rate_limiting, "_MARGIN", 4)
    set_rate_limits(monkeypatch, RATE_LIMIT)


def set_rate_limits(monkeypatch: pytest.MonkeyPatch, *rate_limits: RateLimit) -> None:
    tiktok = platforms()["tiktok"]
    monkeypatch.setattr(
        type(tiktok), "rules", replace(tiktok.rules, rate_limits=rate_limits, prepare_rate_limits=rate_limits)
    )


async def save(stack: Stack, account: Account, words: str, **values: Any) -> Post:
    post = await stack.save(words, [account], media=PICTURE, settings=SETTINGS)
    if values:
        async with stack.database.transaction() as session:
            await session.execute(update(Post).where(Post.id == post.id).values(**values))
    return await stack.read(post.id)


async def start(stack: Stack, account: Account, *words: str, **values: Any) -> list[Post]:
    posts = [await save(stack, account, word, **values) for word in words]
    for post in posts:
        await stack.start(post)
    return posts


async def waiting(stack: Stack, posts: Sequence[Post], status: TargetStatus) -> Post:
    """Return the first post with a target that has this status and a next attempt."""
    row = await first_waiting(stack, posts, status)
    assert row, "no post waited"
    return row


async def first_waiting(stack: Stack, posts: Sequence[Post], status: TargetStatus) -> Post | None:
    """Return what `waiting` does, or None if all posts settle without it."""
    async with asyncio.timeout(60):
        while True:
            rows = [await stack.read(post.id) for post in posts]
            for row in rows:
                if row.targets[0].status == status and row.targets[0].next_attempt_at:
                    return row
            if all(row.status != PostStatus.PUBLISHING for row in rows):
                return None
            await asyncio.sleep(0.02)


async def sends(stack: Stack, account: Account) -> list[float]:
    """Return the times at which the account's publish requests came, oldest first, whatever the response was."""
    requests = (await stack.control("GET", "requests"))["requests"]
    return sorted(
        datetime.fromisoformat(request["at"]).timestamp()
        for request in requests
        if request["accountId"] == account.id and request["operation"] == "publish"
    )


async def lines(stack: Stack, post: Post) -> list[tuple[str, str]]:
    async with stack.database.transaction() as session:
        return [(attempt.step, attempt.state) for attempt, _ in await list_attempts(session, post.id)]


@pytest.mark.thorough
async def test_simultaneous_posts_keep_to_rate_limit(rate_limited: Stack) -> None:
    account = await rate_limited.connect("tiktok")
    posts = await start(rate_limited, account, *(f"slot {number}" for number in range(10)))
    row = await waiting(rate_limited, posts, TargetStatus.PUBLISHING)
    (target,) = row.targets
    assert row.status == PostStatus.PUBLISHING
    assert target.next_attempt_at is not None
    assert target.next_attempt_at - datetime.now(UTC) < RATE_LIMIT.per + timedelta(seconds=1)
    assert target.error is None
    assert await lines(rate_limited, row) == [], "nothing is tried while it waits"
    status = await rate_limited.client.get_workflow_handle(row.workflow_id).query("status")
    assert status["waiting_for"] == "Waiting for its account's rate limit."
    for post in posts:
        published = await rate_limited.settled(post.id)
        assert published.status == PostStatus.PUBLISHED
        assert published.targets[0].next_attempt_at is None
        assert {state for _, state in await lines(rate_limited, post)} == {"done"}
    times = await sends(rate_limited, account)
    assert len(times) == len(posts)
    spans = [later - earlier for earlier, later in zip(times, times[RATE_LIMIT.limit :], strict=False)]
    # On a busy machine a request arrives late.
    assert min(spans) >= RATE_LIMIT.per.total_seconds() - 0.5


async def test_quota_cap_holds_and_releases(rate_limited: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limiting, "LONGEST_LIMIT", timedelta(seconds=1))
    account = await rate_limited.connect("tiktok")
    for seconds in WINDOWS_S:
        set_rate_limits(monkeypatch, RateLimit(1, timedelta(seconds=seconds)))
        posts = await start(rate_limited, account, f"within the cap of {seconds} s", f"beyond the cap of {seconds} s")
        if row := await first_waiting(rate_limited, posts, TargetStatus.HELD):
            break
    assert row
    (target,) = row.targets
    assert target.hold_reason == HoldReason.CAP
    assert target.error_category == "rate_limited"
    assert "no more" in (target.error or "")
    for post in posts:
        assert (await rate_limited.settled(post.id)).status == PostStatus.PUBLISHED
        assert {state for _, state in await lines(rate_limited, post)} == {"done"}


async def test_reported_cap_holds_all_posts_of_the_account(
    rate_limited: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate_limiting, "LONGEST_LIMIT", timedelta(seconds=1))
    full = {"data": {}, "error": {"code": "spam_risk_too_many_posts", "message": "", "log_id": "1"}}
    for seconds in WINDOWS_S:
        monkeypatch.setitem(errors._WAITS, ErrorKind.CAPPED, timedelta(seconds=seconds))
        account = await rate_limited.connect("tiktok")
        await rate_limited.fault("tiktok", "reject", "publish", status=403, body=full, times=1, accountId=account.id)
        (first,) = await start(rate_limited, account, f"the first to hear of {seconds} s")
        await first_waiting(rate_limited, [first], TargetStatus.HELD)
        (second,) = await start(rate_limited, account, f"waits {seconds} s for a slot")
        if row := await first_waiting(rate_limited, [second], TargetStatus.HELD):
            break
    assert row
    assert row.targets[0].hold_reason == HoldReason.CAP
    assert await lines(rate_limited, second) == []
    for post in (first, second):
        assert (await rate_limited.settled(post.id)).status == PostStatus.PUBLISHED
    assert len(await sends(rate_limited, account)) == 3


async def test_rate_limited_post_can_be_deleted(rate_limited: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    set_rate_limits(monkeypatch, RateLimit(1, timedelta(seconds=30)))
    account = await rate_limited.connect("tiktok")
    posts = await start(rate_limited, account, "deleted or first", "deleted or second")
    post = await waiting(rate_limited, posts, TargetStatus.PUBLISHING)
    handle = await comes_to(rate_limited.client.get_workflow_handle(post.workflow_id), "Waiting")
    await rate_limited.delete(post)
    await handle.result()
    assert len(await sends(rate_limited, account)) <= 1


@pytest.mark.thorough
async def test_rate_limited_post_is_published_as_corrected(
    rate_limited: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_rate_limits(monkeypatch, RateLimit(1, timedelta(seconds=8)))
    account = await rate_limited.connect("tiktok")
    posts = await start(rate_limited, account, "corrected or first", "corrected or second")
    post = await waiting(rate_limited, posts, TargetStatus.PUBLISHING)
    deps = Dependencies.assemble(rate_limited.api_database, rate_limited.workflows, rate_limited.outcomes)
    async with app_over(deps) as app, make_client(app, rate_limited.api_key) as api:
        before = post.targets[0].next_attempt_at
        answer = await api.patch(f"/v1/posts/{post.id}", json={"content": "as corrected"}, headers={"Prefer": "wait=0"})
        assert answer.status_code == 200, answer.text
        (target,) = answer.json()["platforms"]
        assert (target["content"], target["status"], target["waitsFor"]) == ("as corrected", "publishing", "rate_limit")
        assert before is not None
        assert target["nextAttemptAt"] == rfc3339(before)
        # The post is due: its time cannot be changed any more.
        moved = await api.patch(f"/v1/posts/{post.id}", json={"scheduledFor": "2029-02-01T14:00:00Z"})
        assert moved.status_code == 409
    assert (await rate_limited.settled(post.id)).status == PostStatus.PUBLISHED
    assert (len(await rate_limited.public(post.content or "")), len(await rate_limited.public("as corrected"))) == (
        0,
        1,
    )
    assert len(await sends(rate_limited, account)) == 2


async def test_slot_after_the_publish_window_fails_the_target(
    rate_limited: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_rate_limits(monkeypatch, RateLimit(1, timedelta(seconds=120)))
    account = await rate_limited.connect("tiktok")
    (first,) = await start(rate_limited, account, "in time")
    await rate_limited.settled(first.id)
    for seconds in WINDOWS_S:
        (late,) = await start(rate_limited, account, f"too late after {seconds} s", publish_within=seconds)
        if row := await first_waiting(rate_limited, [late], TargetStatus.HELD):
            break
    assert row
    assert row.targets[0].hold_reason == HoldReason.CAP
    (target,) = (await rate_limited.settled(late.id)).targets
    assert (target.status, target.error_code) == (TargetStatus.FAILED, "publish_window_passed")
    assert target.retryable
    assert len(await sends(rate_limited, account)) == 1
