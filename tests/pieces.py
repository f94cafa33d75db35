"""The pieces in which an event loop works: between two of them other requests and posts have their turn."""

import asyncio
import gc
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

LONGEST_S = 0.1
"""Seconds of one core that a piece may take."""


@dataclass(slots=True)
class Pieces:
    """The processor time of the callbacks of this thread's event loop, in seconds of one core."""

    total: float = 0.0
    longest: float = 0.0
    where: str = ""
    """The callback that took longest."""


@contextmanager
def measured_pieces() -> Iterator[Pieces]:
    """Measure the pieces of work of the event loop until the block ends; neither tracing nor garbage counts."""
    pieces, run, tracer = Pieces(), asyncio.Handle._run, sys.gettrace()

    def measured(handle: asyncio.Handle) -> None:
        began = time.thread_time()
        run(handle)
        spent = time.thread_time() - began
        pieces.total += spent
        if spent > pieces.longest:
            pieces.longest, pieces.where = spent, repr(handle)[:300]

    sys.settrace(None)
    gc.disable()
    asyncio.Handle._run = measured  # type: ignore[method-assign, assignment]
    try:
        yield pieces
    finally:
        asyncio.Handle._run = run  # type: ignore[method-assign]
        gc.enable()
        # Parsed answers of a stranger are in cycles: without this they stay until millions of objects are new.
        gc.collect(1)
        sys.settrace(tracer)
