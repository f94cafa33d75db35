"""A planner in a process of its own, which a test kills: `python -m tests.store.series.planner DATABASE_URL`."""

import asyncio
import sys

from reconcile.chains import plan_next
from store.database import Database


async def _plan(database_url: str) -> None:
    database = Database(database_url)
    print("ready", flush=True)  # noqa: T201 the test waits for it
    while True:
        if not await plan_next(database):
            await asyncio.sleep(0.01)


if __name__ == "__main__":
    asyncio.run(_plan(sys.argv[1]))
