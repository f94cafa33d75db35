"""The headers that tell clients their limits, and what the code that serves a request learns of them.

`RateLimit` and `RateLimit-Policy` are those of draft-ietf-httpapi-ratelimit-headers-11, which may still change; clients
know the older `X-RateLimit-…` and `Retry-After`.
"""

import time
from contextvars import ContextVar, Token
from functools import lru_cache
from typing import Self

from domain.request_limits import WINDOW_S, Policy, Standing

Header = tuple[bytes, bytes]
HEADER_NAMES = ("RateLimit-Policy", "RateLimit", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")
_POLICIES, _REMAINDERS, _LIMIT, _REMAINING, _RESET = (name.lower() for name in HEADER_NAMES)


class ToldLimits:
    """The limits of a request's caller: its policies, and the remaining uses under each that counts it.

    The code in its block, and tasks that it starts, add to them.
    """

    __slots__ = ("_token", "policies", "standings")

    def __init__(self) -> None:
        self.policies: tuple[Policy, ...] = ()
        self.standings: list[Standing] = []

    def __enter__(self) -> Self:
        """Collect what the code in the block learns of the caller's limits."""
        self._token: Token[ToldLimits | None] = _TOLD.set(self)
        return self

    def __exit__(self, *_: object) -> None:
        """Collect no more."""
        _TOLD.reset(self._token)

    def lines(self) -> bytes:
        """Return the headers as lines of an answer's head.

        The older ones can tell one policy: the one that refuses, or else the requests'.
        """
        if not self.standings:
            return _policy_line(self.policies).encode()
        first = self.standings[0]
        remainders = _remainder(first)
        for item in self.standings[1:]:
            remainders = f"{remainders}, {_remainder(item)}"
            if first.retry_after is None and item.retry_after is not None:
                first = item
        policy, remaining, reset_s, _ = first
        return (_template(self.policies, policy) % (remainders, remaining, time.time() + reset_s)).encode()

    def headers(self) -> list[Header]:
        """Return the same headers one by one."""
        return [(name, value) for name, _, value in (line.partition(b": ") for line in self.lines().splitlines())]


def _remainder(standing: Standing) -> str:
    policy, remaining, reset_s, _ = standing
    return f'"{policy[0]}";r={remaining};t={reset_s}'


@lru_cache(maxsize=1_000)
def _policy_line(policies: tuple[Policy, ...]) -> str:
    told = ", ".join(f'"{policy.name}";q={policy.limit};w={WINDOW_S}' for policy in policies if policy.limit)
    return f"{_POLICIES}: {told}\r\n" if told else ""


@lru_cache(maxsize=1_000)
def _template(policies: tuple[Policy, ...], policy: Policy) -> str:
    """Return all lines, with places for what differs.

    Every answer has them, and to write them one by one costs three times as much.
    """
    lines = (f"{_REMAINDERS}: %s", f"{_LIMIT}: {policy.limit}", f"{_REMAINING}: %d", f"{_RESET}: %d", "")
    return _policy_line(policies) + "\r\n".join(lines)


_TOLD: ContextVar[ToldLimits | None] = ContextVar("told_limits", default=None)


def told_limits() -> ToldLimits:
    """Return what is to be told of the request that this code serves."""
    return _TOLD.get() or ToldLimits()
