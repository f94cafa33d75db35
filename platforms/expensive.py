"""Functions of a text that cost more than reading it: done once for a text within a request, and bounded in all."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

MOST_CHARACTERS = 200_000
"""Characters that expensive functions may read for one request. X's grammar of links needs 1 microsecond for each."""


class TooMuchText(Exception):
    """The texts of one request exceed what its checks may read."""


class _Request:
    def __init__(self, most: int) -> None:
        self._left = most
        self._results: dict[Any, Any] = {}

    def result(self, key: Any, characters: int, compute: Callable[[], T]) -> T:
        if key not in self._results:
            if characters > self._left:
                raise TooMuchText
            self._left -= characters
            self._results[key] = compute()
        found: T = self._results[key]
        return found


_request: ContextVar[_Request | None] = ContextVar("request", default=None)


@contextmanager
def one_request(most: int = MOST_CHARACTERS) -> Iterator[None]:
    """Let expensive functions remember their results until the block ends.

    Within the block they raise TooMuchText once they would have to read more than `most` characters.
    """
    token = _request.set(_Request(most))
    try:
        yield
    finally:
        _request.reset(token)


def expensive(function: Callable[Concatenate[str, P], T]) -> Callable[Concatenate[str, P], T]:
    """Mark a function of a text, and of hashable arguments, whose results are shared within `one_request`."""

    @wraps(function)
    def shared(text: str, /, *args: P.args, **kwargs: P.kwargs) -> T:
        request = _request.get()
        if request is None:
            return function(text, *args, **kwargs)
        key = (function, text, args, *sorted(kwargs.items()))
        return request.result(key, len(text), lambda: function(text, *args, **kwargs))

    return shared
