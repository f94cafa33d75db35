"""A process of this service: its event loop, its garbage collection and how many files it may open."""

import asyncio
import gc
import importlib
import resource
from collections.abc import Callable
from typing import cast


def new_event_loop() -> asyncio.AbstractEventLoop:
    """Return a new uvloop where there is one (not on Windows), asyncio's own elsewhere."""
    try:
        uvloop = importlib.import_module("uvloop")
    except ImportError:
        return asyncio.new_event_loop()
    return cast("Callable[[], asyncio.AbstractEventLoop]", uvloop.new_event_loop)()


_NEW_OBJECTS = 10_000
_ROUNDS = 5


def tune_gc() -> None:
    """Leave what is loaded by now out of every collection, and let 10,000 objects be new before the next, not 700.

    A post makes some thousands that live until it is out; to look through them again and again took a twentieth of a
    worker's time. Nearly all that ends is freed immediately, without a collection. The exception is a workflow that has
    waited in the worker's cache and is dropped from it: its objects refer to each other, and are old. Only every 25th
    collection looks through old ones, which is once for some 3,000 workflows; were it once for 50,000, they would keep
    600 MB.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS, _ROUNDS, _ROUNDS)


MANY_FILES = 65_536


def allow_open_files(number: int) -> None:
    """Let this process open `number` files, or as many as the system grants; by default many systems stop at 1,024.

    Each media file and each connection counts. At the limit no new one can be opened.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = number if hard == resource.RLIM_INFINITY else min(hard, number)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
