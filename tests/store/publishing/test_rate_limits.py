"""Slots: never more in any window than a limit allows, in order, and no slot is lost to an absent target."""

import asyncio
import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete, select, update

from domain.content import PostContent, TargetContent
from domain.ids import new_id
from domain.post import PostStatus, TargetStatus
from domain.request_limits import RateLimit, Slot
from store.database import Database
from store.models import RateLimitBucket, Target
from store.models import RateLimitSlot as Row
from store.posts.contents import new_columns
from store.posts.creating import create_post
from store.publishing import rate_limits
from store.publishing.rate_limits import (
    SLOTS_KEPT,
    Bucket,
    BucketLimits,
    acquire,
    delete_past_slots,
    lock_bucket,
    record_quota,
)
from tests.databases import new_database

NOW = timedelta(0)
A_MINUTE = RateLimit(3, timedelta(minutes=1))
QUICK = RateLimit(4, timedelta(seconds=0.4))


@pytest.fixture
def bucket() -> Bucket:
    return Bucket("tiktok", "open.tiktokapis.com", new_id("tt"), "publish")


async def targets(database: Database, workspace: str, count: int) -> list[str]:
    content = PostContent(
        content="text", targets=[TargetContent(platform="tiktok", account_id=f"tt_{n}") for n in range(count)]
    )
    now = datetime.now(UTC)
    post = new_columns(
        new_id("post"), workspace, new_id("wf"), content, status=PostStatus.PUBLISHING, due_at=now, now=now
    ).as_post()
    await create_post(database, post)
    async with database.transaction() as session:
        ids = await session.scalars(select(Target.id).where(Target.post_id == post.id).order_by(Target.position))
        return list(ids)


async def ask(
    database: Database, bucket: Bucket, target_id: str, *rate_limits: RateLimit, last_attempt_id: int = 0
) -> Slot:
    slot = await acquire(database, target_id, last_attempt_id, [BucketLimits(bucket, rate_limits)])
    assert slot
    return slot


async def age(database: Database, bucket: Bucket, by: timedelta) -> None:
    """Let time pass for a bucket."""
    async with database.transaction() as session:
        await session.execute(update(Row).where(Row.account_id == bucket.account_id).values(at=Row.at - by))


def seconds(slot: Slot) -> int:
    return round(slot.wait.total_seconds())


async def test_slots_beyond_limit_come_in_later_windows(database: Database, workspace: str, bucket: Bucket) -> None:
    slots = [await ask(database, bucket, target, A_MINUTE) for target in await targets(database, workspace, 8)]
    assert [seconds(slot) for slot in slots] == [0, 0, 0, 60, 60, 60, 120, 120]
    assert slots[3].window == A_MINUTE.per


async def test_repeated_request_keeps_reservation(database: Database, workspace: str, bucket: Bucket) -> None:
    *first, fourth, fifth = await targets(database, workspace, 5)
    for target in first:
        await ask(database, bucket, target, A_MINUTE)
    assert seconds(await ask(database, bucket, fourth, A_MINUTE)) == 60
    await age(database, bucket, timedelta(seconds=20))
    assert seconds(await ask(database, bucket, fourth, A_MINUTE)) == 40
    await age(database, bucket, timedelta(seconds=41))
    assert (await ask(database, bucket, fourth, A_MINUTE)).wait == NOW
    assert (await ask(database, bucket, fifth, A_MINUTE)).wait == NOW


async def test_slot_counts_from_its_use(database: Database, workspace: str, bucket: Bucket) -> None:
    late, after = await targets(database, workspace, 2)
    one_a_minute = RateLimit(1, timedelta(minutes=1))
    assert (await ask(database, bucket, late, one_a_minute)).wait == NOW
    assert seconds(await ask(database, bucket, after, one_a_minute)) == 60
    await age(database, bucket, timedelta(seconds=50))
    assert (await ask(database, bucket, late, one_a_minute)).wait == NOW
    await age(database, bucket, timedelta(seconds=10))
    assert seconds(await ask(database, bucket, after, one_a_minute)) == 50


async def test_each_send_needs_a_slot_of_its_own(database: Database, workspace: str, bucket: Bucket) -> None:
    (only,) = await targets(database, workspace, 1)
    one_a_minute = RateLimit(1, timedelta(minutes=1))
    assert (await ask(database, bucket, only, one_a_minute)).wait == NOW
    assert seconds(await ask(database, bucket, only, one_a_minute, last_attempt_id=7)) == 60


async def test_longest_wait_of_several_limits_counts(database: Database, workspace: str, bucket: Bucket) -> None:
    day = RateLimit(2, timedelta(days=1))
    slots = [await ask(database, bucket, target, A_MINUTE, day) for target in await targets(database, workspace, 3)]
    assert [seconds(slot) for slot in slots] == [0, 0, 86_400]
    assert slots[2].window == day.per


async def test_reservation_of_gone_target_lapses(database: Database, workspace: str, bucket: Bucket) -> None:
    one_a_minute = RateLimit(1, timedelta(minutes=1))
    first, deleted, failed, lost, last = await targets(database, workspace, 5)
    for number, target in enumerate((first, deleted, failed, lost)):
        assert seconds(await ask(database, bucket, target, one_a_minute)) == number * 60
    async with database.transaction() as session:
        await session.execute(delete(Target).where(Target.id == deleted))
        await session.execute(update(Target).where(Target.id == failed).values(status=TargetStatus.FAILED))
    assert seconds(await ask(database, bucket, last, one_a_minute)) == 4 * 60, "behind the last that still waits"
    # The slot of `lost` was a while ago: its worker died.
    await age(database, bucket, timedelta(seconds=3 * 60) + rate_limits.MISSED_AFTER + timedelta(seconds=1))
    assert (await ask(database, bucket, last, one_a_minute)).wait == NOW
    assert seconds(await ask(database, bucket, lost, one_a_minute)) == 60


async def test_no_window_exceeds_limit_under_concurrency(
    postgres_url: str, database: Database, workspace: str, bucket: Bucket
) -> None:
    """Two processes' pools, and every waiting target comes too early or too late."""
    other = Database(own_address(database))
    taken: list[float] = []

    async def come(number: int, target_id: str) -> None:
        pool = database if number % 2 else other
        while (slot := await ask(pool, bucket, target_id, QUICK)).wait > NOW:  # noqa: ASYNC110 as a worker does
            await asyncio.sleep(slot.wait.total_seconds() + (number % 3) * 0.02)
        async with pool.transaction() as session:
            taken.append((await session.scalars(select(Row.at).where(Row.target_id == target_id))).one().timestamp())

    await asyncio.gather(
        *(come(number, target) for number, target in enumerate(await targets(database, workspace, 20)))
    )
    await other.close()
    taken.sort()
    gaps = [later - earlier for earlier, later in zip(taken, taken[QUICK.limit :], strict=False)]
    assert min(gaps) >= QUICK.per.total_seconds() - 0.001
    assert taken[-1] - taken[0] < 15, "every target gets a slot"


def own_address(database: Database) -> str:
    return database.engine.url.render_as_string(hide_password=False)


async def test_reported_quota_holds_until_it_resets(database: Database, workspace: str, bucket: Bucket) -> None:
    first, second, third = await targets(database, workspace, 3)
    now = datetime.now(UTC)
    async with database.transaction() as session:
        await record_quota(session, bucket, now - timedelta(seconds=1), 1, now + timedelta(minutes=5))
    assert (await ask(database, bucket, first)).wait == NOW
    waiting = await ask(database, bucket, second)
    assert seconds(waiting) == 300
    assert waiting.window is None
    async with database.transaction() as session:
        # A response that was under way while a later one was read.
        await record_quota(session, bucket, now, 3, now + timedelta(minutes=5))
    assert seconds(await ask(database, bucket, third)) == 300
    async with database.transaction() as session:
        await record_quota(session, bucket, datetime.now(UTC), 5, now + timedelta(minutes=5), asked=True)
    assert (await ask(database, bucket, second)).wait == NOW


async def test_accounts_servers_and_steps_do_not_wait_for_each_other(
    database: Database, workspace: str, bucket: Bucket
) -> None:
    one_a_minute = RateLimit(1, timedelta(minutes=1))
    target_ids = await targets(database, workspace, 4)
    others = (
        replace(bucket, step="prepare"),
        replace(bucket, account_id=new_id("tt")),
        replace(bucket, server="else.example"),
    )
    buckets = (bucket, *others)
    assert [
        seconds(await ask(database, own_bucket, target, one_a_minute))
        for own_bucket, target in zip(buckets, target_ids, strict=True)
    ] == [0] * 4


async def test_old_slots_are_deleted(database: Database, workspace: str, bucket: Bucket) -> None:
    for target in await targets(database, workspace, 3):
        await ask(database, bucket, target, A_MINUTE)
    await age(database, bucket, rate_limits.KEPT)
    (last,) = await targets(database, workspace, 1)
    await ask(database, bucket, last, A_MINUTE)
    async with database.transaction() as session:
        remaining = await session.scalars(select(Row.target_id).where(Row.account_id == bucket.account_id))
        assert list(itertools.islice(remaining, 5)) == [last]


async def test_report_of_one_server_does_not_limit_account_at_another(
    database: Database, workspace: str, bucket: Bucket
) -> None:
    """A server may claim any account as its own, and report that the account may not publish for years."""
    (target,) = await targets(database, workspace, 1)
    now = datetime.now(UTC)
    async with database.transaction() as session:
        await record_quota(
            session, replace(bucket, server="evil.example"), now, 0, now + timedelta(days=400), asked=True
        )
    assert (await ask(database, bucket, target)).wait == NOW


async def test_one_process_queries_quota(database: Database, bucket: Bucket) -> None:
    async def granted(lease: timedelta = timedelta(minutes=1)) -> bool:
        async with database.transaction() as session:
            return (await lock_bucket(session, bucket)).needs_query and await rate_limits.lease_quota_query(
                session, bucket, lease
            )

    assert await granted(timedelta(seconds=0.2))
    assert not await granted()
    await asyncio.sleep(0.25)
    assert await granted(), "the process that asked has died"
    async with database.transaction() as session:
        await rate_limits.record_no_quota(session, bucket, timedelta(seconds=0.2))
    assert not await granted()
    await asyncio.sleep(0.25)
    assert await granted()


async def test_failed_query_keeps_reported_quota(database: Database, workspace: str, bucket: Bucket) -> None:
    (target,) = await targets(database, workspace, 1)
    now = datetime.now(UTC)
    async with database.transaction() as session:
        await record_quota(session, bucket, now - timedelta(seconds=1), 0, now + timedelta(minutes=3))
        await rate_limits.record_no_quota(session, bucket, timedelta(minutes=1))
    assert (await ask(database, bucket, target)).wait > timedelta(minutes=2)


async def test_slots_of_several_buckets_are_taken_together(database: Database, workspace: str, bucket: Bucket) -> None:
    first, second, third = await targets(database, workspace, 3)
    one_a_minute = RateLimit(1, timedelta(minutes=1))
    prepare = BucketLimits(replace(bucket, step="prepare"), [A_MINUTE])
    both = [prepare, BucketLimits(bucket, [one_a_minute])]
    taken, waiting = [await acquire(database, target, 0, both) for target in (first, second)]
    assert taken
    assert taken.wait == NOW
    assert waiting
    assert seconds(waiting) == 60
    assert waiting.window == one_a_minute.per
    # The second target's free slot to prepare was released, so two are left.
    slots = [await acquire(database, target, 0, [prepare]) for target in (second, third)]
    assert [slot and slot.wait for slot in slots] == [NOW, NOW]


async def test_reported_limit_replaces_that_of_the_longest_window(
    database: Database, workspace: str, bucket: Bucket
) -> None:
    now = datetime.now(UTC)
    async with database.transaction() as session:
        await record_quota(session, bucket, now, 50, now + timedelta(minutes=5), limit=2, asked=True)
    day, hour = RateLimit(100, timedelta(days=1)), RateLimit(100, timedelta(hours=1))
    slots = [await ask(database, bucket, target, day, hour) for target in await targets(database, workspace, 3)]
    assert [seconds(slot) for slot in slots] == [0, 0, 86_400]


async def test_platform_is_asked_before_its_slots_are_taken(database: Database, workspace: str, bucket: Bucket) -> None:
    (target,) = await targets(database, workspace, 1)
    limits, now = [BucketLimits(bucket, [A_MINUTE])], datetime.now(UTC)
    assert await acquire(database, target, 0, limits, asks=True) is None
    async with database.transaction() as session:
        await record_quota(session, bucket, now, 5, now + timedelta(minutes=5), asked=True)
    assert await acquire(database, target, 0, limits, asks=True) == Slot(NOW)


@pytest.mark.parametrize(("remaining", "limit"), [(-5, -1), (10**12, 10**12), (0, 0)])
async def test_impossible_numbers_are_clamped(
    database: Database, workspace: str, bucket: Bucket, remaining: int, limit: int
) -> None:
    (target,) = await targets(database, workspace, 1)
    now = datetime.now(UTC)
    async with database.transaction() as session:
        await record_quota(
            session, bucket, now - timedelta(seconds=1), remaining, now + timedelta(minutes=1), limit=limit, asked=True
        )
        stored = (await session.scalars(select(RateLimitBucket).filter_by(account_id=bucket.account_id))).one()
    assert stored.reported_remaining is not None
    assert 0 <= stored.reported_remaining <= 2**31
    assert stored.reported_limit is None or 1 <= stored.reported_limit <= 2**31
    assert (await ask(database, bucket, target, A_MINUTE)).wait >= NOW


async def test_slots_are_deleted_once_no_platform_counts_them(postgres_url: str) -> None:
    database, now = Database(await new_database(postgres_url)), datetime.now(UTC)
    past, recent = now - SLOTS_KEPT - timedelta(days=1), now - SLOTS_KEPT + timedelta(days=1)
    times = {"stopped": [past, past], "sends": [past, recent], "planned": [now + SLOTS_KEPT, past]}
    async with database.transaction() as session:
        for account, ats in times.items():
            names = {"platform": "tiktok", "server": "s", "account_id": account, "step": "publish"}
            session.add(RateLimitBucket(**names))
            for number, at in enumerate(ats):
                session.add(Row(**names, target_id=f"{account}{number}", last_attempt_id=0, at=at, taken=True))
    numbers = []
    for _ in range(3):
        async with database.transaction() as session:
            numbers.append(await delete_past_slots(session, now, 3))
    async with database.reading() as session:
        slots = await session.execute(select(Row.account_id, Row.at))
        buckets = await session.scalars(select(RateLimitBucket.account_id))
        assert {row.account_id: row.at for row in slots} == {"sends": recent, "planned": now + SLOTS_KEPT}
        assert set(buckets) == {"sends", "planned"}
    assert sum(numbers) == 4
    await database.close()
