"""Choose the event loop of a process."""

import asyncio
import importlib
from collections.abc import Callable
from typing import cast


def new_event_loop() -> asyncio.AbstractEventLoop:
    """Return a new uvloop where there is one (not on Windows), asyncio's own elsewhere."""
    try:
        uvloop = importlib.import_module("uvloop")
    except ImportError:
        return asyncio.new_event_loop()
    return cast("Callable[[], asyncio.AbstractEventLoop]", uvloop.new_event_loop)()
