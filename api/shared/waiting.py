"""Wait, as long as a client wants, until a post is at rest; limit concurrent requests, and let repeats share reads."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar

from api.http.headers import DEFAULT_WAIT_S
from domain.errors import Problem, TooManyRequests
from domain.shares import Shares, TooManyWaiting, Turns
from store.posts.idempotency import KeyedRequest

MOST_WAITING = 1_000
"""Requests of one workspace that may wait for outcomes at a time, in one process: half of its connections."""


MOST_CHECKS, MOST_CHECKS_OF_ONE = 20, 2
"""Validations that look at files at a time in one process: in all, and of one workspace; our choice."""
TOO_MANY_CHECKS = Problem("Files of other validations are being checked; please wait", "rate_limited")
MOST_COUNTS, MOST_COUNTS_OF_ONE = 6, 2
"""Requests that count posts at a time in one process: each may keep PostgreSQL busy for seconds. Our choice."""
TOO_MANY_COUNTS = Problem("Other requests of this workspace are counting posts; please wait", "rate_limited")

MOST_IMPORTS, MOST_IMPORTS_OF_ONE = 2, 1
"""Imports at a time in one process: in all, and of one workspace. The worst body becomes some 300 MB of objects, as
measured, and the API's container has 1 GB."""
TOO_MANY_IMPORTS = Problem(
    "Another import is being carried out; send this one again when it is done, with the same Idempotency-Key",
    "rate_limited",
)
_LONGEST_TURN_S = 10.0
"""Seconds that an import waits for others before it is refused."""
_MOST_IN_TURN = 4
"""Imports of a workspace that wait so in one process."""
MOST_WRITERS, MOST_WRITERS_OF_ONE = 16, 4
"""Requests that bring files at a time in one process: in all, and of one workspace; our choice."""
TOO_MANY_WRITERS = Problem("Other files are being uploaded; please send this one a little later", "rate_limited")


class Deadline:
    """The seconds that one request may wait, counted from its beginning.

    `preferred` are the seconds that the client asked for, if any. `granted` is false if its workspace has so many
    waiting requests that it gets none.
    """

    def __init__(self, seconds: float, *, preferred: int | None = None, granted: bool = True) -> None:
        self.granted = granted
        self.applied_preference = preferred if granted else None
        self._end = asyncio.get_running_loop().time() + seconds

    @property
    def seconds_left(self) -> float:
        """Return the seconds that are left."""
        return max(0.0, self._end - asyncio.get_running_loop().time())


class ConcurrentRequests:
    """Expensive requests of one kind that run now, limited in all and for each workspace, in each API process.

    `problem` and `retry_after`: how one beyond the limits is refused.
    """

    def __init__(self, most: int, most_of_one: int, problem: Problem, retry_after: int) -> None:
        self._turns = Turns(Shares(most, most_of_one, leaves_room=False), _MOST_IN_TURN)
        self._problem, self._retry_after = problem, retry_after

    @contextmanager
    def take(self, workspace_id: str) -> Iterator[None]:
        """Count one more request for the length of the block. Raises TooManyRequests."""
        share = self._turns.take_now(workspace_id)
        if share is None:
            raise TooManyRequests(self._problem, self._retry_after)
        try:
            yield
        finally:
            self._turns.release(share)

    @asynccontextmanager
    async def take_in_turn(self, workspace_id: str) -> AsyncIterator[None]:
        """Count one more request as `take` does, after some seconds of waiting for others if there are any."""
        try:
            async with asyncio.timeout(_LONGEST_TURN_S):
                share = await self._turns.take(workspace_id)
        except (TimeoutError, TooManyWaiting):
            raise TooManyRequests(self._problem, self._retry_after) from None
        try:
            yield
        finally:
            self._turns.release(share)


class WaitingRequests:
    """The waiting requests of each workspace. One beyond the limit is answered with the post as it is."""

    def __init__(self, most: int = MOST_WAITING) -> None:
        self._most = most
        self._waiting: Counter[str] = Counter()

    @contextmanager
    def deadline(self, holder: str, preferred: int | None, most: int | None = None) -> Iterator[Deadline]:
        """Yield a request's deadline, `preferred` seconds from now, else 25. It counts until the block ends.

        `holder` is a workspace, or a kind of its requests of which at most `most` may wait.
        """
        seconds = DEFAULT_WAIT_S if preferred is None else preferred
        counts = int(seconds > 0)
        self._waiting[holder] += counts
        granted = self._waiting[holder] <= (self._most if most is None else most)
        try:
            yield Deadline(seconds if granted else 0, preferred=preferred, granted=granted)
        finally:
            self._waiting[holder] -= counts
            if not self._waiting[holder]:
                del self._waiting[holder]


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
