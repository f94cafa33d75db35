"""The timeouts of a request to a platform, by the size of its body.

A platform responds to a request with a file only once it has stored the file, which takes up to some minutes.
"""

import httpx

_CONNECT_S = 10.0
_WRITE_S = 30.0
"""For each piece of the body."""
_QUIET_S = 30.0
"""From the end of the request to the first byte of the response, and from byte to byte."""
_ANSWER_S = 60.0
"""From the end of the request to the end of the response."""
_MOST_MORE_S = 240.0
_BYTES_A_SECOND = 50_000
"""How fast a platform stores a file at least; our choice. A file of 12 MB gets all of _MOST_MORE_S."""

LONGEST_ANSWER_S = _ANSWER_S + _MOST_MORE_S
"""How long a platform may process a request at most, once it is fully sent. A step has
`activities.options.STEP_TIMEOUT` for its requests, and its heartbeats continue meanwhile."""

WAITING = httpx.Timeout(None, connect=5.0, pool=5.0)
"""The timeouts of a request for tokens. Its response must not be lost, so the caller limits the time."""


def for_body(size: int) -> httpx.Timeout:
    """Return the timeouts of a request whose body has this many bytes."""
    return httpx.Timeout(connect=_CONNECT_S, pool=_CONNECT_S, write=_WRITE_S, read=_QUIET_S + _more(size))


def answer_within(size: int) -> float:
    """Return how many seconds a whole response may take, from the end of a request whose body has this many bytes."""
    return _ANSWER_S + _more(size)


def _more(size: int) -> float:
    return min(size / _BYTES_A_SECOND, _MOST_MORE_S)
