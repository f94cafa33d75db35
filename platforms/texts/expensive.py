"""Functions of a text that cost more than reading it: cached within one request, and bounded in total."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

MOST_CHARACTERS = 200_000
"""Most characters that expensive functions may read for one request. X's grammar of links needs 1 µs for each."""


class TooMuchText(Exception):
    """Error: the texts of one request exceed what its checks may read."""


class _Request:
    def __init__(self, most: int) -> None:
        self._remaining = most
        self._results: dict[Any, Any] = {}

    def result(self, key: Any, characters: int, compute: Callable[[], T]) -> T:
        if key not in self._results:
            if characters > self._remaining:
                raise TooMuchText
            self._remaining -= characters
            self._results[key] = compute()
        computed: T = self._results[key]
        return computed


_request: ContextVar[_Request | None] = ContextVar("request", default=None)


@contextmanager
def one_request(most: int = MOST_CHARACTERS) -> Iterator[None]:
    """Cache the results of expensive functions until the block ends.

    Within the block they raise TooMuchText once they would have to read more than `most` characters.
    """
    token = _request.set(_Request(most))
    try:
        yield
    finally:
        _request.reset(token)


def expensive(function: Callable[Concatenate[str, P], T]) -> Callable[Concatenate[str, P], T]:
    """Mark a function of a text, and of hashable arguments, whose results are cached within `one_request`."""

    @wraps(function)
    def shared(text: str, /, *args: P.args, **kwargs: P.kwargs) -> T:
        request = _request.get()
        if request is None:
            return function(text, *args, **kwargs)
        key = (function, text, args, *sorted(kwargs.items()))
        return request.result(key, len(text), lambda: function(text, *args, **kwargs))

    return shared
