"""The mark of code that holds a connection to the database: it must not ask a platform meanwhile.

The store sets the mark and the transports of HTTP read it; neither knows the other.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class _Hold:
    """A connection that the code of one context holds. Tasks that this code starts inherit the hold until it ends."""

    __slots__ = ("ended",)

    def __init__(self) -> None:
        self.ended = False


_HELD: ContextVar[_Hold | None] = ContextVar("held_connection", default=None)


class ConnectionHeld(RuntimeError):
    """A mistake of ours: a platform was to be asked while a connection of the database's pool is held."""


def is_connection_held() -> bool:
    """Return whether this code holds a connection of the database."""
    held = _HELD.get()
    return held is not None and not held.ended


def demand_no_connection() -> None:
    """Raise ConnectionHeld inside a transaction.

    Called before every request to a platform: one that answers slowly would keep the connection, and perhaps locks of
    rows, from everybody else for as long as it likes.
    """
    if is_connection_held():
        raise ConnectionHeld("a platform must not be asked inside a database transaction")


@contextmanager
def holding_connection() -> Iterator[None]:
    """Mark the code in the block as holding a connection of the database."""
    outer, hold = _HELD.get(), _Hold()
    _HELD.set(hold)
    try:
        yield
    finally:
        hold.ended = True
        _HELD.set(outer)
