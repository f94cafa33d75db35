"""Rate limiting: no account publishes faster than its platform allows, whichever worker sends.

A target acquires a slot before anything is sent for it. Until then it waits, and no attempt is written.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from weakref import WeakValueDictionary

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from activities.results import DEFAULT_QUOTA_WAIT
from activities.step_context import StepContext
from domain.attempts import AttemptStep
from domain.request_limits import Quota, RateLimit
from platforms.capabilities import ReportsQuota
from platforms.errors import LONGEST_LIMIT, ErrorKind, PlatformError
from store.database import Database
from store.publishing.rate_limits import (
    Bucket,
    BucketLimits,
    LockedBucket,
    acquire,
    count_used,
    lease_quota_query,
    lock_bucket,
    record_no_quota,
    record_quota,
)

log = structlog.get_logger(__name__)

_WAIT_IN_STEP = timedelta(seconds=2)
"""If the slot is free within this time, the step itself waits for it."""
_REACQUIRE_AFTER_S = 0.1
"""If preparing took longer, the slot is acquired again, because the platform counts from the time of the send."""
_MARGIN = 30
_LARGEST_MARGIN = timedelta(seconds=2)
"""A limit's window is extended by a 30th, at most by this, because requests take different times to arrive."""
_QUOTA_TRUSTED_FOR = timedelta(minutes=10)
"""How long a quota is trusted that a platform reported when it was asked."""
_QUERY_TIMEOUT_S = 15.0
"""How long a platform may take to report a quota, and how long a step waits for it."""
_QUERY_LEASE = timedelta(seconds=30)
"""How long no other process may ask; longer than the query may take."""
_POLL_S = 0.5
"""The pause between two checks whether another process has got the quota."""
_NO_QUERY_FOR = timedelta(minutes=1)
"""How long a platform that reported no quota is not asked again."""
_IN_FLIGHT = timedelta(minutes=2)
"""Slots that were taken so shortly before a query may be missing from the reported quota."""
_LOW_QUOTA = 20
"""From this number of remaining posts down, the quota in each response is saved."""

_LONGEST_REPORT, _LONGEST_REPORT_OF_NAMED_SERVER = timedelta(days=32), timedelta(days=2)
"""How long a reported quota may hold: of a platform (X counts by the month), and of a server that an account names."""


class RateLimited(Exception):
    """The target has no slot for `wait`; `capped` if its account has used up a limit that spans hours."""

    def __init__(self, wait: timedelta, *, capped: bool) -> None:
        super().__init__(f"its next slot is in {wait.total_seconds():.0f} s")
        self.wait = wait
        self.capped = capped


class RateLimiter:
    """The rate limits of a worker's sends. Without `on` it does nothing."""

    def __init__(self, database: Database, *, on: bool) -> None:
        self._database = database
        self._on = on
        self._gates: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()

    async def before_preparing(self, step: StepContext) -> None:
        """Acquire the slot of a target that is prepared ahead. Raises RateLimited."""
        if self._on:
            await self._reserve_all(step, [_preparing(step)])

    async def before_publishing(self, step: StepContext) -> None:
        """Acquire the slot to publish a target, and to prepare it if that is still to be done. Raises RateLimited."""
        if self._on:
            prepares = step.platform.prepares(step.context.draft) and not step.context.handles
            await self._reserve_all(step, [_preparing(step), _publishing(step)] if prepares else [_publishing(step)])
            step.slot_taken_at = time.monotonic()

    async def before_sending(self, step: StepContext) -> None:
        """Acquire the slot again if it was acquired a while ago. Raises RateLimited."""
        if self._on and time.monotonic() - step.slot_taken_at > _REACQUIRE_AFTER_S:
            await self._reserve_all(step, [_publishing(step)])
            step.slot_taken_at = time.monotonic()

    async def record_quota(self, step: StepContext) -> None:
        """Save the quota that the platform reported when it published, if little remains."""
        reported = next((exchange.quota for exchange in reversed(step.exchanges) if exchange.quota), None)
        if self._on and reported and reported.resets_at and reported.remaining <= _LOW_QUOTA:
            # The requests of slots that were taken later may not have arrived yet.
            since = datetime.now(UTC) - timedelta(seconds=time.monotonic() - step.slot_taken_at)
            await self._report(step, AttemptStep.PUBLISH, since, reported.remaining, reported.resets_at)

    async def record_refusal(
        self, step: StepContext | None, error: PlatformError, delay: timedelta, *, was_sent: bool
    ) -> None:
        """Save a refusal for a rate limit, so that the account's other targets are not refused for the same limit."""
        if self._on and step and error.kind in {ErrorKind.RATE_LIMITED, ErrorKind.CAPPED}:
            limits_publishing = was_sent or error.kind is ErrorKind.CAPPED
            now = datetime.now(UTC)
            until = now + min(delay, _longest_report(step))
            await self._report(step, AttemptStep.PUBLISH if limits_publishing else AttemptStep.PREPARE, now, 0, until)

    async def _report(self, step: StepContext, name: str, since: datetime, remaining: int, until: datetime) -> None:
        async with self._database.answers.transaction() as session:
            await record_quota(
                session, _bucket(step, name), since, remaining, min(until, datetime.now(UTC) + _longest_report(step))
            )

    async def _reserve_all(self, step: StepContext, buckets: Sequence[BucketLimits]) -> None:
        """Acquire a slot in each bucket, or in none. Raises RateLimited."""
        gate = self._gates.setdefault((step.server, step.account.id), asyncio.Lock())
        target_id, asks = step.context.target_id, isinstance(step.platform, ReportsQuota)
        while True:
            # One at a time in a process: otherwise each would hold a session to wait for the bucket's lock, or each
            # would ask the platform for the same quota.
            async with gate:
                slot = await acquire(self._database, target_id, step.last_send_id, buckets, asks=asks)
                if slot is None and isinstance(step.platform, ReportsQuota):
                    await self._refresh_quota(step, step.platform, buckets[-1].bucket)
                    slot = await acquire(self._database, target_id, step.last_send_id, buckets)
            if slot is None or slot.wait <= timedelta(0):
                return
            if slot.wait > _WAIT_IN_STEP:
                capped = slot.wait if slot.window is None else slot.window
                raise RateLimited(slot.wait, capped=capped > LONGEST_LIMIT)
            await asyncio.sleep(slot.wait.total_seconds())

    async def _refresh_quota(self, step: StepContext, platform: ReportsQuota[Any], bucket: Bucket) -> None:
        """Ask the platform for the quota, or wait while another process asks, at most as long as the query may take."""
        give_up = time.monotonic() + _QUERY_TIMEOUT_S
        while True:
            async with self._database.transaction() as session:
                locked = await lock_bucket(session, bucket)
                if not locked.needs_query:
                    return
                granted = await lease_quota_query(session, bucket, _QUERY_LEASE)
            if granted:
                await self._query_quota(step, platform, locked)
                return
            if time.monotonic() > give_up:
                return
            await asyncio.sleep(_POLL_S)

    async def _query_quota(self, step: StepContext, platform: ReportsQuota[Any], locked: LockedBucket) -> None:
        """Ask the platform for the quota. If it does not respond in time, posts continue; it is asked again later."""
        quota, seen = None, len(step.exchanges)
        try:
            async with asyncio.timeout(_QUERY_TIMEOUT_S):
                quota = await platform.quota(step.connection)
        except (PlatformError, TimeoutError) as error:
            log.info("rate_limiting.no_quota", code=error.code if isinstance(error, PlatformError) else "timed_out")
        finally:
            # The attempt log shows only requests for the target.
            del step.exchanges[seen:]
        async with self._database.answers.transaction() as session:
            if quota is None:
                await record_no_quota(session, locked.bucket, _NO_QUERY_FOR)
                return
            until = quota.resets_at or locked.now + _QUOTA_TRUSTED_FOR
            if quota.remaining <= 0 and quota.resets_at is None:
                until = await _first_slot_expires_at(session, locked, step.platform.rules.rate_limits, quota)
            since, until = locked.now - _IN_FLIGHT, min(until, locked.now + _longest_report(step))
            await record_quota(session, locked.bucket, since, quota.remaining, until, limit=quota.limit, asked=True)


def _preparing(step: StepContext) -> BucketLimits:
    return _limits(_bucket(step, AttemptStep.PREPARE), step.platform.prepare_rate_limits(step.context.draft))


def _publishing(step: StepContext) -> BucketLimits:
    return _limits(_bucket(step, AttemptStep.PUBLISH), step.platform.rules.rate_limits)


def _limits(bucket: Bucket, rate_limits: Sequence[RateLimit]) -> BucketLimits:
    return BucketLimits(bucket, [_with_margin(rate_limit) for rate_limit in rate_limits])


def _bucket(step: StepContext, name: str) -> Bucket:
    return Bucket(step.platform.name, step.server, step.account.id, name)


def _longest_report(step: StepContext) -> timedelta:
    return _LONGEST_REPORT if step.connection.is_trusted else _LONGEST_REPORT_OF_NAMED_SERVER


def _with_margin(rate_limit: RateLimit) -> RateLimit:
    return replace(rate_limit, per=rate_limit.per + min(rate_limit.per / _MARGIN, _LARGEST_MARGIN))


async def _first_slot_expires_at(
    session: AsyncSession, locked: LockedBucket, rate_limits: Sequence[RateLimit], quota: Quota
) -> datetime:
    """Return when the account's first post of the day expires if all of them are ours; otherwise an hour from now."""
    day = max(rate_limit.per for rate_limit in rate_limits)
    ours, first = await count_used(session, locked, day)
    if first is None or quota.limit is None or ours < quota.limit:
        return locked.now + DEFAULT_QUOTA_WAIT
    return max(first + day, locked.now + _QUOTA_TRUSTED_FOR)
