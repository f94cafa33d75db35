"""Decisions about repeating requests, for both transports. Nothing here waits or sends."""

from __future__ import annotations

import logging
import random
import re
from dataclasses import dataclass

import httpx

from socialsyncer_client.errors import ConnectionFailed, read_retry_after

_log = logging.getLogger("socialsyncer_client")
IDEMPOTENCY_KEY = "Idempotency-Key"
LONGEST_WAIT_S = 60.0
"""A `Retry-After` or a limit that lasts longer is left to the caller."""
_FIRST_WAIT_S = 0.5
_REPEATABLE_STATUSES = {408, 429, 500, 502, 503, 504}
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
# draft-ietf-httpapi-ratelimit-headers-11: "requests" is the policy that each request counts for. `t` says when all of
# them are there again, so the time until the next one comes from the policy.
_COMPLETION = re.compile(r"/v1/media/(multipart/)?[^/]+/complete$")
_USED_UP = re.compile(r'"requests"\s*;\s*r=0(?!\d)')
_POLICY = re.compile(r'"requests"\s*;\s*q=(\d{1,9})\s*;\s*w=(\d{1,6})(?!\d)')


@dataclass(frozen=True)
class Retries:
    """The number of attempts, and the rules for the time between them."""

    attempts: int = 4
    max_wait: float = LONGEST_WAIT_S

    def wait_after(self, request: httpx.Request, attempt: int, response: httpx.Response | None) -> float | None:
        """Return the seconds until the next attempt, or None if there is none.

        A request is repeated only if a repeat has no second effect: it reads, puts a part of a file, or has an
        Idempotency-Key. `response` is None if none has come.
        """
        if attempt >= self.attempts or not is_repeatable(request):
            return None
        if response is None:
            return min(_random_wait(attempt), self.max_wait)
        if response.status_code not in _REPEATABLE_STATUSES:
            return None
        named = read_retry_after(response.headers)
        if named is None:
            return min(_random_wait(attempt), self.max_wait)
        return named if named <= self.max_wait else None

    @property
    def longest_pause(self) -> float:
        """Return the seconds for which a request may wait for its limit before it is sent."""
        return self.max_wait if self.attempts > 1 else 0.0


def log_repeat(request: httpx.Request, attempt: int, wait_s: float) -> None:
    """Log that a request is sent once more. Its query may be private."""
    _log.info("%s %s is repeated in %.1f s after attempt %d", request.method, request.url.path, wait_s, attempt)


def is_repeatable(request: httpx.Request) -> bool:
    """Return whether a repeat of the request has no second effect."""
    is_completion = _COMPLETION.search(request.url.path) is not None
    return request.method in {"GET", "HEAD", "PUT"} or IDEMPOTENCY_KEY in request.headers or is_completion


class LimitPace:
    """The times at which a client's requests begin while its key's limit is used up: one by one, as they come back.

    Without it, requests that run side by side would all come back in the same moment, and all but one be refused again.
    """

    def __init__(self, longest: float = LONGEST_WAIT_S) -> None:
        self._longest = longest
        self._next_at = 0.0
        self._interval_s = 0.0

    def wait_s(self, now: float) -> float:
        """Return the seconds until a request may begin, and reserve its turn.

        If that is too long, the request is sent: the service refuses it with its `Retry-After`.
        """
        wait = max(0.0, self._next_at - now)
        if wait > self._longest:
            return 0.0
        self._next_at = now + wait + self._interval_s
        return wait

    def learn(self, response: httpx.Response, now: float) -> None:
        """Read from an answer whether the limit is used up."""
        remaining = response.headers.get("RateLimit", "")
        if _USED_UP.search(remaining):
            policy = _POLICY.search(response.headers.get("RateLimit-Policy", ""))
            seconds = int(policy[2]) / max(1, int(policy[1])) if policy else 1.0
            self._interval_s = min(seconds, LONGEST_WAIT_S)
            self._next_at = max(self._next_at, now + self._interval_s)
        elif remaining:
            self._interval_s = 0.0


def connection_failed(error: httpx.TransportError, request: httpx.Request) -> ConnectionFailed:
    """Return the exception for a request that got no answer. It names no query, which may be private."""
    sent = not isinstance(error, _NOT_SENT)
    reason = type(error).__name__
    may_be = " It may have been carried out." if sent and request.method not in {"GET", "HEAD"} else ""
    # The frames of the HTTP library hold the request's bytes, and the key with them: error trackers show those.
    cause: BaseException | None = error
    while cause is not None:
        cause = cause.with_traceback(None).__context__
    return ConnectionFailed(f"{request.method} {request.url.path} got no answer ({reason}).{may_be}", sent=sent)


def _random_wait(attempt: int) -> float:
    # Clients that failed together must not come back together.
    return _FIRST_WAIT_S * 2.0 ** (attempt - 1) * random.uniform(0.5, 1.5)  # noqa: S311  no secret
