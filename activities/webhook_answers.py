"""The writing of an endpoint's answers: those that come while some are written are written together."""

import asyncio
from datetime import UTC, datetime

from store.database import Database
from store.failures import persist
from store.webhooks.deliveries import TakenEvent, record_taken


class TakenEvents:
    """The events that an endpoint takes in a step."""

    def __init__(self, database: Database, webhook_id: str) -> None:
        self._database = database
        self._webhook_id = webhook_id
        self._waiting: list[TakenEvent] = []
        self._turn = asyncio.Lock()
        self._is_serving = True

    async def record(self, event: TakenEvent) -> bool:
        """Write an event that was taken, and all that wait to be written; return whether more may be sent now."""
        self._waiting.append(event)
        async with self._turn:
            # Otherwise the one before has written it, too.
            if event in self._waiting:
                events, self._waiting = self._waiting, []

                async def write() -> bool:
                    return await record_taken(self._database.answers, self._webhook_id, events, datetime.now(UTC))

                self._is_serving = await persist(write)
        return self._is_serving
