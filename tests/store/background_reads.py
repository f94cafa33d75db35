"""The reads of background tasks, and what a database has read of the tables that grow."""

from collections.abc import Awaitable, Callable, Sized
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from reconcile.measures import measure
from store.accounts.connected import claim_accounts_to_recheck
from store.accounts.renewals import claim_due
from store.accounts.revocations import count_without_key
from store.database import Database
from store.maintenance.loose_ends import (
    DOUBLE_SLOTS,
    LOOSE_KEYS,
    RESULTS_WITHOUT_EVENT,
    WAITING_REVISIONS,
    Check,
    platforms_waiting,
)
from store.maintenance.open_posts import open_due_between
from store.maintenance.preflight import due_for_preflight
from store.maintenance.waiting import end_late, note_late
from store.maintenance.zones import wall_times
from store.models import Target
from store.posts.chains import FIRST_PLACE, search_ready
from store.posts.delivery import claim_undelivered, claim_waiting, take_turn
from store.posts.idempotency import delete_expired_keys
from store.publishing.claims import posts_of_other_targets

GROWING = (
    *("posts", "targets", "attempts", "revisions", "idempotency_keys", "accounts"),
    *("events", "deliveries", "delivery_attempts", "audit_events", "post_tags"),
)
Rows = Callable[[AsyncSession], Awaitable[Sized | float | None]]


@dataclass(frozen=True)
class Reads:
    """The scans and rows that a database has read of a table."""

    sequential: int
    rows: int


async def reads(session: AsyncSession) -> dict[str, Reads]:
    await session.execute(text("SELECT pg_stat_force_next_flush()"))
    await session.execute(text("SELECT pg_stat_clear_snapshot()"))
    query = text(
        "SELECT relname, seq_scan, seq_tup_read + coalesce(idx_tup_fetch, 0) FROM pg_stat_user_tables"
        " WHERE relname = ANY (:names)"
    )
    rows = await session.execute(query, {"names": list(GROWING)})
    return {name: Reads(sequential, count) for name, sequential, count in rows}


async def wall_changes(database: Database, now: datetime) -> int:
    return len([row async for row in wall_times(database, now, now - timedelta(minutes=5))])


def background_reads(database: Database, now: datetime) -> dict[str, Rows]:
    """Return a round of each background task."""
    target = Target(id="tgt_x", workspace_id="ws_2", account_id="acc_1", platform="twitter")
    return {
        "sweep": lambda session: claim_undelivered(session, now, now, 100),
        "turn": lambda session: take_turn(session, 20),
        "bulk": lambda session: claim_waiting(session, now, 100),
        "chains": lambda session: search_ready(session, FIRST_PLACE, 1000),
        "accounts": claim_accounts_to_recheck,
        "renewals": lambda session: claim_due(session, ["twitter"], timedelta(minutes=2), 50),
        "keys": lambda session: count_without_key(session, [b"\1\2\3\4\5\6\7\x08"]),
        "recovery": lambda session: open_due_between(session, now - timedelta(days=9), now, None, 200, resting=False),
        "preflight": lambda session: due_for_preflight(
            session, now, first=now + timedelta(days=1), last=now + timedelta(minutes=15), most=200
        ),
        "zones": lambda _: wall_changes(database, now),
        "late": lambda session: note_late(session, now, now, 500),
        "late.end": lambda session: end_late(session, now, 500),
        "expiry": lambda session: delete_expired_keys(session, now, 500),
        "doctor.keys": lambda session: Check(session, now, None).rows(LOOSE_KEYS),
        "doctor.revisions": lambda session: Check(session, now, None).rows(WAITING_REVISIONS),
        "doctor.platforms": lambda session: platforms_waiting(session, now, None),
        "doctor.slots": lambda session: Check(session, now, None).rows(DOUBLE_SLOTS),
        "doctor.events": lambda session: Check(session, now, None).rows(RESULTS_WITHOUT_EVENT),
        "claims": lambda session: posts_of_other_targets(session, target, now - timedelta(minutes=1)),
        "measure": lambda _: measure(database, timedelta(minutes=1)),
    }
