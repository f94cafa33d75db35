"""Rounds of the proof: posts of many cells in flight together, one crash for all of them, and a verdict on each."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from benchmarks.proof.accounts import Accounts
from benchmarks.proof.cells import FROZEN_WORKER, FROZEN_WRITING, RESTORED, Cell, Crash, Fault, Mode
from benchmarks.proof.crashes import CrashInjection
from benchmarks.proof.faults import LATE, needs_its_owner, programs
from benchmarks.proof.platforms import PLATFORMS, api_name
from benchmarks.proof.posts import Client, Post, facts, now, tried_for
from benchmarks.proof.product import Product
from benchmarks.proof.verdict import VerdictKind, evaluate, public_posts

_ROUND_TIMEOUT_S = 60.0
"""Seconds after which the next crash begins, even if some posts are still unconfirmed on slow platforms."""
_STANDSTILL = 330.0
"""Seconds without any progress after which an unsettled post counts as lost; confirm attempts become rare after a
while.
"""
_OUTAGE_OVER_AFTER = 60.0
"""Seconds after which an operator retries posts after an outage; by themselves they wait for up to ten minutes."""
_CONFIRM_ATTEMPTS = 6
"""Attempts to confirm a post whose absence its platform cannot show; they continue for a day."""
_TRIES = 6
_FEWEST = 30
_NAMED = 5
_CREATES_A_SECOND = 40
_LEAD, _LONG_LEAD = timedelta(seconds=3), timedelta(seconds=20)
_TAKEN_UP_AHEAD = timedelta(seconds=15)
"""How long before it is due a post is scheduled if its worker is frozen: these posts are few, and follow no outage."""
_COPIED_AHEAD = timedelta(seconds=30)
"""How long before it is due a post is scheduled if its stores are copied: their servers are killed and restarted for
it.
"""
_BARRED_AHEAD = timedelta(seconds=3)
"""How long before a scheduled post is due all sends are blocked; by then it is prepared."""
_TAKES = {Crash.NONE: 30.0, Crash.ROW: 20.0, **dict.fromkeys(RESTORED, 80.0)}
_SHOWN_AFTER = timedelta(seconds=LATE + 5)
"""How long after a send a platform that accepts late shows the post at the latest."""
_A_POST_TAKES = 0.15
"""Seconds, roughly; only the order in which stacks end depends on them."""
_MOMENT = timedelta(milliseconds=50)
_WAIT_IN_A_WORKER = 28
"""How many of a worker's 30 database connections can wait with their attempts when it is frozen."""

# An edit whose client got no answer may never have reached the workflow; the repeated one counts.
_STATE = """
SELECT p.id, p.workflow_id, p.status, t.status AS target,
  (SELECT count(*) FROM attempts a WHERE a.target_id = t.id) AS attempts,
  (SELECT count(*) FROM attempts a WHERE a.target_id = t.id AND a.step = 'confirm') AS confirm_attempts,
  (SELECT max(a.started_at) FROM attempts a WHERE a.target_id = t.id AND a.step = 'publish') AS sent_at,
  (SELECT r.state = 'waiting' FROM revisions r WHERE r.post_id = p.id ORDER BY r.id DESC LIMIT 1) AS revised
FROM posts p JOIN targets t ON t.post_id = p.id WHERE p.id = ANY($1)
"""
_RESTS = frozenset({"published", "failed", "partial"})
_WAITS = frozenset({"held", "unconfirmed"})


class Proof:
    """A run of cells on one product, and the outcome of each."""

    def __init__(self, product: Product, say: Callable[[str], None]) -> None:
        self._product = product
        self._accounts = Accounts(product.dev)
        self._client = Client(product)
        self._say = say
        self._began = now()
        self._open: list[Post] = []
        self.posts: list[Post] = []
        """Posts that have a verdict."""
        self.run_again: list[Post] = []
        """Posts that their crash missed."""

    async def run(self, cells: Iterable[Cell], most: int) -> None:
        """Run all cells, crash by crash, at most this many together."""
        for crash, all_of_it in _by_crash(cells).items():
            waiting, together = [(cell, 1) for cell in all_of_it], most
            while waiting:
                batch = next_batch(waiting, together)
                waiting = [cell_and_tries for cell_and_tries in waiting if cell_and_tries not in batch]
                missed = await self._round(crash, batch)
                if missed:
                    # On a busy machine fewer posts reach the point in time.
                    together = max(len(batch) - len(missed), _FEWEST)
                    self._say(f"{len(missed)} were not at the point; again, {together} together")
                waiting += missed
            # A restore would undo the progress of other posts.
            await self._settle(None if crash in RESTORED else 0 if crash in FROZEN_WORKER else _ROUND_TIMEOUT_S)
            await self._evaluate([post for post in self._open if post.status])
        await self._settle(None)
        await self._evaluate(self._open)

    async def _round(self, crash: Crash, cells: Sequence[tuple[Cell, int]]) -> list[tuple[Cell, int]]:
        """Run one round of cells and their tries; return those that the crash missed, to be run again."""
        lent = await self._accounts.lend(cell.platform for cell, _ in cells)
        posts = [Post(cell, account, tries=tries) for (cell, tries), account in zip(cells, lent, strict=True)]
        self._say(f"{crash}: {len(posts)} posts")
        await asyncio.gather(*(self._client.set_up(post) for post in posts))
        for post in posts:
            for program in programs(post.cell, post.account_id):
                await self._product.control("POST", "faults", program)
        injection = CrashInjection(self._product, crash, posts, self._say)
        watching = asyncio.create_task(injection.watch())
        try:
            async with injection.around_the_start():
                asking = asyncio.create_task(self._ask(posts, injection))
                await asyncio.sleep(0)
            await asking
            await asyncio.gather(*(self._client.repeat(post) for post in posts))
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
        if crash is not Crash.NONE:
            for post in self._open:
                post.later.append(crash)
        self._open += posts
        return [(post.cell, post.tries + 1) for post in posts if not post.struck and post.tries < _TRIES]

    async def _ask(self, posts: Sequence[Post], injection: CrashInjection) -> None:
        """Start all posts: the scheduled ones first, due when the others are published."""
        scheduled = [post for post in posts if post.cell.mode is Mode.SCHEDULED]
        due = now() + lead(posts[0].cell.crash) + timedelta(seconds=len(scheduled) / _CREATES_A_SECOND)
        creating = [asyncio.create_task(self._client.schedule(post, due)) for post in scheduled]
        waits = scheduled and posts[0].cell.crash is not Crash.ROW
        if posts[0].cell.crash in RESTORED:
            await asyncio.gather(*creating)
            await injection.copy()
        if waits:
            await asyncio.sleep((due - _BARRED_AHEAD - now()).total_seconds())
        await injection.bar()
        if waits:
            await asyncio.sleep((due - now()).total_seconds())
        asking = [self._client.ask(post) for post in posts if post.cell.mode is not Mode.SCHEDULED]
        await asyncio.gather(*creating, *asking)

    async def _settle(self, seconds: float | None) -> None:
        """Wait until posts are settled or the timeout ends (None: until nothing changes), and set their status."""
        began = moved = time.monotonic()
        reported, signalled, before = 0.0, began, None
        while self._open:
            rows = await self._product.rows(_STATE, [post.post_id for post in self._open])
            by_id = {row["id"]: row for row in rows}
            for post in self._open:
                row = by_id.get(post.post_id)
                post.status = row["target"] if row and _settled(post, row) else ""
                if row and row["target"] in _WAITS and needs_its_owner(post.cell) and not post.waited_as:
                    await self._reconnect(post, row["target"])
            resting = sum(bool(post.status) for post in self._open)
            if resting == len(self._open):
                return
            moment = time.monotonic()
            if rows != before:
                before, moved = rows, moment
            if moment - began > seconds if seconds is not None else moment - moved > _STANDSTILL:
                return
            if moment - reported > 15:
                reported = moment
                self._say(f"{resting} of {len(self._open)} settled{_named(self._open, by_id)}")
            if moment - signalled > _OUTAGE_OVER_AFTER:
                signalled = moment
                await self._end_outages(by_id)
            await asyncio.sleep(1)

    async def _end_outages(self, rows: Mapping[str | None, Any]) -> None:
        """Retry the posts of an outage, as an operator does when it is over."""
        waiting = [post for post in self._open if not post.status and post.cell.fault is Fault.DOWN]
        await asyncio.gather(
            *(self._product.retry(rows[post.post_id]["workflow_id"]) for post in waiting if post.post_id in rows)
        )

    async def _reconnect(self, post: Post, waits_as: str) -> None:
        """Reconnect the account as its owner would; the post must continue by itself."""
        post.waited_as = waits_as
        shown = await self._product.public(post.cell.platform, post.account_id, post.mark)
        post.shown_while_waiting = len(shown)
        await self._forget_faults(post)
        await self._accounts.reconnect(post.cell.platform, post.account_id)

    async def _forget_faults(self, post: Post) -> None:
        await self._product.control(
            "DELETE", "faults", platform=api_name(post.cell.platform), accountId=post.account_id
        )

    async def _evaluate(self, posts: Sequence[Post]) -> None:
        shown = (await self._product.control("GET", "posts", since=self._began.isoformat()))["posts"]
        for post in posts:
            target = (await self._client.read(post))["platforms"][0]
            seen = facts(post, target, public_posts(post.mark, shown), early=_is_early(post, shown))
            post.status, post.public = seen.status, len(seen.public)
            post.verdict = evaluate(post.cell, seen, post.new_text)
            if post.verdict.kind is not VerdictKind.RIGHT:
                post.attempts = await self._client.attempts(post)
                seen = replace(seen, tried_for=tried_for(post.attempts))
                post.verdict = evaluate(post.cell, seen, post.new_text)
            await self._forget_faults(post)
            if post.cell.fault is not Fault.EXPIRED:
                # The crash may have met the renewal of an expired token. Nothing can keep such a connection, and the
                # next post on that account would be held.
                self._accounts.give_back(post.cell.platform, post.account_id)
            missed = post.verdict.kind is VerdictKind.MISSED and post.tries < _TRIES
            (self.run_again if missed else self.posts).append(post)
        self._open = [post for post in self._open if post.verdict is None]


def _by_crash(cells: Iterable[Cell]) -> dict[Crash, list[Cell]]:
    """Return cells by their crash, in the order in which they are run.

    Restores come first, because they would undo the progress of other posts in flight. The posts whose absence is
    certain last come next, so that they wait while the others run.
    """
    by_crash: dict[Crash, list[Cell]] = {}
    for cell in sorted(cells, key=lambda cell: (cell.crash not in RESTORED, cell.crash not in FROZEN_WORKER)):
        by_crash.setdefault(cell.crash, []).append(cell)
    return by_crash


def shares(cells: Iterable[Cell], stacks: int) -> list[list[Cell]]:
    """Distribute cells over stacks, each crash to one, so that all take about the same time."""
    crashes = sorted(_by_crash(cells).values(), key=_seconds, reverse=True)
    shared: list[list[list[Cell]]] = [[] for _ in range(min(stacks, len(crashes)))]
    for crash_cells in crashes:
        min(shared, key=lambda share: sum(map(_seconds, share))).append(crash_cells)
    return [[cell for crash in share for cell in crash] for share in shared]


def _seconds(cells: Sequence[Cell]) -> float:
    """Return roughly how long a crash takes: its own time, and that of its posts."""
    crash = cells[0].crash
    return _TAKES.get(crash, 40.0) + FROZEN_WORKER.get(crash, 0.0) + _A_POST_TAKES * len(cells)


def _settled(post: Post, row: Any) -> bool:
    """Return whether a post can no longer change, or no more can be known about it."""
    if post.cell.fault is Fault.ACCEPTED_LATE and row["sent_at"] and now() - row["sent_at"] < _SHOWN_AFTER:
        return False
    cannot_be_ruled_out = row["target"] == "unconfirmed" and not PLATFORMS[post.cell.platform].rules_out
    return not row["revised"] and (
        row["status"] in _RESTS or (cannot_be_ruled_out and row["confirm_attempts"] >= _CONFIRM_ATTEMPTS)
    )


def _is_early(post: Post, shown: Sequence[dict[str, Any]]) -> bool:
    """Return whether a scheduled post was public before its time, by the platform's clock, which is right."""
    times = (
        datetime.fromisoformat(public_post["createdAt"]) for public_post in shown if post.mark in public_post["text"]
    )
    return post.due is not None and min(times, default=post.due) < post.due - _MOMENT


def _named(posts: Sequence[Post], rows: Mapping[str | None, Any]) -> str:
    """Return the names of the posts that are not settled, if they are few."""
    moving = [post for post in posts if not post.status]
    named = [f"{post.cell} is {rows[post.post_id]['target']}" for post in moving if post.post_id in rows]
    return f": {', '.join(named)}" if len(moving) <= _NAMED else ""


def lead(crash: Crash) -> timedelta:
    """Return how long before it is due a post is scheduled: enough to prepare it, also after an outage."""
    if crash in RESTORED:
        return _COPIED_AHEAD
    if crash in FROZEN_WRITING:
        return _TAKEN_UP_AHEAD
    return _LONG_LEAD if crash is Crash.BEFORE else _LEAD


def next_batch(waiting: Sequence[tuple[Cell, int]], most: int) -> list[tuple[Cell, int]]:
    """Return the next cells to run together."""
    batch: list[tuple[Cell, int]] = []
    written = 0
    for cell, tries in waiting:
        if len(batch) == most:
            break
        if cell.crash in FROZEN_WRITING:
            written += 1
            if written > _WAIT_IN_A_WORKER:
                continue
        batch.append((cell, tries))
    return batch
