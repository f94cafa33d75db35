"""Plan many posts while parts are killed or frozen: an import, a queue, a series, and a chain in a campaign.

Each of the four is asked for while the strike happens, by clients that repeat their requests until these are definite.
The last row of the import waits for the first. Then the import is sent again with another key. Each post with a time
of the case must be public exactly once, each occurrence of the series has one post or a reason, no two posts have one
slot, and the second import changes nothing.
"""

import asyncio
import itertools
import random
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from benchmarks.proof.cases import KILLED, Cases, Outcome
from benchmarks.proof.freezes import another_worker, frozen
from benchmarks.proof.platforms import body
from benchmarks.proof.product import Product
from benchmarks.waiting import until
from domain.queues import Weekday

POSTS, FEW_POSTS = 40, 15
_PLATFORMS = ("twitter", "mastodon", "bluesky")
_LEAD = timedelta(seconds=25)
"""How long before it is due a post is planned: the parts that were killed run again by then."""
_STRIKES_WITHIN_S = 0.5
_FROZEN_S = 20.0
_SECOND_WORKER_AHEAD = timedelta(seconds=12)
_ENDS_WITHIN_S = 240.0
_QUEUED = 8
_FIRST_SLOT = timedelta(minutes=10)
"""How far ahead the first slot is: no post of the queue is due before the case has ended."""
_OCCURRENCES = 5
_AT_REST = frozenset({"published", "failed", "partial"})


class PlanStrike(StrEnum):
    """The part that is killed while the requests are carried out, or frozen while the posts are due."""

    WORKER = "worker"
    API = "API"
    TEMPORAL = "Temporal"
    POSTGRES = "PostgreSQL"
    ALL = "all at once"
    FROZEN = "worker frozen"


ALL: tuple[PlanStrike, ...] = tuple(PlanStrike)
SHORT = (PlanStrike.ALL,)


@dataclass(slots=True)
class PlansOutcome(Outcome):
    """The outcome of one case: the number of posts that ended as they must, and what is wrong."""

    strike: PlanStrike
    right: int = 0
    faults: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Entry:
    """A post with an account of its own."""

    platform: str
    account_id: str
    mark: str = field(default_factory=lambda: f"planned-{secrets.token_hex(6)}")

    def content(self, **more: Any) -> dict[str, Any]:
        return body(self.platform, self.account_id, f"Planned: {self.mark}") | more


@dataclass(frozen=True, slots=True)
class _Planned:
    """The answers to the requests of a case."""

    import_ids: Sequence[str]
    queued: Sequence[dict[str, Any]]
    series: dict[str, Any]
    chain_ids: Sequence[str]
    campaign_id: str
    queue_id: str


class Plans(Cases[PlanStrike, PlansOutcome]):
    """The cases that one stack runs, one after the other."""

    def __init__(self, product: Product, say: Callable[[str], None], posts: int) -> None:
        super().__init__(product, say)
        self._number = posts

    async def _run(self, case: PlanStrike) -> list[PlansOutcome]:
        outcome = PlansOutcome(case)
        await self._case(outcome)
        self._say(f"plans, {case}: {outcome.right} posts right, {len(outcome.faults)} faults")
        return [outcome]

    async def _case(self, outcome: PlansOutcome) -> None:
        # The import's, one of the queue, one of the series, two of the chain.
        names = [*itertools.islice(itertools.cycle(_PLATFORMS), self._number), "mastodon", *["mastodon"] * 3]
        lent = await self._accounts.lend(names)
        entries = [_Entry(name, account_id) for name, account_id in zip(names, lent, strict=True)]
        imported, (queued, of_series, first, second) = entries[: self._number], entries[self._number :]
        queue_id = await self._queue(queued)
        campaign_id = (await self._keyed("/v1/campaigns", {"name": "The proof"}))["id"]
        due = (datetime.now(UTC) + _LEAD).replace(microsecond=0)
        *scheduled, waiting = imported
        posts = [entry.content(scheduledFor=due.isoformat(), externalId=entry.mark) for entry in scheduled]
        posts.append(waiting.content(after={"externalId": scheduled[0].mark}, externalId=waiting.mark))
        rows = {"posts": posts}
        async with self._struck(outcome.strike, due):
            answers = await asyncio.gather(
                self._keyed("/v1/imports", rows),
                asyncio.gather(*(self._queued(queued, queue_id) for _ in range(_QUEUED))),
                self._keyed("/v1/series", _series(of_series, due)),
                self._chain(campaign_id, first, second, due),
            )
        import_ids = [row["id"] for row in answers[0]["results"]]
        planned = _Planned(import_ids, answers[1], answers[2], answers[3], campaign_id, queue_id)
        outcome.faults += await self._faults_of_a_repeat(rows, import_ids)
        await self._evaluate(outcome, [*imported, first, second], [*import_ids, *planned.chain_ids])
        await self._evaluate_series(outcome, planned.series["id"], of_series, due)
        outcome.faults += _faults_of_slots(planned.queued)
        await self._remove(planned)
        for entry in entries:
            self._accounts.give_back(entry.platform, entry.account_id)

    async def _queue(self, entry: _Entry) -> str:
        first = datetime.now(UTC) + _FIRST_SLOT
        times = {f"{first + timedelta(minutes=number):%H:%M}" for number in range(2 * _QUEUED)}
        slots = [{"days": list(Weekday), "time": time} for time in sorted(times)]
        queue = {"name": entry.mark, "timezone": "UTC", "slots": slots}
        return str((await self._product.definite("POST", "/v1/queues", json=queue))["id"])

    async def _queued(self, entry: _Entry, queue_id: str) -> dict[str, Any]:
        content = _Entry(entry.platform, entry.account_id).content(queue=queue_id)
        return await self._keyed("/v1/posts", content)

    async def _chain(self, campaign_id: str, first: _Entry, second: _Entry, due: datetime) -> list[str]:
        content = first.content(scheduledFor=due.isoformat(), campaignId=campaign_id)
        first_id = (await self._keyed("/v1/posts", content))["id"]
        content = second.content(after={"postId": first_id}, campaignId=campaign_id)
        return [first_id, (await self._keyed("/v1/posts", content))["id"]]

    @asynccontextmanager
    async def _struck(self, strike: PlanStrike, due: datetime) -> AsyncIterator[None]:
        """Kill parts while the block sends its requests, or freeze the worker while the posts are due."""
        if strike is PlanStrike.FROZEN:
            yield
            await until(due - _SECOND_WORKER_AHEAD)
            async with another_worker(self._product):
                await until(due - timedelta(seconds=1))
                with frozen(self._product, "worker"):
                    await asyncio.sleep(_FROZEN_S)
            return
        killing = asyncio.create_task(self._kill(KILLED[strike]))
        yield
        await killing

    async def _kill(self, parts: Sequence[str]) -> None:
        await asyncio.sleep(random.SystemRandom().uniform(0, _STRIKES_WITHIN_S))
        await self._product.back(self._product.kill(*parts))

    async def _faults_of_a_repeat(self, rows: dict[str, Any], import_ids: Sequence[str]) -> list[str]:
        again = await self._keyed("/v1/imports", rows)
        ids = [row["id"] for row in again["results"]]
        if (again["created"], again["updated"], again["unchanged"]) == (0, 0, len(ids)) and ids == list(import_ids):
            return []
        counts = {name: again[name] for name in ("created", "unchanged", "updated", "failed")}
        return [f"the import, sent again, answered {counts}"]

    async def _evaluate(self, outcome: PlansOutcome, entries: Sequence[_Entry], post_ids: Sequence[str]) -> None:
        """Compare posts with their platforms, once all are at rest."""
        ends = asyncio.get_running_loop().time() + _ENDS_WITHIN_S
        for entry, post_id in zip(entries, post_ids, strict=True):
            left_s = ends - asyncio.get_running_loop().time()
            view = await self._at_rest(post_id, lambda view: view["status"] in _AT_REST, left_s)
            public = len(await self._product.public(entry.platform, entry.account_id, entry.mark))
            if (view["status"], public) == ("published", 1):
                outcome.right += 1
            else:
                outcome.faults.append(f"{entry.platform} {post_id} is {view['status']}, public {public} times")

    async def _evaluate_series(self, outcome: PlansOutcome, series_id: str, entry: _Entry, due: datetime) -> None:
        """Compare the occurrences with the rule: each has one post, or a reason. The first is due with the others."""
        days = {"from": f"{due:%Y-%m-%d}", "to": f"{due + timedelta(days=2 * _OCCURRENCES):%Y-%m-%d}"}
        listed = await self._product.definite("GET", f"/v1/series/{series_id}/occurrences", params=days)
        states = Counter(occurrence["state"] for occurrence in listed["occurrences"])
        ids = [occurrence["postId"] for occurrence in listed["occurrences"] if occurrence["state"] == "made"]
        query = "SELECT id FROM posts WHERE series_id = $1"
        saved = [row["id"] for row in await self._product.rows(query, series_id)]
        if len(listed["occurrences"]) != _OCCURRENCES or sorted(saved) != sorted(set(ids)):
            outcome.faults.append(f"the series has {dict(states)} and {len(saved)} posts")
        if ids:
            await self._evaluate(outcome, [entry], ids[:1])

    async def _remove(self, planned: _Planned) -> None:
        """Remove what is not due yet: the pauses and the doctor of the stack follow."""
        for post in planned.queued:
            await self._product.api.delete(f"/v1/posts/{post['id']}")
        await self._product.api.delete(f"/v1/series/{planned.series['id']}?posts=delete")
        await self._product.api.delete(f"/v1/queues/{planned.queue_id}")


def _series(entry: _Entry, due: datetime) -> dict[str, Any]:
    return {
        "name": entry.mark,
        "timezone": "UTC",
        "start": f"{due:%Y-%m-%dT%H:%M:%S}",
        "recurrence": {"frequency": "daily", "count": _OCCURRENCES},
        "post": entry.content(),
    }


def _faults_of_slots(posts: Sequence[dict[str, Any]]) -> list[str]:
    """Return which slots several posts have."""
    slots = Counter(post["scheduledFor"] for post in posts)
    return [f"{count} posts have the slot {slot}" for slot, count in slots.items() if count > 1]
