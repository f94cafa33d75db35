"""Work of a test that must end before a post is due."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

T = TypeVar("T")

_LEADS = (2, 10, 40)
"""Seconds to the due time: an idle machine does the work within the first, a busy one within a later one."""


async def before_due(work: Callable[[datetime], Awaitable[T]]) -> tuple[datetime, T]:
    """Do work that must end before a due time, and again with a later one if it did not; return both.

    Each time, the work makes a post of its own. Its errors are those of the test if they come before the due time.
    """
    for lead in _LEADS:
        due = datetime.now(UTC) + timedelta(seconds=lead)
        try:
            result = await work(due)
        except Exception:
            if datetime.now(UTC) < due:
                raise
            continue
        if datetime.now(UTC) < due:
            return due, result
    raise AssertionError(f"the work did not end within {_LEADS[-1]} seconds")


async def passed(due: datetime) -> None:
    """Wait until a time is past, and long enough for a post that was due then to become public."""
    await asyncio.sleep((due - datetime.now(UTC)).total_seconds() + 1)
