"""The headers that tell clients their limits, and what the code that serves a request learns of them.

`RateLimit` and `RateLimit-Policy` are those of draft-ietf-httpapi-ratelimit-headers-11, which may still change; clients
know the older `X-RateLimit-…` and `Retry-After`.
"""

import time
from functools import lru_cache

from domain.loop_share import Holder, served_request
from domain.request_limits import WINDOW_S, Policy, Standing

Header = tuple[bytes, bytes]
HEADER_NAMES = ("RateLimit-Policy", "RateLimit", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")
_POLICIES, _REMAINDERS, _LIMIT, _REMAINING, _RESET = (name.lower() for name in HEADER_NAMES)


class ToldLimits(Holder):
    """A request and the limits of its caller: its policies, and the remaining uses under each that counts it.

    The code in its block, and tasks that it starts, add to them.
    """

    policies: tuple[Policy, ...] = ()
    template = ""
    """That of the lines, if it is known, and the first standing is the only one."""
    standings: tuple[Standing, ...] = ()

    def lines(self) -> bytes:
        """Return the headers as lines of an answer's head.

        The older ones can tell one policy: the one that refuses, or else the requests'.
        """
        if not self.standings:
            return _policy_line(self.policies).encode()
        if self.template and len(self.standings) == 1:
            _, remaining, reset_s, _ = self.standings[0]
            return (self.template % (remaining, reset_s, remaining, time.time() + reset_s)).encode()
        first = next((item for item in self.standings if item.retry_after), self.standings[0])
        counted = tuple(item.policy for item in self.standings)
        remainders = [number for item in self.standings for number in (item.remaining, item.reset_s)]
        numbers = (*remainders, first.remaining, time.time() + first.reset_s)
        return (template(self.policies, counted, first.policy) % numbers).encode()

    def headers(self) -> list[Header]:
        """Return the same headers one by one."""
        return [(name, value) for name, _, value in (line.partition(b": ") for line in self.lines().splitlines())]


@lru_cache(maxsize=1_000)
def _policy_line(policies: tuple[Policy, ...]) -> str:
    told = ", ".join(f'"{policy.name}";q={policy.limit};w={WINDOW_S}' for policy in policies if policy.limit)
    return f"{_POLICIES}: {told}\r\n" if told else ""


@lru_cache(maxsize=1_000)
def template(policies: tuple[Policy, ...], counted: tuple[Policy, ...], policy: Policy) -> str:
    """Return all lines, with places for the numbers that differ: what is left of each policy that counts, and of one.

    Every answer has them, and to write them one by one costs three times as much.
    """
    remainders = ", ".join(f'"{item.name}";r=%d;t=%d' for item in counted)
    lines = (f"{_REMAINDERS}: {remainders}", f"{_LIMIT}: {policy.limit}", f"{_REMAINING}: %d", f"{_RESET}: %d", "")
    return _policy_line(policies) + "\r\n".join(lines)


def told_limits() -> ToldLimits:
    """Return what is to be told of the request that this code serves."""
    request = served_request()
    return request if isinstance(request, ToldLimits) else ToldLimits()
