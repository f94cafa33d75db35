"""How fast one account may publish, and when its next turn is."""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Pace:
    """Allow `limit` of something in any stretch of time as long as `per`; `source` says who names the number."""

    limit: int
    per: timedelta
    source: str = ""


@dataclass(frozen=True, slots=True)
class Allowance:
    """Say how many more a network lets an account publish until `until`; None where it does not say until when.

    `limit` is how many it allows in the longest stretch of its rules, where it tells that, too.
    """

    left: int
    until: datetime | None = None
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """Say whether it is a target's turn (`wait` is zero), or else how long it must still wait.

    `waits_for` is the length of the stretch of time whose limit makes it wait; None where the network itself told.
    """

    wait: timedelta
    waits_for: timedelta | None = None
