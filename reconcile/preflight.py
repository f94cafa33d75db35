"""Check scheduled posts again before their time, so that their owners hear early of what will keep them from going out.

All is read from rows; no platform is asked.
"""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime

import structlog
from sqlalchemy.exc import SQLAlchemyError

from activities.account_facts import facts_of
from activities.meters import Meters
from domain.preflight import FIRST_CHECK, LAST_CHECK, PreflightReason, next_check
from domain.schedule import rfc3339
from store.accounts.pages import AppKey, refusals_of_apps
from store.database import Database
from store.locks import try_lock
from store.maintenance.preflight import AccountKey, Preflight, due_for_preflight, full_until, note_preflight

log = structlog.get_logger(__name__)

_EVERY_S = 30.0
BATCH = 200
"""Targets of one round. Their posts are locked meanwhile, so it must be short."""
_LOCK = "preflight"


async def preflight_forever(database: Database, meters: Meters) -> None:
    """Check what is to be checked, twice a minute. A database that is away is waited for."""
    while True:
        try:
            while await preflight(database, meters, datetime.now(UTC)) == BATCH:
                pass
        except (SQLAlchemyError, OSError) as error:
            log.warning("preflight.postponed", reason=type(error).__name__)
        await asyncio.sleep(_EVERY_S)


async def preflight(database: Database, meters: Meters, now: datetime) -> int:
    """Check some targets; return how many were checked. Another process may be doing it: then 0."""
    warned: list[tuple[Preflight, PreflightReason]] = []
    async with database.transaction() as session:
        if not await try_lock(session, _LOCK):
            return 0
        found = await due_for_preflight(session, now, first=now + FIRST_CHECK, last=now + LAST_CHECK, most=BATCH)
        accounts = [each.account for each in found if each.account]
        refused, full = await refusals_of_apps(session, accounts), await full_until(session, accounts, now)
        for each in found:
            due_at = each.target.due_at or now
            reason = reason_to_warn(each, refused, full, due_at, now)
            again_at = next_check(due_at, now, warned=reason is not None)
            if note_preflight(each, reason, again_at, now) and reason:
                warned.append((each, reason))
    for each, reason in warned:
        meters.record_preflight_warning(each.target.platform, reason)
        log.info(
            "preflight.warned",
            post_id=each.post.id,
            workspace_id=each.post.workspace_id,
            account_id=each.target.account_id,
            platform=each.target.platform,
            reason=reason.value,
            due_at=rfc3339(each.target.due_at) if each.target.due_at else None,
        )
    return len(found)


def reason_to_warn(
    found: Preflight,
    refused_apps: Mapping[AppKey, str],
    full: Mapping[AccountKey, datetime],
    due_at: datetime,
    now: datetime,
) -> PreflightReason | None:
    """Return the first reason for which a target will not go out at its time; None if none is known."""
    account = found.account
    if account is None:
        return PreflightReason.ACCOUNT_NOT_FOUND
    facts = facts_of(account, refused_apps, now)
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
