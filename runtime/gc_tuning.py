"""Look for garbage less often than Python does by itself, but often enough to free what workflows leave behind."""

import gc

_NEW_OBJECTS = 10_000
_ROUNDS = 5


def tune_gc() -> None:
    """Leave what is loaded by now out of every collection, and let 10,000 objects be new before the next, not 700.

    A post makes some thousands that live until it is out; to look through them again and again took a twentieth of a
    worker's time. Nearly all of what ends is freed at once, without a collection. What is not is a workflow that has
    waited in the worker's cache and is dropped from it: its objects refer to each other, and are old. Only every 25th
    collection looks through old ones, which is once for some 3,000 workflows; were it once for 50,000, they would keep
    600 MB.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS, _ROUNDS, _ROUNDS)
