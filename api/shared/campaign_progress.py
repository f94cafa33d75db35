"""The progress of campaigns, as one process last counted it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from store.campaigns.progress import Progress, count_progress
from store.database import Database

FRESH_S = 1.0
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
        return now - begun_at < FRESH_S and not counting.cancelled() and counting.exception() is None

    async def _count(self, campaign_ids: Sequence[str]) -> dict[str, CountedProgress]:
        now = datetime.now(UTC)
        progress = await count_progress(self._database, campaign_ids, now)
        return {campaign_id: CountedProgress(progress[campaign_id], now) for campaign_id in campaign_ids}
