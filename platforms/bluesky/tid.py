"""Timestamp identifiers, by which the AT Protocol names records."""

from datetime import UTC, datetime, timedelta

ALPHABET = "234567abcdefghijklmnopqrstuvwxyz"
"""Base 32 whose text order is its number order; source: atproto.com/specs/tid."""
LENGTH = 13
CLOCKS = 1024
"""How many identifiers one microsecond may have; source: atproto.com/specs/tid."""

_EPOCH = datetime.fromtimestamp(0, UTC)


def tid(moment: datetime, clock: int) -> str:
    """Return the timestamp identifier of a moment; `clock` (below 1024) distinguishes those of one microsecond."""
    number = (moment - _EPOCH) // timedelta(microseconds=1) * CLOCKS + clock
    digits = ""
    for _ in range(LENGTH):
        number, digit = divmod(number, len(ALPHABET))
        digits = ALPHABET[digit] + digits
    return digits
