"""Uploads that clients let this service fetch: the worker takes those that are due, several at a time."""

import asyncio

import structlog

from domain.uploads import FETCHES_OF_WORKSPACE
from media.upload_fetching import UploadFetcher
from reconcile.rounds import BackgroundTask
from storage.base import new_key
from store.database import Database
from store.uploads.claims import FetchClaim, claim_fetches, is_fetch_due

log = structlog.get_logger(__name__)

MOST_AT_ONCE = 16
"""Uploads that a worker fetches at the same time; our choice."""
_EVERY_S = 1.0


class UploadFetches:
    """The uploads that this worker fetches."""

    def __init__(self, database: Database, fetcher: UploadFetcher) -> None:
        self._database = database
        self._fetcher = fetcher
        self._running = set[asyncio.Task[None]]()

    def task(self) -> BackgroundTask:
        """Return the task that begins what is due, every second."""
        return BackgroundTask(
            self.begin_due, _EVERY_S, "upload_fetches.postponed", close=self.close, looks_for="fetches"
        )

    async def begin_due(self) -> int:
        """Begin to fetch the uploads that are due, as far as this worker may; return how many."""
        free = MOST_AT_ONCE - len(self._running)
        if free < 1 or not await is_fetch_due(self._database):
            return 0
        async with self._database.transaction() as session:
            claims = await claim_fetches(session, new_key, free, FETCHES_OF_WORKSPACE)
        for claim in claims:
            task = asyncio.create_task(self._fetch(claim))
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        return len(claims)

    async def close(self) -> None:
        """Stop fetching; another worker begins with these uploads at once."""
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _fetch(self, claim: FetchClaim) -> None:
        try:
            await self._fetcher.fetch(claim)
        except Exception:
            # The claim ends by itself, and the upload is fetched again.
            log.exception("upload.fetch_broke", upload_id=claim.upload_id)
