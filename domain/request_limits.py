"""Limits of requests and of other uses, over all processes or in each, held by the generic cell rate algorithm (GCRA).

One time says how much of a limit is used: the time at which the holder, a key or a workspace, could use the whole limit
again. Each use moves it on by the policy's interval, and no use may move it further ahead than the burst.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from math import ceil, floor, inf
from typing import NamedTuple

from domain.errors import Problem, TooManyRequests

WINDOW_S = 60
"""Seconds for which limits are written: requests and posts a minute."""
LEASED = 16
"""Most uses that a process takes in advance at first. It loses them if it ends, or if it does not use them within a
minute."""
LEASED_S = 1.0
"""A busy process takes what it uses in these seconds, but not more than what comes back in them."""
LARGE_LEASE_S = 2.0
"""Seconds within which it must use a lease of more than LEASED. All of it has come back by then."""
MOST_LEASED = 1_000
LEASE_SHARE = 8
"""A lease is at most this part of what is left, so that it is one use at a time near the end of a limit."""
REQUESTS_PER_MINUTE = 600
POSTS_PER_MINUTE = 6_000
POSTS_BURST = 10_000
"""As many posts as one import may have."""
_MOST_HOLDERS = 10_000
"""Most holders that are remembered. Beyond that the one that came longest ago starts with a full bucket again."""
_USED_UP = Problem("Too many at once; please wait", "rate_limited")
_ROUNDING = 1e-6
"""Parts of a use that are lost in arithmetic."""


class PolicyName(StrEnum):
    """The name of a policy in headers and metrics."""

    REQUESTS = "requests"
    POSTS = "posts"


class Policy(NamedTuple):
    """A limit: so many uses a minute, and a burst; 0 uses a minute are no limit."""

    name: PolicyName
    limit: int
    burst: int

    @property
    def interval_s(self) -> float:
        """Return the seconds in which one use comes back."""
        return WINDOW_S / self.limit

    @property
    def burst_s(self) -> float:
        """Return the seconds in which the whole burst comes back."""
        return self.burst * self.interval_s


@lru_cache(maxsize=1_000)
def requests_policy(limit: int = REQUESTS_PER_MINUTE, burst: int | None = None) -> Policy:
    """Return the policy of the requests of one key."""
    return Policy(PolicyName.REQUESTS, limit, burst or limit)


def posts_policy(limit: int = POSTS_PER_MINUTE) -> Policy:
    """Return the policy of the posts of one workspace."""
    return Policy(PolicyName.POSTS, limit, max(limit, POSTS_BURST))


class Standing(NamedTuple):
    """The rest of a policy that a holder may use; `retry_after` is set if a request was refused, in seconds."""

    policy: Policy
    remaining: int
    reset_s: int
    """Seconds until the whole limit may be used again, if nothing is used meanwhile."""
    retry_after: int | None = None


class Allowance:
    """The uses of one holder as one process knows them, by the process's own clock.

    `full_at` is never later than in the database: others only move it on. So what is refused by it is refused rightly.
    """

    __slots__ = ("_lease_began", "_lease_uses", "_leased", "_leased_until", "full_at")

    def __init__(self) -> None:
        self.full_at = -inf
        self._leased = 0
        """The rest of the lease."""
        self._lease_uses = 0
        self._lease_began = -inf
        self._leased_until = -inf

    def leased(self, now: float) -> int:
        """Return how many uses are taken in advance."""
        return self._leased if now < self._leased_until else 0

    def lease(self, uses: int, now: float) -> None:
        """Add uses that were taken in the database."""
        self._leased = self._lease_uses = self.leased(now) + uses
        self._lease_began = now
        self._leased_until = now + (WINDOW_S if self._leased <= LEASED else LARGE_LEASE_S)

    def use(self, uses: int, now: float) -> bool:
        """Use what is taken in advance; return whether it is enough."""
        if self._leased < uses or now >= self._leased_until:
            return False
        self._leased -= uses
        return True

    def lease_size(self, policy: Policy, now: float) -> int:
        """Return how many uses to take at once: as many as were used in LEASED_S, at most twice the last lease."""
        lasted_s = max(now - self._lease_began, LEASED_S / 2)
        used = round(self._lease_uses * LEASED_S / lasted_s)
        most = min(MOST_LEASED, max(LEASED, min(used, round(LEASED_S / policy.interval_s))))
        return max(1, min(most, self._free(policy, now) // LEASE_SHARE))

    def wait_s(self, policy: Policy, uses: int, now: float) -> float:
        """Return the seconds until so many uses can be taken; 0 or less if they can be taken now."""
        return self.full_at + uses * policy.interval_s - policy.burst_s - now

    def standing(self, policy: Policy, now: float, refused_uses: int = 0) -> Standing:
        """Return what is left; of a refusal, also the whole seconds after which it may succeed."""
        # Every answer tells this, so `leased`, `_free` and the policy's arithmetic are written out.
        _, limit, burst = policy
        leased = self._leased if now < self._leased_until else 0
        ahead_s = self.full_at - now
        remaining, reset_s = burst, 0
        if ahead_s > 0:
            free = burst - ahead_s * limit / WINDOW_S + _ROUNDING
            remaining = min(burst, leased + int(free)) if free > 0 else min(burst, leased)
            rest_s = ahead_s - leased * WINDOW_S / limit - _ROUNDING
            if rest_s > 0:
                reset_s = ceil(rest_s)
        if not refused_uses:
            # A call of the class itself costs as much as all of the above.
            return tuple.__new__(Standing, (policy, remaining, reset_s, None))
        wait_s = self.wait_s(policy, refused_uses - leased, now)
        return Standing(policy, remaining, reset_s, max(1, ceil(wait_s)))

    def _free(self, policy: Policy, now: float) -> int:
        ahead_s = max(0.0, self.full_at - now)
        return max(0, floor((policy.burst_s - ahead_s) / policy.interval_s + _ROUNDING))


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


class Rates:
    """A bucket of each holder: `burst` uses at a time, and `rate` a second for long; no limit if `rate` is 0.

    A holder that waits for what it took owes at most `longest_s` seconds of uses.
    """

    def __init__(
        self,
        rate: float,
        burst: float,
        problem: Problem = _USED_UP,
        clock: Callable[[], float] = time.monotonic,
        longest_s: float = inf,
    ) -> None:
        self._rate = rate
        self._burst = burst
        self._problem = problem
        self._clock = clock
        self._longest_s = longest_s
        self._full_at: OrderedDict[str, float] = OrderedDict()
        """By holder when its bucket is full if nothing is taken meanwhile."""

    def take(self, holder: str, amount: float = 1) -> None:
        """Take uses, at most the burst. Raises TooManyRequests, with the seconds until they can be taken."""
        if not self._rate:
            return
        wait_s, full_at = self._look(holder, min(amount, self._burst))
        if wait_s > 0:
            raise TooManyRequests(self._problem, retry_after=ceil(round(wait_s, 6)))
        self._remember(holder, full_at)

    def wait_after(self, holder: str, amount: float = 1) -> float:
        """Take uses, and return the seconds after which they may be used."""
        wait_s, full_at = self._look(holder, amount)
        self._remember(holder, full_at - max(wait_s - self._longest_s, 0))
        return max(wait_s, 0.0)

    def _look(self, holder: str, amount: float) -> tuple[float, float]:
        now = self._clock()
        full_at = max(self._full_at.get(holder, now), now) + amount / self._rate
        return full_at - now - self._burst / self._rate, full_at

    def _remember(self, holder: str, full_at: float) -> None:
        self._full_at[holder] = full_at
        self._full_at.move_to_end(holder)
        if len(self._full_at) > _MOST_HOLDERS:
            self._full_at.popitem(last=False)
