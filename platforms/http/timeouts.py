"""How long a request to a network may take, by the size of its body.

A network answers a request that carries a file only once it has stored the file, which takes it up to some minutes.
"""

import httpx

_CONNECT_S = 10.0
_WRITE_S = 30.0
"""For each piece of the body."""
_QUIET_S = 30.0
"""From the end of the request to the first byte of the answer, and from byte to byte."""
_ANSWER_S = 60.0
"""From the end of the request to the end of the answer."""
_MOST_MORE_S = 240.0
_BYTES_A_SECOND = 50_000
"""How fast a network stores a file at least; our choice. A file of 12 MB is given all of _MOST_MORE_S."""

LONGEST_ANSWER_S = _ANSWER_S + _MOST_MORE_S
"""How long a network may work at a request at most, once it has all of it. A step has `activities.options.STEP_TIMEOUT`
for its requests, and its heartbeats go on meanwhile."""

WAITING = httpx.Timeout(None, connect=5.0, pool=5.0)
"""Those of a request for tokens: its answer must not be lost, so whoever asks bounds the time."""


def for_body(size: int) -> httpx.Timeout:
    """Return the timeouts of a request whose body has this many bytes."""
    return httpx.Timeout(connect=_CONNECT_S, pool=_CONNECT_S, write=_WRITE_S, read=_QUIET_S + _more(size))


def answer_within(size: int) -> float:
    """Return how many seconds a whole answer may take, from the end of a request whose body has this many bytes."""
    return _ANSWER_S + _more(size)


def _more(size: int) -> float:
    return min(size / _BYTES_A_SECOND, _MOST_MORE_S)
