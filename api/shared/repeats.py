"""Repeats of a request with an Idempotency-Key that come while it is answered: they share what they read."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from domain.errors import Problem, TooManyRequests
from store.posts.idempotency import KeyedRequest

MOST_REPEATS = 100
"""Requests with the same key and body that one process answers at a time."""
_TOO_MANY = Problem("Too many requests with this Idempotency-Key are being answered; please wait", "rate_limited")

T = TypeVar("T")


class Repeats:
    """The requests with a key that one process is answering."""

    def __init__(self, most: int = MOST_REPEATS) -> None:
        self._most = most
        self._answering = Counter[KeyedRequest]()
        self._running: dict[tuple[KeyedRequest, str], asyncio.Task[Any]] = {}
        self._next: dict[tuple[KeyedRequest, str], asyncio.Task[Any]] = {}

    @contextmanager
    def answering(self, request: KeyedRequest | None) -> Iterator[bool]:
        """Count a request until the block ends; yields whether it is a repeat of one that is being answered.

        Raises TooManyRequests.
        """
        if request is None:
            yield False
            return
        others = self._answering[request]
        if others >= self._most:
            raise TooManyRequests(_TOO_MANY, retry_after=1)
        self._answering[request] += 1
        try:
            yield others > 0
        finally:
            self._answering[request] -= 1
            if not self._answering[request]:
                del self._answering[request]

    async def share(self, request: KeyedRequest | None, name: str, read: Callable[[], Awaitable[T]]) -> T:
        """Return what `read` returns; repeats of a request that ask for the same `name` share one read.

        The read begins after it is asked for, so that it sees what the caller was notified of.
        """
        if request is None or self._answering[request] <= 1:
            return await read()
        task: asyncio.Task[T] | None = self._next.get((request, name))
        if task is None:
            task = asyncio.create_task(self._read((request, name), read))
            # If the clients of all repeats are gone, no request reads its error.
            task.add_done_callback(lambda task: task.cancelled() or task.exception())
            self._next[request, name] = task
        return await asyncio.shield(task)

    async def _read(self, name: tuple[KeyedRequest, str], read: Callable[[], Awaitable[T]]) -> T:
        if earlier := self._running.get(name):
            await asyncio.wait({earlier})
        self._running[name] = self._next.pop(name)
        try:
            return await read()
        finally:
            del self._running[name]
