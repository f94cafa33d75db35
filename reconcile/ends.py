"""Events for accounts whose connection ends soon, and for API keys that expire soon."""

from reconcile.measures import WARNED_AHEAD
from reconcile.rounds import BackgroundTask
from store.database import Database
from store.events import emit_ends

_EVERY_S = 60.0


def ends_task(database: Database) -> BackgroundTask:
    """Return the task that looks every minute. Each end has one event, however many workers there are."""

    async def emit() -> None:
        async with database.reading() as session:
            await emit_ends(session, WARNED_AHEAD)

    return BackgroundTask(emit, _EVERY_S, "ends.postponed")
