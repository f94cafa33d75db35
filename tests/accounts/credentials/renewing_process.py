"""A worker process that renews one account and is stopped at a chosen point.

Run as `python -m tests.accounts.credentials.renewing_process WORKSPACE ACCOUNT POINT SIGNAL`, with a worker's
environment.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from accounts.credentials import renewal
from platforms.errors import PlatformError
from runtime.parts import open_parts
from runtime.settings import VaultSettings, read_settings
from store.accounts import renewals
from store.database import Database
from store.models import Account

SHORT_LEASE = timedelta(seconds=1)


def _strike() -> None:
    sys.stdout.write("struck\n")
    sys.stdout.flush()
    os.kill(os.getpid(), getattr(signal, sys.argv[4]))


def _around(name: str, *, before: bool = False, after: bool = False, later_s: float | None = None) -> None:
    """Send this process the signal before or after a function of the renewal, or some time after it has ended."""
    function: Callable[..., Awaitable[Any]] = getattr(renewal, name)

    async def struck(*arguments: Any, **more: Any) -> Any:
        if before:
            _strike()
        result = await function(*arguments, **more)
        if after:
            _strike()
        if later_s is not None:
            asyncio.get_running_loop().call_later(later_s, _strike)
        return result

    setattr(renewal, name, struck)


def _prepare(point: str) -> None:
    match point:
        case "leased":
            _around("within", before=True)
        case "before the first byte":
            _around("_demand_in_time", after=True)
        case "sent":
            _around("_demand_in_time", later_s=0.5)
        case "answered":
            _around("persist", before=True)
        case "stored":
            _around("persist", after=True)


async def main(workspace: str, account_id: str, point: str) -> None:
    renewals.LEASE = SHORT_LEASE
    _prepare(point)
    settings = read_settings(VaultSettings)
    database = Database(settings.database_url.get_secret_value(), pool_size=2, max_overflow=0)
    async with open_parts(settings, database) as parts:
        async with database.transaction() as session:
            account = await session.get_one(Account, (workspace, account_id))
        try:
            answer = str(await parts.accounts.renew(account))
        except PlatformError as error:
            answer = error.code
    await database.close()
    sys.stdout.write(f"ended: {answer}\n")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:4]))
