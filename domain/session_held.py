"""The mark of code that holds a session of the database: it must not ask a platform meanwhile.

The store sets the mark and the transports of HTTP read it; neither knows the other.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class _Hold:
    """A session that the code of one context holds. Tasks that this code starts inherit the hold until it ends."""

    __slots__ = ("ended",)

    def __init__(self) -> None:
        self.ended = False


_HELD: ContextVar[_Hold | None] = ContextVar("held_session", default=None)


class SessionHeld(RuntimeError):
    """A mistake of ours: a platform was to be asked while a session of the database is held."""


def is_session_held() -> bool:
    """Return whether this code holds a session of the database."""
    held = _HELD.get()
    return held is not None and not held.ended


def demand_no_session() -> None:
    """Raise SessionHeld inside a transaction.

    Called before every request to a platform: one that answers slowly would keep the session, and perhaps locks of
    rows, from everybody else for as long as it likes.
    """
    if is_session_held():
        raise SessionHeld("a platform must not be asked inside a database transaction")


@contextmanager
def holding_session() -> Iterator[None]:
    """Mark the code in the block as holding a session of the database."""
    outer, hold = _HELD.get(), _Hold()
    _HELD.set(hold)
    try:
        yield
    finally:
        hold.ended = True
        _HELD.set(outer)
