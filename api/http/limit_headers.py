"""The headers that tell clients their limits, and what the code that serves a request learns of them.

`RateLimit` and `RateLimit-Policy` are those of draft-ietf-httpapi-ratelimit-headers-11, which may still change; clients
know the older `X-RateLimit-…` and `Retry-After`.
"""

import time
from contextvars import ContextVar, Token
from functools import lru_cache
from typing import Self

from domain.request_limits import WINDOW_S, Policy, PolicyName, Standing

Header = tuple[bytes, bytes]
HEADER_NAMES = ("RateLimit-Policy", "RateLimit", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")
_POLICIES, _REMAINDERS, _LIMIT, _REMAINING, _RESET = (name.lower().encode() for name in HEADER_NAMES)
_REMAINDER = {name: f'"{name}";r=%d;t=%d'.encode() for name in PolicyName}


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

    def headers(self) -> list[Header]:
        """Return the headers. The older ones can tell one policy: the one that refuses, or else the requests'."""
        if not self.standings:
            return _policy_headers(self.policies)
        first = self.standings[0]
        for item in self.standings:
            if item.retry_after is not None:
                first = item
                break
        remainders = [_REMAINDER[item.policy.name] % (item.remaining, item.reset_s) for item in self.standings]
        return [
            *_policy_headers(self.policies),
            (_REMAINDERS, b", ".join(remainders)),
            (_LIMIT, b"%d" % first.policy.limit),
            (_REMAINING, b"%d" % first.remaining),
            (_RESET, b"%d" % (time.time() + first.reset_s)),
        ]


@lru_cache(maxsize=1_000)
def _policy_headers(policies: tuple[Policy, ...]) -> list[Header]:
    told = ", ".join(f'"{policy.name}";q={policy.limit};w={WINDOW_S}' for policy in policies if policy.limit)
    return [(_POLICIES, told.encode())] if told else []


_TOLD: ContextVar[ToldLimits | None] = ContextVar("told_limits", default=None)


def told_limits() -> ToldLimits:
    """Return what is to be told of the request that this code serves."""
    return _TOLD.get() or ToldLimits()
