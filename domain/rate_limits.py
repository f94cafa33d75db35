"""Limits on how fast an account may publish, and its next slot."""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class RateLimit:
    """At most `limit` requests in any window of the length `per`; `source` says where the number is from."""

    limit: int
    per: timedelta
    source: str = ""


@dataclass(frozen=True, slots=True)
class Quota:
    """The posts that a platform still lets an account publish until `resets_at`, which is None if it does not say.

    `limit` is how many it allows in the longest window of its rules, if it reports that, too.
    """

    remaining: int
    resets_at: datetime | None = None
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class Slot:
    """The wait until a target may send; zero if it may now.

    `window` is the length of the limit that makes it wait; None if the platform's reported quota does.
    """

    wait: timedelta
    window: timedelta | None = None
