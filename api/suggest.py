"""Guess what a client meant to write."""

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(wrong: str, known: Iterable[str]) -> str:
    """Return "; did you mean …?" where a known name is close, else nothing."""
    by_lower = {name.lower(): name for name in known}
    # Long input makes the comparison slow and is no misspelling of anything.
    close = get_close_matches(wrong.lower(), by_lower, n=1, cutoff=0.7) if len(wrong) <= 64 else []
    return f"; did you mean {by_lower[close[0]]}?" if close else ""
