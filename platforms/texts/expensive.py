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
CHARACTERS_OF_PIECE = 50_000
"""Characters that they may read before others have their turn; one text more may be read."""


class TooMuchText(Exception):
    """Error: the texts of one request exceed what its checks may read."""


class PieceEnds(Exception):
    """Signal that a piece of work has read enough: it is repeated, and finds what was computed in the cache."""


class _Request:
    def __init__(self, most: int, piece: int) -> None:
        self._remaining = most
        self._piece = piece
        self._read_in_piece = 0
        self._results: dict[Any, Any] = {}

    def result(self, key: Any, characters: int, compute: Callable[[], T]) -> T:
        if key not in self._results:
            if characters > self._remaining:
                raise TooMuchText
            if self._read_in_piece >= self._piece:
                self._read_in_piece = 0
                raise PieceEnds
            self._remaining -= characters
            self._read_in_piece += characters
            self._results[key] = compute()
        computed: T = self._results[key]
        return computed


_request: ContextVar[_Request | None] = ContextVar("request", default=None)


@contextmanager
def one_request(most: int = MOST_CHARACTERS, piece: int = MOST_CHARACTERS) -> Iterator[None]:
    """Cache the results of expensive functions until the block ends.

    Within the block they raise TooMuchText once they would have to read more than `most` characters, and PieceEnds
    each time that they have read `piece` characters.
    """
    token = _request.set(_Request(most, piece))
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
