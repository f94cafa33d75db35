"""Targets settled a second, with and without notifications of their posts: `uv run python -m benchmarks.settles`.

Sixteen writers settle the targets of posts that requests wait for. PostgreSQL writes to the disk at each commit, and a
connection listens. The floor is the same without notifications, in the same run. Beside both, the function of 0.1.0
notifies within its transaction.
"""

import asyncio
import contextlib
import itertools
import statistics
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from unittest import mock

import asyncpg
from sqlalchemy import make_url

from benchmarks.campaigns.measure import HEAD, Bar, Figure, IdleShare, p99, timed
from domain.attempts import AttemptResult, AttemptState
from domain.ids import new_id
from domain.transitions import AnswerTo, published
from store.announcer import CHANNEL, Announcer
from store.database import Database
from store.models import Post
from store.publishing import sending
from store.workspaces.queries import create_workspace
from tests.databases import new_database
from tests.postgres import postgres_server
from tests.store.publishing.sends import begin, save

_WRITERS, _POSTS, _ROUNDS = 16, 480, 3
_TO_DISK = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
_AFTER, _WITHIN, _SILENT = "after the commit", "within the transaction", "none"


@contextlib.contextmanager
def _notifications(way: str) -> Iterator[None]:
    """Notify in one of three ways for the length of the block."""
    statement = "SELECT *, false AS settled FROM settle_target_v1($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
    with contextlib.ExitStack() as stack:
        if way == _WITHIN:
            stack.enter_context(mock.patch.object(sending, "_SETTLE", statement))
        if way == _SILENT:
            stack.enter_context(mock.patch.object(Announcer, "add", return_value=None))
        yield


class _Listener:
    """The times at which posts were settled and their notifications came."""

    def __init__(self) -> None:
        self.delays: list[float] = []
        self._settled_at: dict[str, float] = {}
        self._heard_at: dict[str, float] = {}

    def hear(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        """Note that a notification has come, perhaps before its writer knew of the commit."""
        self._heard_at[str(payload)] = time.perf_counter()

    def settled(self, post_id: str) -> None:
        """Note that a post is settled."""
        self._settled_at[post_id] = time.perf_counter()

    async def heard_all(self, posts: int) -> list[float]:
        """Wait until as many posts were heard of; return their delays in seconds, and forget them."""
        async with asyncio.timeout(10):
            while len(self._heard_at) < posts:  # noqa: ASYNC110 there is no event
                await asyncio.sleep(0.01)
        delays = [max(at - self._settled_at[post_id], 0) for post_id, at in self._heard_at.items()]
        self._settled_at, self._heard_at = {}, {}
        return delays


async def _settle_all(database: Database, posts: list[Post], listener: _Listener) -> float:
    """Return how many targets were settled a second."""
    waiting = iter([(post.id, post.targets[0].id, await begin(database, post.targets[0])) for post in posts])
    result = AttemptResult(AttemptState.DONE, "a benchmark")

    async def write() -> None:
        for post_id, target_id, attempt in waiting:
            transition = published(datetime.now(UTC), target_id, None, None, None)
            await sending.settle(database, target_id, AnswerTo(attempt.id), transition, result)
            listener.settled(post_id)

    return len(posts) / await timed(lambda: asyncio.gather(*(write() for _ in range(_WRITERS))))


async def _measure(database: Database, listener: _Listener) -> list[Figure]:
    async with database.transaction() as session:
        workspace = await create_workspace(session, new_id("w"))
    rates: dict[str, list[float]] = {way: [] for way in (_AFTER, _WITHIN, _SILENT)}
    delays: dict[str, list[float]] = {_AFTER: [], _WITHIN: []}
    for _, way in itertools.product(range(_ROUNDS), rates):
        posts = [await save(database, workspace, targets=1) for _ in range(_POSTS)]
        with _notifications(way):
            rates[way].append(await _settle_all(database, posts, listener))
        heard = await listener.heard_all(0 if way == _SILENT else _POSTS)
        delays.get(way, []).extend(heard)
    after, within, silent = (statistics.median(rates[way]) for way in rates)
    return [
        Figure(f"settled by {_WRITERS} writers, notified {_AFTER}", after, "/s", silent, Bar(least_ratio=0.85)),
        Figure(f"the same, notified {_WITHIN}", within, "/s", silent),
        Figure(f"p99 until heard, {_AFTER}", p99(delays[_AFTER]), "ms", p99(delays[_WITHIN])),
    ]


async def main() -> None:
    """Measure, and print a table."""
    with postgres_server(**_TO_DISK) as server:
        url = await new_database(server)
        database = Database(url, pool_size=_WRITERS)
        listener = _Listener()
        connection = await asyncpg.connect(
            make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        )
        await connection.add_listener(CHANNEL, listener.hear)
        share = IdleShare()
        figures = await _measure(database, listener)
        idle = share.take()
        print(HEAD, *(figure.row(idle) for figure in figures), sep="\n")
        await connection.close()
        await database.close()


if __name__ == "__main__":
    asyncio.run(main())
