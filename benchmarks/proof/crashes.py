"""Crashes of parts of the product at exact points.

The platform's requests and database locks show the point from outside.
"""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from benchmarks.proof.cells import CLOCKS, FROZEN_PART, FROZEN_SENDING, FROZEN_WORKER, RESTORED, Crash, Mode
from benchmarks.proof.faults import HOLD, answered_after, point
from benchmarks.proof.freezes import Copies, frozen, frozen_worker
from benchmarks.proof.observation import Observation, crash_hit
from benchmarks.proof.platforms import api_name
from benchmarks.proof.posts import Post
from benchmarks.proof.product import Product
from benchmarks.waiting import eventually

_POLL = 0.3
_MARGIN = 2.0
_SETTLE = 1.5
"""Seconds between the last event that is visible from outside and the kill."""
_QUIET = 2.0
"""Seconds without any request after which the platform has received every request."""
_LONGEST_START = 90.0
_STALLED = 8.0
"""Seconds without another post at the point, after which the proof stops waiting for more."""
_LONGEST_LIFE = 60.0
"""Seconds after which the proof stops waiting for posts that are not settled."""
_LOG_LAG = timedelta(seconds=1)

PARTS: dict[Crash, tuple[str, ...]] = {
    Crash.NONE: (),
    Crash.BEFORE: ("worker",),
    Crash.SENDING: ("worker",),
    Crash.UNRECORDED: ("worker",),
    Crash.UPLOADING: ("worker",),
    # Temporal dies after the API. Otherwise it could read the start from its socket when it is thawed.
    Crash.ROW: ("api", "temporal"),
    Crash.ANSWER: ("api",),
    Crash.TEMPORAL: ("temporal",),
    Crash.POSTGRES: ("postgres",),
    Crash.EVERYTHING: ("api", "worker", "temporal", "postgres"),
    **dict.fromkeys(FROZEN_WORKER, ("worker",)),
    **{crash: (part,) for crash, part in FROZEN_PART.items()},
}
_AT_REST = frozenset({"published", "failed", "unconfirmed"})
_FROZEN_FOR = 20.0
"""Seconds for which a server is frozen while requests are in flight."""

_STATE = """
SELECT k.key, p.workflow_id, p.version, p.delivered_version, t.status,
  EXISTS (SELECT FROM revisions r WHERE r.post_id = p.id AND r.state = 'waiting') AS revised,
  (SELECT a.state FROM attempts a WHERE a.target_id = t.id AND a.step IN ('publish', 'edit') ORDER BY a.id DESC LIMIT 1)
    AS sent
FROM idempotency_keys k JOIN posts p ON p.id = k.post_id JOIN targets t ON t.post_id = p.id
WHERE k.key = ANY($1)
"""

_VERSIONS = {Mode.CHANGED: 2, Mode.DRAFTED: 3, Mode.RETRY: 2}
"""How often a post's row has recorded a request, once the client of a mode has sent all its requests."""
Say = Callable[[str], None]


class CrashInjection:
    """A crash over posts that are in flight together."""

    def __init__(self, product: Product, crash: Crash, posts: Sequence[Post], say: Say) -> None:
        self._product = product
        self._crash = crash
        self._posts = posts
        self._say = say
        self._arrived: dict[str, float] = {}
        """When each post's crucial request arrived, by the post's mark."""
        self._began = self._newest = time.time()
        self._taken: set[str] = set()
        self._barred_since: float | None = None
        self._until_struck = AsyncExitStack()
        self._copies = Copies(product)

    async def copy(self) -> None:
        """Copy both stores if the crash restores them. They have the scheduled posts; the others do not exist yet."""
        if self._crash in RESTORED:
            await self._copies.take()

    async def bar(self) -> None:
        """Block all sends from now on if the crash comes before the send; what is prepared ahead is prepared by now."""
        if self._crash is Crash.BEFORE:
            await self._until_struck.enter_async_context(self._product.no_attempt_can_be_written())
        elif self._crash in FROZEN_SENDING:
            self._until_struck.enter_context(self._product.inside.requests_are_held())
        elif self._crash in FROZEN_WORKER:
            ids = [post.post_id for post in self._posts]
            await self._until_struck.enter_async_context(self._product.posts_are_locked(ids))
        else:
            return
        self._barred_since = time.time()

    @asynccontextmanager
    async def around_the_start(self) -> AsyncIterator[None]:
        """Prepare the crash before the posts start; it happens at the end of the block."""
        async with self._until_struck:
            if self._crash is Crash.ROW:
                self._product.signal(signal.SIGSTOP, "temporal")
            if self._crash in CLOCKS:
                await self._copies.with_clocks(CLOCKS[self._crash])
            yield
            match self._crash:
                case Crash.NONE:
                    return
                case crash if crash in CLOCKS:
                    await self._set_clocks_right()
                case crash if crash in RESTORED:
                    await self._put_back()
                case crash if crash in FROZEN_WORKER:
                    await self._freeze_the_worker(FROZEN_WORKER[crash])
                case crash if crash in FROZEN_PART:
                    await self._freeze_a_server(FROZEN_PART[crash])
                case _:
                    await self._kill_at_its_point()

    async def _kill_at_its_point(self) -> None:
        match self._crash:
            case Crash.BEFORE:
                await self._until(self._all_taken)
            case Crash.ROW:
                await self._until(self._rows_are_written)
            case Crash.ANSWER:
                await self._until(self._no_answer_arrived)
            case Crash.EVERYTHING:
                await self._until(self._reached, share=0.5)
            case _:
                await self._until(self._reached)
        if self._crash is Crash.UNRECORDED:
            await self._until_struck.enter_async_context(self._product.no_attempt_can_be_written())
            self._barred_since = time.time()
            await self._answers_are_out()
        had = await self._kill()
        # A new worker cannot become ready while all its connections wait for held-back statements.
        await self._until_struck.aclose()
        missed = sum(not post.struck for post in self._posts)
        self._say(
            f"{' and '.join(had)} killed, {len(self._posts) - missed} of {len(self._posts)} at that point; "
            f"back after {await self._product.back(had):.1f} s"
        )

    async def _set_clocks_right(self) -> None:
        await self._until_at_rest()
        await self._record(await self._state(), time.time())
        await self._copies.with_clocks({})

    async def _freeze_the_worker(self, seconds: float) -> None:
        """Freeze the worker at its point, release the statements that it waits for, and let another worker continue."""
        if self._crash in FROZEN_SENDING:
            await self._until(self._all_held)
        else:
            await self._until(self._all_taken)
            await asyncio.sleep(_SETTLE)
        began = time.time()

        async def release() -> None:
            frozen_at = time.time()
            await self._until_struck.aclose()
            # The waiting statements are executed now.
            await asyncio.sleep(_SETTLE)
            await self._record(await self._state(), frozen_at)

        async with frozen_worker(self._product, release, _MARGIN):
            await asyncio.sleep(max(seconds - (time.time() - began), 0))
        self._say_struck(f"the worker frozen for {seconds:.0f} s")

    async def _put_back(self) -> None:
        """Restore the copy: while requests are in flight, or once all posts are published."""
        if self._crash is Crash.FAILOVER:
            await self._until(self._reached)
        else:
            await self._until_at_rest()
        await self._record(await self._state(), time.time())
        took = await self._copies.put_back(RESTORED[self._crash])
        self._say_struck(f"{' and '.join(sorted(RESTORED[self._crash]))} put back within {took:.1f} s")

    async def _freeze_a_server(self, part: str) -> None:
        await self._until(self._reached)
        state = await self._state() if part == "postgres" else {}
        with frozen(self._product, part):
            frozen_at = time.time()
            if part == "postgres":
                await self._record(state, frozen_at)
            else:
                await self._record(await self._state(), frozen_at)
            await asyncio.sleep(_FROZEN_FOR)
        self._say_struck(f"{part} frozen for {_FROZEN_FOR:.0f} s")

    def _say_struck(self, what: str) -> None:
        struck_there = sum(post.struck for post in self._posts)
        self._say(f"{what}, {struck_there} of {len(self._posts)} at that point")

    async def _record(self, state: dict[str, Any], struck_at: float, waiting: dict[str, bool] | None = None) -> None:
        """Record which posts were at the point when the crash came. The clients of `waiting` waited for an answer."""
        waiting = waiting or {post.mark: post.unanswered for post in self._posts}
        await self._read_log()
        for post in self._posts:
            observation = self._observe(post, state.get(post.key), struck_at, unanswered=waiting[post.mark])
            post.struck = crash_hit(post.cell, observation)
            post.killed.set()

    async def _kill(self) -> dict[str, int | None]:
        state = await self._state()
        if self._crash is Crash.BEFORE:
            # A worker may have returned a step meanwhile.
            self._taken = await self._product.takes(row["workflow_id"] for row in state.values())
        waiting = {post.mark: post.unanswered for post in self._posts}
        first, *rest = PARTS[self._crash]
        if self._crash is Crash.EVERYTHING:
            had = self._product.kill(first, *rest)
        else:
            had = self._product.kill(first) | (self._product.kill(*rest) if rest else {})
        killed_at = time.time()
        # Every request that arrived at the platform before the kill is in its log by now.
        await self._record(state, killed_at, waiting)
        return had

    def _observe(self, post: Post, row: Any, killed_at: float, *, unanswered: bool) -> Observation:
        seen = Observation(
            killed_at=killed_at,
            arrived_at=self._arrived.get(post.mark),
            barred_since=self._barred_since,
            asked=post.asked,
            unanswered=unanswered,
        )
        if row is None:
            return seen
        workflow_id = row["workflow_id"]
        held = workflow_id in self._product.inside.held()
        return replace(seen, **progress_in(row, post.cell.mode), taken=workflow_id in self._taken, held=held)

    async def watch(self) -> None:
        """Record when each post's request reaches the platform, until cancelled."""
        while True:
            await self._read_log()
            await asyncio.sleep(_POLL)

    async def _read_log(self) -> None:
        by_account = {(api_name(post.cell.platform), post.account_id): post for post in self._posts}
        since = datetime.fromtimestamp(self._newest, UTC) - _LOG_LAG
        log = await self._product.control("GET", "requests", since=since.isoformat())
        for request in reversed(log["requests"]):
            at = datetime.fromisoformat(request["at"]).timestamp()
            self._newest = max(self._newest, at)
            post = by_account.get((request["platform"], request["accountId"]))
            if post and at >= self._began and request["operation"] == point(post.cell):
                self._arrived.setdefault(post.mark, at)

    async def _state(self) -> dict[str, Any]:
        rows = await self._product.rows(_STATE, [post.key for post in self._posts])
        return {row["key"]: row for row in rows}

    async def _until(self, there: Callable[[], Any], share: float = 1.0) -> None:
        """Wait until this share of the posts is at the point, but no longer than the first of them is held."""
        began, grown, seen = time.monotonic(), time.monotonic(), 0
        while (now_seen := await there()) < share * len(self._posts):
            if now_seen > seen:
                seen, grown = now_seen, time.monotonic()
            first = min(self._arrived.values(), default=None)
            if first is not None and time.time() - first > HOLD - _MARGIN:
                break
            if time.monotonic() - began > _LONGEST_START or (seen and time.monotonic() - grown > _STALLED):
                break
            await asyncio.sleep(_POLL)
        seen = max(seen, now_seen)
        self._say(f"{seen} of {len(self._posts)} at the point")

    async def _reached(self) -> int:
        return len(self._arrived)

    async def _until_at_rest(self) -> None:
        """Wait until every post that can end has ended; confirmations take longest."""

        async def all_rest() -> bool:
            return sum(row["status"] in _AT_REST for row in (await self._state()).values()) == len(self._posts)

        await eventually(all_rest, _LONGEST_LIFE, _POLL)

    async def _all_held(self) -> int:
        """Count the posts whose request has a connection and has not begun."""
        held = self._product.inside.held()
        return sum(row["workflow_id"] in held for row in (await self._state()).values())

    async def _all_taken(self) -> int:
        """Count the posts whose step a worker has; the sends of all of them are blocked."""
        if self._barred_since is None:
            return 0
        waiting = {row["workflow_id"] for row in (await self._state()).values()} - self._taken
        self._taken |= await self._product.takes(waiting)
        return len(self._taken)

    async def _rows_are_written(self) -> int:
        """Count the posts whose rows are complete, while Temporal is frozen and does not know of the change yet."""
        state, there = await self._state(), 0
        for post in self._posts:
            observation = self._observe(post, state.get(post.key), 0.0, unanswered=post.unanswered)
            there += crash_hit(post.cell, observation)
        return there

    async def _no_answer_arrived(self) -> int:
        """Count the posts that are in progress while their clients still wait for an answer."""
        state = await self._state()
        scheduled = {post.key for post in self._posts if post.cell.mode is Mode.SCHEDULED}
        others = sum(post.mark in self._arrived for post in self._posts if post.cell.mode is not Mode.SCHEDULED)
        return others + sum(
            progress_in(row, Mode.SCHEDULED)["started"] for key, row in state.items() if key in scheduled
        )

    async def _answers_are_out(self) -> None:
        """Wait until every answer has come or its sender has stopped waiting; the outcome cannot be recorded."""
        ends = [
            self._arrived[post.mark] + answered_after(post.cell) for post in self._posts if post.mark in self._arrived
        ]
        await asyncio.sleep(max(max(ends, default=0.0) - time.time(), 0) + _SETTLE)
        # A token that was renewed after the answer is used immediately.
        while time.time() - self._newest < _QUIET:
            await asyncio.sleep(_POLL)
            await self._read_log()


def progress_in(row: Any, mode: Mode) -> dict[str, bool]:
    """Return the progress that a post's row shows, as fields of an Observation."""
    sending = row["sent"] == "sending"
    if mode is Mode.EDIT:
        return {"row": row["revised"], "started": sending, "sending": sending}
    version = _VERSIONS.get(mode, 1)
    return {"row": row["version"] >= version, "started": row["delivered_version"] >= version, "sending": sending}
