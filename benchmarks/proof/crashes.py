"""Kill parts of the product at exact points, from outside: by what the network has seen, and by database locks."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime

from benchmarks.proof.cells import Crash, Mode
from benchmarks.proof.faults import HOLD, answered_after, point
from benchmarks.proof.networks import platform_of
from benchmarks.proof.posts import Post
from benchmarks.proof.product import Product

_POLL = 0.3
_MARGIN = 2.0
_SETTLE = 1.5
"""Seconds between the last sign that we can see from outside and the kill."""
_LONGEST_START = 40.0

PARTS: dict[Crash, tuple[str, ...]] = {
    Crash.NONE: (),
    Crash.BEFORE: ("worker",),
    Crash.SENDING: ("worker",),
    Crash.UNRECORDED: ("worker",),
    Crash.UPLOADING: ("worker",),
    # Temporal dies after the API, lest it find the start in its socket when it wakes.
    Crash.ROW: ("api", "temporal"),
    Crash.ANSWER: ("api",),
    Crash.TEMPORAL: ("temporal",),
    Crash.POSTGRES: ("postgres",),
    Crash.EVERYTHING: ("api", "worker", "temporal", "postgres"),
}

Say = Callable[[str], None]


class Strike:
    """Be one crash over posts that are in flight together."""

    def __init__(self, product: Product, crash: Crash, posts: Sequence[Post], say: Say) -> None:
        self._product = product
        self._crash = crash
        self._posts = posts
        self._say = say

    @asynccontextmanager
    async def around_the_start(self) -> AsyncIterator[None]:
        """Do what must be so before the posts are set in motion; leaving the block strikes."""
        async with AsyncExitStack() as stack:
            if self._crash is Crash.BEFORE:
                await stack.enter_async_context(self._product.no_attempt_can_be_written())
            if self._crash is Crash.ROW:
                self._product.signal(signal.SIGSTOP, "temporal")
            yield
            killed_at = time.monotonic()
            match self._crash:
                case Crash.NONE:
                    return
                case Crash.BEFORE:
                    await self._claims_wait()
                case Crash.ROW:
                    await self._rows_stand()
                case Crash.UNRECORDED:
                    killed_at = await self._until(self._reached)
                    await stack.enter_async_context(self._product.no_attempt_can_be_written())
                    await self._answers_are_out()
                case Crash.EVERYTHING:
                    killed_at = await self._until(self._reached, share=0.5)
                case _:
                    killed_at = await self._until(self._reached)
            had = self._kill(killed_at)
        self._say(f"{' and '.join(had)} killed; back after {await self._product.back(had):.1f} s")

    def _kill(self, looked_at: float) -> dict[str, int | None]:
        first, *rest = PARTS[self._crash]
        if self._crash is Crash.EVERYTHING:
            had = self._product.kill(first, *rest)
        else:
            had = self._product.kill(first) | (self._product.kill(*rest) if rest else {})
        if self._crash not in {Crash.BEFORE, Crash.ROW, Crash.EVERYTHING}:
            for post in self._posts:
                post.struck = post.arrived is not None and looked_at - post.arrived < HOLD - 0.5
        return had

    async def watch(self, since: datetime) -> None:
        """Note when each post's request reaches the network, until cancelled."""
        by_account = {(platform_of(post.cell.network), post.account_id): post for post in self._posts}
        while True:
            asked = time.monotonic()
            found = await self._product.control("GET", "requests", since=since.isoformat())
            for request in found["requests"]:
                post = by_account.get((request["platform"], request["accountId"]))
                if post and post.arrived is None and point(post) in (None, request["operation"]):
                    post.arrived = asked
            await asyncio.sleep(_POLL)

    def _reached(self) -> int:
        return sum(post.arrived is not None for post in self._posts)

    async def _until(self, reached: Callable[[], int], share: float = 1.0) -> float:
        """Wait until that share is there, yet no longer than the first of them is held; returns when we looked."""
        began = time.monotonic()
        while reached() < share * len(self._posts):
            now = time.monotonic()
            first = min((post.arrived for post in self._posts if post.arrived is not None), default=None)
            if now - (first or now) > HOLD - _MARGIN or now - began > _LONGEST_START:
                break
            await asyncio.sleep(0.05)
        self._say(f"{reached()} of {len(self._posts)} at the point")
        await asyncio.sleep(0.2)
        return time.monotonic()

    async def _answers_are_out(self) -> None:
        """Wait until every answer has come or its sender has stopped waiting; what it came to cannot be recorded."""
        ends = [post.arrived + answered_after(post) for post in self._posts if post.arrived is not None]
        await asyncio.sleep(max(max(ends, default=0.0) - time.monotonic(), 0) + _SETTLE)

    async def _claims_wait(self) -> None:
        """Wait until workers stand before the lock: whatever has begun by then cannot have been sent."""
        began = time.monotonic()
        query = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'attempts'::regclass"
        wanted = min(len(self._posts), 15)
        while time.monotonic() - began < _LONGEST_START:
            if (await self._product.rows(query))[0][0] >= wanted:
                break
            await asyncio.sleep(0.2)
        await asyncio.sleep(_SETTLE)

    async def _rows_stand(self) -> None:
        """Wait until every post that is created has its row, and Temporal, which stands still, has none of them."""
        keys = [post.key for post in self._posts if post.cell.mode in {Mode.NOW, Mode.SCHEDULED}]
        began = time.monotonic()
        query = "SELECT key, post_id FROM idempotency_keys WHERE key = ANY($1)"
        while time.monotonic() - began < HOLD:
            if len(await self._product.rows(query, keys)) == len(keys):
                break
            await asyncio.sleep(_POLL)
        await asyncio.sleep(_SETTLE)
