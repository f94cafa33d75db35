"""Look for garbage less often than Python does by itself."""

import gc

_NEW_OBJECTS = 10_000
_ROUNDS = 20


def collect_seldom() -> None:
    """Leave what is loaded by now out of every collection, and let 10,000 objects be new before the next, not 700.

    A post makes some thousands that live until it is out; to look through them again and again took a twentieth of a
    worker's time. Nearly all of what ends is freed at once, without a collection.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS, _ROUNDS, _ROUNDS)
