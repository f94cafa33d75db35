"""A process of this service: its event loop, its garbage collection and how many files it may open."""

import asyncio
import gc
import importlib
import resource
from collections.abc import Callable
from typing import cast


def new_event_loop() -> asyncio.AbstractEventLoop:
    """Return a new event loop of uvloop if it is installed (not on Windows), else of asyncio."""
    try:
        uvloop = importlib.import_module("uvloop")
    except ImportError:
        return asyncio.new_event_loop()
    return cast("Callable[[], asyncio.AbstractEventLoop]", uvloop.new_event_loop)()


_OF_WORKFLOWS = 10_000, 5, 5
SHORT_VISITS = 5_000, 1, 600
"""For a process without workflows: young objects are visited once for 10,000 new ones, old ones for six million."""


def tune_gc(thresholds: tuple[int, int, int] = _OF_WORKFLOWS) -> None:
    """Exclude the objects that exist now from every collection, and collect after 10,000 new objects instead of 700.

    A post creates some thousands of objects that live until it is published; visiting them again and again took a
    twentieth of a worker's time. Nearly all others are freed without a collection. The exception is a workflow that is
    dropped from the worker's cache: its objects refer to each other, and are old. Every 25th collection visits old
    objects, once for some 3,000 workflows; if it were once for 50,000, they would keep 600 MB.

    The rows of an import are 600,000 objects that live until its end, and each visit stops the event loop: for a tenth
    of a second if it is to all of them, for 28 ms if it is to 60,000 young ones, and for 5 ms if it is to 10,000.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*thresholds)


MANY_FILES = 65_536


def allow_open_files(number: int) -> None:
    """Raise the limit of open files to `number`, or as far as the system grants; the default is often 1,024.

    Each media file and each socket counts. At the limit no new one can be opened.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = number if hard == resource.RLIM_INFINITY else min(hard, number)
    if soft != resource.RLIM_INFINITY and soft < limit:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
