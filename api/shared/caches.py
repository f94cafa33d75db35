"""Short-lived caches of a process: campaigns' progress, closed gates, a restore under way, and absent names."""

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from contextvars import Context
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from sqlalchemy.exc import SQLAlchemyError

from domain.content import PostContent
from domain.errors import Conflict, Problem, Unavailable
from domain.pauses import WORKSPACE_GATE, Gate, account_gate, campaign_gate, series_gate
from store.campaigns.progress import Progress, count_progress
from store.database import Database
from store.maintenance.restores import open_restore
from store.pauses.pauses import list_paused_gates

_PROGRESS_FRESH_S = 1.0
"""Seconds for which a count is answered again: clients may ask as often as they like."""
_MOST_COUNTS = 1_000
"""Counts that are kept until they are looked at again."""


@dataclass(frozen=True, slots=True)
class CountedProgress:
    """The progress of a campaign, and when it was counted."""

    progress: Progress
    as_of: datetime


class CampaignProgress:
    """The progress of campaigns, counted at most once a second for each, and after each operation on it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._counts: dict[str, tuple[float, asyncio.Task[dict[str, CountedProgress]]]] = {}

    async def read(self, campaign_ids: Sequence[str]) -> dict[str, CountedProgress]:
        """Return the progress of campaigns by their ids; those that were not counted lately are counted together."""
        begun_at = asyncio.get_running_loop().time()
        stale_ids = [campaign_id for campaign_id in campaign_ids if not self._is_fresh(campaign_id, begun_at)]
        if stale_ids:
            if len(self._counts) >= _MOST_COUNTS:
                self._counts = {id_: count for id_, count in self._counts.items() if self._is_fresh(id_, begun_at)}
            counting = asyncio.create_task(self._count(stale_ids))
            # If the clients of all its requests are gone, no request reads its error.
            counting.add_done_callback(lambda task: task.cancelled() or task.exception())
            self._counts |= dict.fromkeys(stale_ids, (begun_at, counting))
        # Read before the first pause: another request may let a count be forgotten.
        counts = {campaign_id: self._counts[campaign_id][1] for campaign_id in campaign_ids}
        return {campaign_id: (await asyncio.shield(count))[campaign_id] for campaign_id, count in counts.items()}

    def forget(self, campaign_id: str) -> None:
        """Count a campaign again for the next request, because an operation has changed many of its posts."""
        self._counts.pop(campaign_id, None)

    def _is_fresh(self, campaign_id: str, now: float) -> bool:
        begun_at, counting = self._counts.get(campaign_id, (float("-inf"), None))
        if counting is None:
            return False
        if not counting.done():
            return True
        return now - begun_at < _PROGRESS_FRESH_S and not counting.cancelled() and counting.exception() is None

    async def _count(self, campaign_ids: Sequence[str]) -> dict[str, CountedProgress]:
        now = datetime.now(UTC)
        progress = await count_progress(self._database, campaign_ids, now)
        return {campaign_id: CountedProgress(progress[campaign_id], now) for campaign_id in campaign_ids}


_GATES_FRESH_S = 1.0


class ClosedGates:
    """A copy of the closed gates, at most a second old, so that requests to publish now cost no statement each.

    It only spares clients a post that would be held: the database decides whether something is sent (`begin_send`).
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._closed = frozenset[tuple[str, Gate]]()
        self._read_at = float("-inf")
        self._reading = asyncio.Lock()

    def forget(self) -> None:
        """Read the gates again for the next request, because this process has changed one."""
        self._read_at = float("-inf")

    async def closed_in(self, workspace_id: str) -> frozenset[Gate]:
        """Return the closed gates of a workspace."""
        async with self._reading:
            now = asyncio.get_running_loop().time()
            if now - self._read_at >= _GATES_FRESH_S:
                async with self._database.reading() as session:
                    self._closed = frozenset(await list_paused_gates(session))
                self._read_at = now
            return frozenset(gate for workspace, gate in self._closed if workspace == workspace_id)


def target_accounts(content: PostContent) -> list[tuple[str, str]]:
    """Return platform and id of the accounts that a post goes to."""
    return [(target.platform, target.account_id) for target in content.targets]


def require_open(
    closed: frozenset[Gate],
    accounts: Iterable[tuple[str, str]],
    campaign_id: str | None = None,
    series_id: str | None = None,
) -> None:
    """Raise Conflict if a pause stops a post of a campaign and a series to one of these accounts.

    Each account is a platform and an id.
    """
    if not closed:
        return
    gates = [WORKSPACE_GATE, *(account_gate(*account) for account in accounts)]
    gates += [campaign_gate(campaign_id)] if campaign_id else []
    gates += [series_gate(series_id)] if series_id else []
    for gate in gates:
        if gate in closed:
            platform, account_id = gate.account or (None, None)
            sentence = f"Publishing is paused for {gate}: schedule the post, or end the pause (GET /v1/pauses)"
            raise Conflict(Problem(sentence, "paused", gate.kind.value, platform, account_id))


FRESH_S = 2.0
"""The lifetime of the cached flag. It is read in the background; only the first request waits for that."""
_RETRY_AFTER_S = 30
_RESTORING = Problem(
    "This service was restored from a backup and is not ready for changes; ask again shortly", "unavailable"
)


class Restoring:
    """A cached flag: writes are refused while a restore is handled."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._refuses = False
        self._checked_at: float | None = None
        self._check: asyncio.Task[None] | None = None

    async def require_finished(self) -> None:
        """Raise Unavailable while a restore is handled."""
        now = asyncio.get_running_loop().time()
        if self._check is None and (self._checked_at is None or now - self._checked_at > FRESH_S):
            self._check = asyncio.create_task(self._refresh(), context=Context())
        if self._checked_at is None and self._check:
            await asyncio.shield(self._check)
        if self._refuses:
            raise Unavailable(_RESTORING, retry_after=_RETRY_AFTER_S)

    async def _refresh(self) -> None:
        try:
            async with self._database.reading() as session:
                self._refuses = await open_restore(session) is not None
        except (SQLAlchemyError, OSError):
            # The write itself will say that the database is away.
            pass
        finally:
            self._checked_at, self._check = asyncio.get_running_loop().time(), None


MOST_LOOKUPS = 4
"""Look-ups at the same time: strangers leave the rest of the pool to others."""
ABSENT_FOR_S = 10.0
"""What does not exist is not looked up again for this time. Its names are random, so it will not be made meanwhile."""
_MOST_ABSENT = 10_000

T = TypeVar("T")


class StrangerLookups:
    """The look-ups of one process for callers whose workspace is not known."""

    def __init__(self) -> None:
        self._absent: dict[bytes, float] = {}
        self._turns = asyncio.Semaphore(MOST_LOOKUPS)

    def turn(self) -> AbstractAsyncContextManager[None]:
        """Return a turn to read from the database; waits while others have all turns."""
        return self._turns

    async def find(self, name: str, look_up: Callable[[], Awaitable[T | None]]) -> T | None:
        """Return what `look_up` finds; None without asking if nothing had this name a moment ago."""
        digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()
        if self._is_absent(digest):
            return None
        async with self._turns:
            if self._is_absent(digest):
                return None
            result = await look_up()
        if result is None:
            if len(self._absent) >= _MOST_ABSENT:
                self._absent.clear()
            self._absent[digest] = time.monotonic() + ABSENT_FOR_S
        return result

    def _is_absent(self, digest: bytes) -> bool:
        return time.monotonic() < self._absent.get(digest, 0.0)
