"""Checks of scheduled posts before they are due, so that their owners learn early why they cannot be published.

Accounts and quotas are read from rows, and no platform is asked. Of each media file, the first bytes are fetched.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from accounts.facts import token_facts
from activities.meters import Meters
from domain.preflight import FIRST_CHECK, LAST_CHECK, PreflightReason, is_over_quota, next_check
from domain.request_limits import RateLimit
from domain.schedule import rfc3339
from media.shared_files import SharedFiles
from platforms.errors import LONGEST_LIMIT
from platforms.registry import platforms
from reconcile.preflight_media import find_media_problems
from reconcile.rounds import BackgroundTask
from store.accounts.connected import AppKey, refusals_of_apps
from store.database import Database
from store.maintenance.preflight import (
    TO_CHECK_AGAIN,
    UNCHECKED,
    AccountKey,
    Preflight,
    due_for_preflight,
    due_times,
    full_until,
    lock_claimed,
    note_preflight,
    sent_times,
    with_content,
)

log = structlog.get_logger(__name__)

_EVERY_S = 30.0
_PAUSE_S = 1.0
"""The pause between rounds while more wait: thousands of posts may be imported together, and due posts go first."""
_LONGEST_PAUSE_S = 5.0
"""The longest pause, while the worker publishes."""
BATCH = 100
"""Targets of one round. Their posts are locked meanwhile, and the worker publishes beside it, so it must be short."""
_MOST_TIMES = 20_000
"""Due times and sends that a round reads to count quotas. If there are more, some are not counted, so a warning may be
missing."""
_MEDIA_LATER = timedelta(minutes=1)
"""The pause before a target is checked again whose media could not be checked in this round."""

Warned = tuple[Preflight, PreflightReason]


def preflight_task(
    database: Database, meters: Meters, files: SharedFiles, is_publishing: Callable[[], bool]
) -> BackgroundTask:
    """Return the task that checks the targets that are due for it, twice a minute."""

    async def check_all() -> None:
        while await preflight(database, meters, datetime.now(UTC), files) == BATCH:
            await pause(is_publishing)

    return BackgroundTask(check_all, _EVERY_S, "preflight.postponed", due=(UNCHECKED, TO_CHECK_AGAIN), is_shared=True)


async def pause(is_publishing: Callable[[], bool]) -> None:
    """Pause between two rounds, for longer while the worker publishes."""
    loop = asyncio.get_running_loop()
    latest = loop.time() + _LONGEST_PAUSE_S
    await asyncio.sleep(_PAUSE_S)
    while is_publishing() and loop.time() < latest:  # noqa: ASYNC110 there is no event
        await asyncio.sleep(_PAUSE_S / 10)


async def preflight(database: Database, meters: Meters, now: datetime, files: SharedFiles | None = None) -> int:
    """Check some targets; return how many were checked.

    Without `files` no media are checked.
    """
    warned, claims = list[Warned](), dict[str, datetime]()
    async with database.transaction() as session:
        preflights = await due_for_preflight(session, now, first=now + FIRST_CHECK, last=now + LAST_CHECK, most=BATCH)
        accounts = [check.account for check in preflights if check.account]
        refused, full = await refusals_of_apps(session, accounts), await full_until(session, accounts, now)
        over = await _over_quota(session, preflights, now)
        for check in preflights:
            due_at = check.target.due_at or now
            reason = reason_to_warn(check, refused, full, due_at, now)
            if reason is None and check.target.id in over:
                reason = PreflightReason.PLATFORM_CAP
            again_at = next_check(due_at, now, reason=reason)
            names_file = check.post.media_items or check.target.custom_media or check.names_upload
            if reason is None and files is not None and names_file:
                # Nothing is fetched inside a transaction. If this process ends, the next check comes as usual.
                claims[check.target.id] = check.target.preflight_at = again_at
            elif note_preflight(check, reason, again_at, now) and reason:
                warned.append((check, reason))
    _count_warnings(meters, warned)
    if claims and files is not None:
        await _check_media(database, meters, now, files, claims)
    return len(preflights)


async def _check_media(
    database: Database, meters: Meters, now: datetime, files: SharedFiles, claims: Mapping[str, datetime]
) -> None:
    """Check the media of claimed targets, and save the results."""
    async with database.reading() as session:
        preflights = await with_content(session, list(claims))
    problems, warned = await find_media_problems(files, preflights), list[Warned]()
    async with database.transaction() as session:
        for check in await lock_claimed(session, claims):
            due_at = check.target.due_at or now
            if check.target.id not in problems:
                check.target.preflight_at = min(now + _MEDIA_LATER, due_at)
                continue
            reason = problems[check.target.id]
            if note_preflight(check, reason, next_check(due_at, now, reason=reason), now) and reason:
                warned.append((check, reason))
    _count_warnings(meters, warned)


def _count_warnings(meters: Meters, warned: Sequence[Warned]) -> None:
    """Count and log new warnings."""
    for check, reason in warned:
        meters.record_preflight_warning(check.target.platform, reason)
        log.info(
            "preflight.warned",
            post_id=check.post.id,
            workspace_id=check.post.workspace_id,
            account_id=check.target.account_id,
            platform=check.target.platform,
            reason=reason.value,
            due_at=rfc3339(check.target.due_at) if check.target.due_at else None,
        )


async def _over_quota(session: AsyncSession, preflights: Sequence[Preflight], now: datetime) -> set[str]:
    """Return the ids of the targets whose account will have used up a limit of its platform's rules at their time."""
    limited = [check for check in preflights if check.account and _long_limits(check.target.platform)]
    if not limited:
        return set()
    keys = {(check.target.platform, check.target.account_id) for check in limited}
    owners = {(check.post.workspace_id, check.target.account_id) for check in limited}
    longest = max(limit.per for platform, _ in keys for limit in _long_limits(platform))
    sent = await sent_times(session, keys, now - longest, _MOST_TIMES)
    # Targets that are due earlier or later change no count.
    due = [check.target.due_at or now for check in limited]
    ahead = await due_times(session, owners, max(min(due) - longest, now), max(due), _MOST_TIMES)
    over = set()
    for check in limited:
        target, due_at = check.target, check.target.due_at or now
        used, reported = sent.get((target.platform, target.account_id), ([], None))
        queue = ahead.get((check.post.workspace_id, target.account_id), [])
        if is_over_quota(_long_limits(target.platform, reported), used, queue, due_at, target.id):
            over.add(target.id)
    return over


def _long_limits(platform: str, reported: int | None = None) -> list[RateLimit]:
    """Return the limits of a platform's rules for which a post would be held, with the account's own number."""
    limits = platforms()[platform].rules.rate_limits
    longest = max((limit.per for limit in limits), default=None)
    own = [replace(limit, limit=reported) if reported and limit.per == longest else limit for limit in limits]
    return [limit for limit in own if limit.per > LONGEST_LIMIT]


def reason_to_warn(
    check: Preflight,
    refused_apps: Mapping[AppKey, str],
    full: Mapping[AccountKey, datetime],
    due_at: datetime,
    now: datetime,
) -> PreflightReason | None:
    """Return the first known reason why a target cannot be published at its time; None if there is none."""
    account = check.account
    if account is None:
        return PreflightReason.ACCOUNT_NOT_FOUND
    facts = token_facts(account, refused_apps, now)
    if facts.refused_at is not None:
        return PreflightReason.ACCOUNT_REFUSED
    if facts.connection_ends_at is not None and facts.connection_ends_at <= due_at:
        return PreflightReason.CONNECTION_ENDS
    if facts.missing:
        return PreflightReason.PERMISSION_MISSING
    if facts.app_refusal is not None:
        return PreflightReason.APP_REFUSED
    if (until := full.get((account.platform, account.id))) and until > due_at:
        return PreflightReason.PLATFORM_CAP
    return None
