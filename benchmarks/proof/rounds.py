"""Run rounds: posts of many cells in flight together, one crash over all of them, and a verdict on each."""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Any

from benchmarks.proof.accounts import Accounts
from benchmarks.proof.cells import Cell, Crash, Mode
from benchmarks.proof.crashes import Strike
from benchmarks.proof.faults import programs
from benchmarks.proof.networks import platform_of
from benchmarks.proof.posts import Client, Post, now
from benchmarks.proof.product import Product
from benchmarks.proof.verdict import Facts, Kind, judge

_ROUND_PATIENCE = 110.0
"""Seconds after which the next round begins although some posts are still looked up on slow networks."""
_LAST_PATIENCE = 300.0
_TRIES = 4
_FEWEST = 30
_CREATES_A_SECOND = 40

_STATE = """
SELECT p.id, p.status, t.status, (SELECT count(*) FROM revisions r WHERE r.post_id = p.id AND r.state = 'waiting')
FROM posts p JOIN targets t ON t.post_id = p.id WHERE p.id = ANY($1)
"""
_RESTS = frozenset({"published", "failed", "partial"})


class Proof:
    """Run cells on a product and keep what became of each."""

    def __init__(self, product: Product, say: Callable[[str], None]) -> None:
        self._product = product
        self._accounts = Accounts(product)
        self._client = Client(product)
        self._say = say
        self._began = now()
        self._open: list[Post] = []
        self.posts: list[Post] = []
        """Those that have a verdict."""

    async def run(self, cells: Iterable[Cell], most: int) -> None:
        """Run all cells, crash by crash, at most so many together."""
        by_crash: dict[Crash, list[Cell]] = {}
        for cell in cells:
            by_crash.setdefault(cell.crash, []).append(cell)
        for crash, all_of_it in by_crash.items():
            waiting, together = [(cell, 1) for cell in all_of_it], most
            while waiting:
                batch, waiting = waiting[:together], waiting[together:]
                missed = await self._round(crash, batch)
                if missed:
                    # A machine that is busy brings fewer to the point in time.
                    together = max(len(batch) - len(missed), _FEWEST)
                    self._say(f"{len(missed)} were not at the point; again, {together} together")
                waiting += missed
        await self._settle(self._open, _LAST_PATIENCE)
        await self._judge(self._open)

    async def _round(self, crash: Crash, cells: Sequence[tuple[Cell, int]]) -> list[tuple[Cell, int]]:
        """Run one round of cells and their tries; returns those that the crash missed, to be run again."""
        lent = await self._accounts.lend(cell.network for cell, _ in cells)
        posts = [Post(cell, account, tries=tries) for (cell, tries), account in zip(cells, lent, strict=True)]
        self._say(f"{crash}: {len(posts)} posts")
        await asyncio.gather(*(self._client.set_up(post) for post in posts))
        strike = Strike(self._product, crash, posts, self._say)
        began = now()
        for post in posts:
            for program in programs(post):
                await self._product.control("POST", "faults", program)
        watching = asyncio.create_task(strike.watch(began))
        try:
            async with strike.around_the_start():
                asking = asyncio.create_task(self._ask(posts))
                await asyncio.sleep(0)
            await asking
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
        for post in self._open:
            post.later.append(crash)
        again = [(post.cell, post.tries + 1) for post in posts if not post.struck and post.tries < _TRIES]
        self._open += posts
        await self._settle(self._open, _ROUND_PATIENCE)
        await self._judge([post for post in self._open if post.status])
        return again

    async def _ask(self, posts: Sequence[Post]) -> None:
        """Set everything in motion: what is scheduled first, due when the rest is asked for."""
        scheduled = [post for post in posts if post.cell.mode is Mode.SCHEDULED]
        due = now() + timedelta(seconds=3 + len(scheduled) / _CREATES_A_SECOND)
        creating = [asyncio.create_task(self._client.schedule(post, due)) for post in scheduled]
        if scheduled and posts[0].cell.crash is not Crash.ROW:
            await asyncio.sleep((due - now()).total_seconds())
        asking = [self._client.ask(post) for post in posts if post.cell.mode is not Mode.SCHEDULED]
        await asyncio.gather(*creating, *asking)

    async def _settle(self, posts: Sequence[Post], patience: float) -> None:
        """Wait until posts are at rest; marks those that are with their target's status."""
        deadline, told = time.monotonic() + patience, 0.0
        while time.monotonic() < deadline:
            found = await self._product.rows(_STATE, [post.post_id for post in posts])
            resting = {
                post_id: target for post_id, status, target, waiting in found if status in _RESTS and not waiting
            }
            for post in posts:
                post.status = resting.get(post.post_id or "", "")
            if len(resting) == len(posts):
                break
            if time.monotonic() - told > 15:
                told = time.monotonic()
                self._say(f"{len(resting)} of {len(posts)} settled")
            await asyncio.sleep(1)

    async def _judge(self, posts: Sequence[Post]) -> None:
        shown = (await self._product.control("GET", "posts", since=self._began.isoformat()))["posts"]
        for post in posts:
            mine = [each for each in shown if post.mark in each["text"] and not each["deleted"]]
            current = [(each["platformPostId"], each["text"]) for each in mine if each["supersededBy"] is None]
            facts = _facts(post, await self._client.read(post), current)
            post.status, post.public = facts.status, len(current)
            post.verdict = judge(post.cell, facts, post.new_text)
            await self._product.control(
                "DELETE", "faults", platform=platform_of(post.cell.network), accountId=post.account_id
            )
            self._accounts.give_back(post.cell.network, post.account_id)
            if post.verdict.kind is not Kind.MISSED or post.tries == _TRIES:
                self.posts.append(post)
        self._open = [post for post in self._open if post.verdict is None]


def _facts(post: Post, told: dict[str, Any], current: list[tuple[str, str]]) -> Facts:
    target = told["platforms"][0]
    return Facts(
        status=target["status"],
        category=target.get("errorCategory"),
        platform_post_id=target["platformPostId"],
        content=target["content"],
        public=current,
        struck=post.struck,
        settled=bool(post.status),
    )
