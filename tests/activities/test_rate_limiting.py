"""A step and its account's rate limit: reported quotas count, and waiting uses up no slot."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from temporalio.testing import ActivityEnvironment

from activities import rate_limiting
from activities.commands import TargetCommand
from domain.plan import Outcome
from domain.post import TargetStatus
from domain.request_limits import Quota, RateLimit
from platforms.files import MediaPulls
from platforms.registry import platforms
from runtime.parts import WorkerParts, open_parts
from store.database import Database
from store.models import Account, Post, RateLimitSlot
from store.publishing.rate_limits import record_quota
from store.publishing.targets import list_attempts
from tests.stack import Stack

CONSENT = {"contentPreviewConfirmed": True, "expressConsentGiven": True, "privacyLevel": "SELF_ONLY"}
LONG = timedelta(minutes=5)


@pytest.fixture
async def parts(stack: Stack) -> AsyncIterator[WorkerParts]:
    settings = stack.settings.model_copy(update={"platform_rate_limits": True})
    async with open_parts(settings, stack.worker_database) as parts:
        yield parts


async def publish(parts: WorkerParts, post: Post) -> Outcome:
    (target,) = post.targets
    command = TargetCommand(post_id=post.id, version=post.version, target_id=target.id, platform=target.platform)
    environment = ActivityEnvironment()
    environment.info = replace(
        environment.info, scheduled_time=datetime.now(UTC), schedule_to_close_timeout=timedelta(hours=24)
    )
    outcome: Outcome = await environment.run(parts.publishing().publish, command)
    return outcome


async def requests(stack: Stack, account: Account) -> list[dict[str, Any]]:
    all_requests = (await stack.control("GET", "requests"))["requests"]
    return [request for request in all_requests if request["accountId"] == account.id]


def waits(outcome: Outcome) -> timedelta:
    assert outcome.status is TargetStatus.PUBLISHING
    assert outcome.resumes_at is not None
    return outcome.resumes_at - datetime.now(UTC)


async def test_quota_in_response_limits_later_posts(
    stack: Stack, parts: WorkerParts, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = await stack.connect("twitter")
    until = datetime.now(UTC) + LONG
    monkeypatch.setattr(type(platforms()["twitter"]), "quota_in", lambda *_: Quota(1, until))
    first, second, third = [await stack.save(f"quota {number}", [account]) for number in range(3)]
    assert (await publish(parts, first)).status is TargetStatus.PUBLISHED
    monkeypatch.setattr(type(platforms()["twitter"]), "quota_in", lambda *_: None)
    assert (await publish(parts, second)).status is TargetStatus.PUBLISHED
    asked = len(await requests(stack, account))
    assert timedelta(minutes=4) < waits(await publish(parts, third)) <= LONG
    assert len(await requests(stack, account)) == asked
    async with stack.database.transaction() as session:
        assert await list_attempts(session, third.id) == []


async def test_rate_limited_refusal_delays_all_posts_of_account(stack: Stack, parts: WorkerParts) -> None:
    account = await stack.connect("twitter")
    await stack.fault("twitter", "rate_limited", "publish", seconds=90, accountId=account.id)
    first, second = [await stack.save(f"limited {number}", [account]) for number in range(2)]
    refused = await publish(parts, first)
    assert (refused.status, refused.error_code, refused.tries) == (TargetStatus.PUBLISHING, "too_many_requests", 1)
    asked = len(await requests(stack, account))
    assert timedelta(seconds=60) < waits(await publish(parts, second)) < timedelta(seconds=95)
    assert len(await requests(stack, account)) == asked


async def test_instagram_is_queried_once_for_quota(stack: Stack, parts: WorkerParts) -> None:
    account = await stack.connect("instagram")
    full = {"data": [{"quota_usage": 100, "config": {"quota_total": 100, "quota_duration": 86_400}}]}
    await stack.fault("instagram", "reject", "confirm", status=200, body=full, accountId=account.id)
    posts = [await stack.save(f"full {number}", [account], media=["https://example.com/f.jpg"]) for number in range(3)]
    outcomes = await asyncio.gather(*(publish(parts, post) for post in posts))
    for outcome, post in zip(outcomes, posts, strict=True):
        assert outcome.status is TargetStatus.HELD
        assert outcome.resumes_at is not None
        assert timedelta(minutes=55) < outcome.resumes_at - datetime.now(UTC) <= timedelta(hours=1)
        (target,) = (await stack.read(post.id)).targets
        assert target.hold_reason == "platform_cap"
        assert target.next_attempt_at == outcome.resumes_at
    assert [request["operation"] for request in await requests(stack, account)] == ["confirm"], "one asks for all"


async def test_failed_quota_query_delays_no_post(stack: Stack, parts: WorkerParts) -> None:
    account = await stack.connect("threads")
    await stack.fault("threads", "reject", "confirm", status=500, accountId=account.id)
    outcome = await publish(parts, await stack.save("an unknown quota", [account]))
    assert outcome.status is TargetStatus.PUBLISHED


@pytest.mark.parametrize(("named", "days"), [(True, 2), (False, 32)])
async def test_reported_reset_time_is_bounded(
    stack: Stack, parts: WorkerParts, monkeypatch: pytest.MonkeyPatch, *, named: bool, days: int
) -> None:
    """A server that an account names may report any time."""
    credentials: dict[str, Any] = {"instance": "https://social.example"} if named else {}
    account = await stack.connect("mastodon", **credentials)
    until = datetime.now(UTC) + timedelta(days=27_000)
    monkeypatch.setattr(type(platforms()["mastodon"]), "quota_in", lambda *_: Quota(-1, until))
    assert (await publish(parts, await stack.save("reported until 2100", [account]))).status is TargetStatus.PUBLISHED
    outcome = await publish(parts, await stack.save("held by the report", [account]))
    assert outcome.status is TargetStatus.HELD
    assert outcome.resumes_at
    assert timedelta(days=days - 1) < outcome.resumes_at - datetime.now(UTC) <= timedelta(days=days)


@pytest.mark.thorough
async def test_slow_quota_query_delays_no_other_account(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limiting, "_QUERY_TIMEOUT_S", 6)
    account = await stack.connect("threads")
    await stack.fault("threads", "accept_then_delay", "confirm", seconds=20, accountId=account.id)
    database = Database(stack.database_url, pool_size=1, max_overflow=0)
    settings = stack.settings.model_copy(update={"platform_rate_limits": True})
    # As two workers: the second must not ask while the first is asking.
    async with open_parts(settings, database) as first, open_parts(settings, database) as second:
        posts = [await stack.save(f"asked slowly {number}", [account]) for number in range(4)]
        slow = [
            asyncio.create_task(publish(parts, post)) for parts, post in zip((first, second) * 2, posts, strict=True)
        ]
        await asyncio.sleep(0.5)
        outcome = await publish(second, await stack.save("no question", [await stack.connect("telegram")]))
        assert outcome.status is TargetStatus.PUBLISHED
        assert not any(task.done() for task in slow), "they were not waited for"
        assert {ended.status for ended in await asyncio.gather(*slow)} == {TargetStatus.PUBLISHED}
    await database.close()
    asked = [request for request in await requests(stack, account) if "publishing_limit" in request["path"]]
    assert len(asked) == 1, "one asks, and a platform that is silent is left alone for a while"


async def test_waiting_to_prepare_uses_up_no_publish_slot(
    stack: Stack, parts: WorkerParts, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiktok = platforms()["tiktok"]
    monkeypatch.setattr(type(tiktok), "rules", replace(tiktok.rules, rate_limits=(RateLimit(1, LONG),)))
    # This test is not about the domain from which photos are served.
    monkeypatch.setattr(type(tiktok), "pulls", MediaPulls(tiktok.pulls.kinds))
    account = await stack.connect("tiktok")
    now = datetime.now(UTC)
    async with stack.database.transaction() as session:
        await record_quota(session, stack.bucket(account, "prepare"), now, 0, now + timedelta(seconds=40))
    media = ["https://example.com/w.mp4"]
    video = await stack.save("waits to upload", [account], media=media, settings=CONSENT)
    assert waits(await publish(parts, video)) < timedelta(seconds=41)
    async with stack.database.transaction() as session:
        slots = await session.scalars(select(RateLimitSlot).where(RateLimitSlot.account_id == account.id))
        assert {slot.step: slot.taken for slot in slots} == {"prepare": False}
    assert await requests(stack, account) == []
    photos = await stack.save("goes first", [account], media=["https://example.com/w.jpg"], settings=CONSENT)
    async with stack.database.transaction() as session:
        now = datetime.now(UTC)
        await record_quota(session, stack.bucket(account, "prepare"), now, 9, now + timedelta(seconds=40), asked=True)
    assert (await publish(parts, photos)).status is TargetStatus.PUBLISHED


async def test_step_itself_waits_for_near_slot(stack: Stack, parts: WorkerParts) -> None:
    account, now = await stack.connect("twitter"), datetime.now(UTC)
    async with stack.database.transaction() as session:
        await record_quota(session, stack.bucket(account, "publish"), now, 0, now + timedelta(seconds=1))
    outcome = await publish(parts, await stack.save("a second later", [account]))
    assert outcome.status is TargetStatus.PUBLISHED
    assert datetime.now(UTC) - now >= timedelta(seconds=1)


async def test_disabled_rate_limiting_writes_nothing(stack: Stack) -> None:
    account = await stack.connect("twitter")
    async with open_parts(stack.settings, stack.worker_database) as parts:
        assert (await publish(parts, await stack.save("at once", [account]))).status is TargetStatus.PUBLISHED
    async with stack.database.transaction() as session:
        assert (await session.scalars(select(RateLimitSlot).where(RateLimitSlot.account_id == account.id))).all() == []


def test_margin_of_window_is_small() -> None:
    rate_limits = [RateLimit(1, timedelta(seconds=seconds)) for seconds in (1, 60, 86_400)]
    with_margin = [rate_limiting._with_margin(rate_limit).per.total_seconds() for rate_limit in rate_limits]
    assert with_margin == pytest.approx([1.033, 62, 86_402], abs=0.01)
