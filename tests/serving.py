"""Keep a Litestar app started for as long as a test needs it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from litestar import Litestar


@asynccontextmanager
async def started(app: Litestar) -> AsyncIterator[Litestar]:
    """Run the app's lifespan in a task of its own: it must end in the task it began in, and fixtures do not."""
    up, end = asyncio.Event(), asyncio.Event()

    async def live() -> None:
        async with app.lifespan():
            up.set()
            await end.wait()

    task = asyncio.create_task(live())
    # A start that fails must fail the test, not leave it waiting.
    task.add_done_callback(lambda _: up.set())
    await up.wait()
    try:
        if not task.done():
            yield app
    finally:
        end.set()
        await task
