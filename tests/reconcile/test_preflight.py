"""Causes that will keep a post from being published are found before its time, shown, and cleared once corrected."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update
from structlog.testing import capture_logs

from activities.meters import Meters
from api.posts.answers.rendering import render_post
from domain.audit import Action
from domain.preflight import PreflightReason, next_check
from media.fetch import MediaFetcher
from media.shared_files import SharedFiles
from platforms.registry import platforms
from reconcile import preflight
from store.models import Account, AppRefusal, AuditEvent, Post, RateLimitBucket, RateLimitSlot, Target
from store.publishing.rate_limits import record_quota
from tests.stack import Stack
from tests.virtual_time import run_in_virtual_time

SOON = timedelta(hours=3)


class CountingMeters(Meters):
    """Meters that keep the warnings they count."""

    def __init__(self) -> None:
        super().__init__()
        self.warned: list[tuple[str, str]] = []

    def record_preflight_warning(self, platform: str, reason: PreflightReason) -> None:
        self.warned.append((platform, reason.value))


@pytest.fixture
async def own(alone: Stack) -> Stack:
    """Return a stack without a worker, and without posts that other tests have left."""
    await alone.forget_unfinished()
    return alone


async def check(stack: Stack, meters: Meters | None = None, *, after: timedelta = timedelta(0)) -> int:
    """Run one round with the rights of a worker, as if some time had passed."""
    now = datetime.now(UTC) + after
    return await preflight.preflight(stack.worker_database, meters or Meters(), now)


async def change_account(stack: Stack, account: Account, **values: Any) -> None:
    async with stack.database.transaction() as session:
        own = (Account.workspace_id == account.workspace_id, Account.id == account.id)
        await session.execute(update(Account).where(*own).values(**values))


async def refuse(stack: Stack, account: Account) -> None:
    await change_account(
        stack, account, refused_at=datetime.now(UTC), refusal="No.", refusal_code="no", refusal_count=1
    )


async def warnings(stack: Stack, post: Post) -> list[tuple[str, str]]:
    """Return the platforms and codes of a post's warnings as clients read them."""
    shown = render_post(await stack.read(post.id))
    return [(warning["platform"], warning["code"]) for warning in shown.get("warnings", [])]


async def history(stack: Stack, post: Post) -> list[tuple[str, str | None, dict[str, Any]]]:
    async with stack.database.reading() as session:
        query = select(AuditEvent).where(AuditEvent.post_id == post.id).order_by(AuditEvent.id)
        return [(entry.action, entry.account_id, entry.details) for entry in await session.scalars(query)]


async def test_refused_account_warns_once_until_reconnected(own: Stack) -> None:
    account, works = await own.connect("twitter"), await own.connect("mastodon")
    post = await own.save("an account is refused before it is due", [works, account], due_in=SOON)
    meters = CountingMeters()
    assert await check(own, meters) == 2
    assert await warnings(own, post) == []
    assert (await own.read(post.id)).updated_at == post.updated_at

    await refuse(own, account)
    assert await check(own, meters) == 0, "it was checked a moment ago"
    with capture_logs() as lines:
        assert await check(own, meters, after=timedelta(hours=2, seconds=1)) == 2
    (line,) = [line for line in lines if line["event"] == "preflight.warned"]
    assert (line["post_id"], line["account_id"], line["reason"]) == (post.id, account.id, "account_refused")
    shown = await own.read(post.id)
    (warning,) = render_post(shown)["warnings"]
    assert shown.updated_at > post.updated_at
    assert warning["error"].startswith("X does not accept this connection.")
    assert (warning["param"], warning["accountId"]) == ("platforms.1.accountId", account.id)

    assert await check(own, meters, after=timedelta(hours=2, minutes=2)) == 1, "only the warned target"
    assert meters.warned == [("twitter", "account_refused")]
    await own.reconnect(account)
    # Later than the last check of other posts: a warning is cleared until the post is due.
    assert await check(own, meters, after=timedelta(hours=2, minutes=55)) == 1
    assert await warnings(own, post) == []
    assert await history(own, post) == [
        ("warned", account.id, {"reason": "account_refused"}),
        ("warning_cleared", account.id, {"reason": "account_refused"}),
    ]


async def test_token_that_ends_before_the_due_time_warns(own: Stack) -> None:
    account = await own.connect("linkedin")
    ends = datetime.now(UTC) + timedelta(hours=2)
    early = await own.save("goes out before the token ends", [account], due_in=timedelta(hours=1))
    late = await own.save("goes out after the token has ended", [account], due_in=SOON)
    await change_account(own, account, expires_at=ends, refresh_expires_at=ends, renew_at=None)
    assert await check(own) == 2
    assert (await warnings(own, early), await warnings(own, late)) == ([], [("linkedin", "connection_ends")])

    await own.reconnect(account)
    await check(own, after=timedelta(minutes=2))
    assert await warnings(own, late) == []


async def test_a_token_that_is_renewed_in_time_is_no_warning(own: Stack) -> None:
    account = await own.connect("threads")
    post = await own.save("its token is renewed first", [account], due_in=SOON)
    ends = datetime.now(UTC) + timedelta(hours=2)
    await change_account(own, account, expires_at=ends, refresh_expires_at=ends, renew_at=ends - timedelta(hours=1))
    await check(own)
    assert await warnings(own, post) == []


async def test_other_known_obstacles_warn(own: Stack) -> None:
    removed, lacks = await own.connect("mastodon"), await own.connect("facebook")
    app, full = await own.connect("pinterest"), await own.connect("instagram")
    post = await own.save("four reasons", [removed, lacks, app, full], due_in=timedelta(hours=1))
    now = datetime.now(UTC)
    async with own.database.transaction() as session:
        await session.delete(await session.get_one(Account, (removed.workspace_id, removed.id)))
        refusal = {"platform": "pinterest", "app_id": app.app_id, "code": "29", "message": "Ask for access."}
        session.add(AppRefusal(**refusal, refused_at=now, last_refused_at=now, probe_at=now + SOON))
        await record_quota(session, own.bucket(full, "publish"), now, 0, now + timedelta(hours=2))
    await change_account(own, lacks, scopes=["public_profile"])
    await check(own)
    assert await warnings(own, post) == [
        ("mastodon", "account_not_found"),
        ("facebook", "permission_missing"),
        ("pinterest", "app_refused"),
        ("instagram", "platform_cap"),
    ]


@pytest.mark.parametrize("due_in", [timedelta(minutes=10), timedelta(days=2)])
async def test_posts_that_are_due_soon_or_late_are_left_alone(own: Stack, due_in: timedelta) -> None:
    account = await own.connect("twitter")
    await refuse(own, account)
    post = await own.save("not now", [account], due_in=due_in)
    assert await check(own) == 0
    assert await warnings(own, post) == []


async def test_a_post_is_checked_a_few_times_only(own: Stack) -> None:
    post = await own.save("checked four times", [await own.connect("twitter")], due_in=timedelta(hours=23))
    hours = [0.0, 1, 16, 17.5, 20, 22.01, 22.2, 22.68, 22.7, 22.9]
    checks = [await check(own, after=timedelta(hours=hour)) for hour in hours]
    assert checks == [1, 0, 0, 1, 0, 1, 0, 1, 0, 0]
    assert await history(own, post) == []


async def test_round_is_bounded_and_fair_to_workspaces(own: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "BATCH", 3)
    account = await own.connect("twitter")
    many = [await own.save(f"one of many {number}", [account], due_in=SOON) for number in range(4)]
    other, _ = await own.new_workspace()
    theirs = await own.save("of another workspace", [account], due_in=2 * SOON)
    async with own.database.transaction() as session:
        await session.execute(update(Target).where(Target.post_id == theirs.id).values(workspace_id=other))
        await session.execute(update(Post).where(Post.id == theirs.id).values(workspace_id=other))
    assert await check(own) == 3
    async with own.database.reading() as session:
        checked = set(await session.scalars(select(Target.post_id).where(Target.preflight_at.is_not(None))))
    assert theirs.id in checked
    assert len(checked & {post.id for post in many}) == 2
    assert [await check(own), await check(own)] == [2, 0]


def test_the_next_round_waits_until_nothing_is_published_and_not_for_ever() -> None:
    async def pause(published_until: float) -> float:
        time = asyncio.get_running_loop().time
        begin = time()
        await preflight.pause(lambda: time() < begin + published_until)
        return time() - begin

    pauses = [run_in_virtual_time(pause(published_until)) for published_until in (0, 3, 1000)]
    assert pauses == pytest.approx([1, 3, 5], abs=0.2)


async def test_the_rounds_of_a_backlog_leave_time_for_what_is_due(own: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "BATCH", 2)
    monkeypatch.setattr(preflight, "_PAUSE_S", 0.1)
    account = await own.connect("twitter")
    for number in range(5):
        await own.save(f"one of a backlog {number}", [account], due_in=SOON)
    files, began = SharedFiles(MediaFetcher()), time.monotonic()
    await preflight.preflight_task(own.worker_database, Meters(), files, lambda: False).work()
    await files.close()
    assert time.monotonic() - began >= 0.2
    assert await check(own) == 0


async def test_a_new_time_is_checked_again(own: Stack) -> None:
    account = await own.connect("twitter")
    await refuse(own, account)
    post = await own.save("moved to next week", [account], due_in=SOON)
    await check(own)
    assert await warnings(own, post) == [("twitter", "account_refused")]
    await own.write_change(post, due=datetime.now(UTC) + SOON, content="the same time, nearly")
    assert await check(own) == 1
    assert await warnings(own, post) == [("twitter", "account_refused")]
    await own.write_change(post, due=datetime.now(UTC) + timedelta(days=7))
    assert await check(own) == 0
    assert await warnings(own, post) == []


async def test_processes_that_check_the_same_post_warn_once(own: Stack) -> None:
    account = await own.connect("twitter")
    await refuse(own, account)
    post = await own.save("checked by two", [account], due_in=SOON)
    await asyncio.gather(*(check(own) for _ in range(3)))
    assert await warnings(own, post) == [("twitter", "account_refused")]
    async with own.database.reading() as session:
        lines = select(func.count()).where(AuditEvent.post_id == post.id, AuditEvent.action == Action.WARNED.value)
        assert await session.scalar(lines) == 1


def test_the_last_check_is_before_the_post_is_prepared() -> None:
    due = datetime(2026, 11, 1, 12, tzinfo=UTC)
    assert next_check(due, due - timedelta(hours=7), reason=None) == due - timedelta(hours=6)
    assert next_check(due, due - timedelta(minutes=19), reason=None) == due
    assert next_check(due, due - timedelta(seconds=20), reason=PreflightReason.APP_REFUSED) == due


class TestQuotaOfRules:
    """Limits that a platform does not report: counted from what was sent and what is scheduled."""

    async def sent(self, stack: Stack, account: Account, count: int, ago: timedelta) -> None:
        """Note some sends of an account, as workers do."""
        bucket = stack.bucket(account, "publish").names
        async with stack.database.transaction() as session:
            session.add(RateLimitBucket(**bucket))
            for number in range(count):
                at = datetime.now(UTC) - ago
                target = f"{account.id} {number}"
                session.add(RateLimitSlot(**bucket, target_id=target, last_attempt_id=0, at=at, taken=True))

    async def test_sent_posts_count_until_their_window_has_passed(self, own: Stack) -> None:
        (limit,) = platforms()["threads"].rules.rate_limits
        full, frees = await own.connect("threads"), await own.connect("threads")
        await self.sent(own, full, limit.limit, timedelta(hours=1))
        await self.sent(own, frees, limit.limit, timedelta(hours=22))
        post = await own.save("one too many today", [full, frees], due_in=SOON)
        await check(own)
        shown = render_post(await own.read(post.id)).get("warnings", [])
        assert [(warning["code"], warning["accountId"]) for warning in shown] == [("platform_cap", full.id)]
        assert shown[0]["error"].startswith("The account will have used up its quota at Threads")

    async def test_posts_that_go_before_count(self, own: Stack) -> None:
        (limit,) = platforms()["linkedin"].rules.rate_limits
        account = await own.connect("linkedin")
        await self.sent(own, account, limit.limit - 2, timedelta(hours=1))
        dues = [SOON + timedelta(minutes=number) for number in range(4)]
        posts = [await own.save(f"due in {due}", [account], due_in=due) for due in dues]
        await check(own)
        by_post = [await warnings(own, post) for post in posts]
        assert by_post == [[], [], [("linkedin", "platform_cap")], [("linkedin", "platform_cap")]]

    async def test_the_accounts_own_limit_takes_precedence(self, own: Stack) -> None:
        account = await own.connect("threads")
        await self.sent(own, account, 5, timedelta(hours=1))
        async with own.database.transaction() as session:
            await session.execute(
                update(RateLimitBucket).where(RateLimitBucket.account_id == account.id).values(reported_limit=5)
            )
        post = await own.save("the sixth of five", [account], due_in=SOON)
        await check(own)
        assert await warnings(own, post) == [("threads", "platform_cap")]
