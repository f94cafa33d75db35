"""Name a record by the time of its making, as the AT Protocol does."""

from datetime import UTC, datetime, timedelta

ALPHABET = "234567abcdefghijklmnopqrstuvwxyz"
"""Base 32 whose text order is its number order; source: atproto.com/specs/tid."""
LENGTH = 13
CLOCKS = 1024
"""Numbers that keep apart what is made in the same microsecond; source: atproto.com/specs/tid."""

_EPOCH = datetime.fromtimestamp(0, UTC)


def tid(moment: datetime, clock: int) -> str:
    """Return the timestamp identifier of a moment; `clock` (below 1024) tells those of one microsecond apart."""
    number = (moment - _EPOCH) // timedelta(microseconds=1) * CLOCKS + clock
    digits = ""
    for _ in range(LENGTH):
        number, digit = divmod(number, len(ALPHABET))
        digits = ALPHABET[digit] + digits
    return digits
