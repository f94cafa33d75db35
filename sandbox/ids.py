"""Ids that look like the platforms' own: unique, and ascending if theirs are."""

from collections.abc import Callable


class Snowflakes:
    """Ids by time: milliseconds since an epoch, then 22 bits that keep them unique and in order."""

    def __init__(self, clock: Callable[[], float], epoch_milliseconds: int) -> None:
        self._clock = clock
        self._epoch = epoch_milliseconds
        self._last = 0

    def next(self) -> str:
        """Return the next id."""
        fresh = (int(self._clock() * 1000) - self._epoch) << 22 | 1 << 12
        self._last = max(fresh, self._last + 1)
        return str(self._last)


class Scrambled:
    """Ids by time that look random within a range, as Meta's do.

    The count (microseconds since an epoch) is multiplied by a number that has no common divisor with the range's size.
    No two counts get the same id until the count exceeds the range.
    """

    def __init__(self, clock: Callable[[], float], epoch_milliseconds: int, first: int, size: int) -> None:
        self._clock = clock
        self._epoch = epoch_milliseconds
        self._first = first
        self._size = size
        self._last = 0

    def next(self) -> str:
        """Return the next id."""
        fresh = int(self._clock() * 1_000_000) - self._epoch * 1000
        self._last = max(fresh, self._last + 1)
        return str(self._first + self._last * 123_456_789_011 % self._size)


SHORTCODE_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


_SHORTCODE_EPOCH_MILLISECONDS = 1_314_220_021_721


def shortcode(seconds: float, post_id: str) -> str:
    """Return the code in the address of a post on Instagram or Threads, made of its time and its id."""
    return in_base64((int(seconds * 1000) - _SHORTCODE_EPOCH_MILLISECONDS) << 23 | int(post_id) & 0x7FFFFF)


def in_base64(number: int) -> str:
    """Write a number in URL-safe base 64."""
    digits = ""
    while number:
        number, digit = divmod(number, 64)
        digits = SHORTCODE_ALPHABET[digit] + digits
    return digits
