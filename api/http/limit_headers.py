"""The headers that tell clients their limits, and what the code that serves a request learns of them.

`RateLimit` and `RateLimit-Policy` are those of draft-ietf-httpapi-ratelimit-headers-11, which may still change; clients
know the older `X-RateLimit-…` and `Retry-After`.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache

from domain.request_limits import WINDOW_S, Policy, Standing

Header = tuple[bytes, bytes]
HEADER_NAMES = ("RateLimit-Policy", "RateLimit", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")
_POLICIES, _REMAINDERS, _LIMIT, _REMAINING, _RESET = (name.lower().encode() for name in HEADER_NAMES)


class ToldLimits:
    """The limits of a request's caller: its policies, and the remaining uses under each that counts it."""

    __slots__ = ("policies", "standings")

    def __init__(self) -> None:
        self.policies: tuple[Policy, ...] = ()
        self.standings: list[Standing] = []

    def headers(self) -> list[Header]:
        """Return the headers. The older ones can tell one policy: the one that refuses, or else the requests'."""
        headers = _policy_headers(self.policies)
        if self.standings:
            remainders = [f'"{item.policy.name}";r={item.remaining};t={item.reset_s}' for item in self.standings]
            first = next((item for item in self.standings if item.retry_after is not None), self.standings[0])
            headers = [
                *headers,
                (_REMAINDERS, ", ".join(remainders).encode()),
                (_LIMIT, b"%d" % first.policy.limit),
                (_REMAINING, b"%d" % first.remaining),
                (_RESET, b"%d" % (time.time() + first.reset_s)),
            ]
        return headers


@lru_cache(maxsize=1_000)
def _policy_headers(policies: tuple[Policy, ...]) -> list[Header]:
    told = ", ".join(f'"{policy.name}";q={policy.limit};w={WINDOW_S}' for policy in policies if policy.limit)
    return [(_POLICIES, told.encode())] if told else []


_TOLD: ContextVar[ToldLimits | None] = ContextVar("told_limits", default=None)


def told_limits() -> ToldLimits:
    """Return what is to be told of the request that this code serves."""
    return _TOLD.get() or ToldLimits()


@contextmanager
def telling_limits() -> Iterator[ToldLimits]:
    """Collect what the code in the block, and tasks that it starts, learn of the caller's limits."""
    told = ToldLimits()
    token = _TOLD.set(told)
    try:
        yield told
    finally:
        _TOLD.reset(token)
