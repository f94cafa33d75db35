"""Pause a workspace, accounts or a campaign while posts are due, and kill or freeze parts meanwhile.

The sandbox's clock decides. After `paused` was answered no request that publishes a post arrives until the end of the
pause is asked for, and `pausing` has named every post of which one did. No post fails or is late, and the end does what
it said, once.
"""

import asyncio
import itertools
import random
import secrets
import signal
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import httpx

from benchmarks.proof.cases import EVERYTHING, KILLED, Cases, Outcome
from benchmarks.proof.freezes import frozen_worker
from benchmarks.proof.pause_verdict import Answered, PausedPost, fault_of_counts
from benchmarks.proof.platforms import api_name, body
from benchmarks.proof.product import Product, ProofError
from benchmarks.waiting import eventually, until
from domain.pauses import MissedPolicy

POSTS, FEW_POSTS = 30, 12
_PLATFORMS = ("twitter", "mastodon", "bluesky")
_SPREAD_S = 5.0
"""The posts are due from so long before the pause until so long after it."""
_PAUSED_WITHIN_S, _ENDS_WITHIN_S = 90.0, 300.0
_FROZEN_S = 20.0
_ANSWER_HELD_S = 8.0
"""How long the platform holds back its answers, so that requests are out when the pause begins."""
_MARGIN_S = 3.0
_CONCURRENCY = 16
_POLL_S = 0.2


class Scope(StrEnum):
    """The scope of the pause."""

    WORKSPACE = "workspace"
    ACCOUNT = "accounts"
    """Every second post's account has a pause of its own, and the others have none."""
    CAMPAIGN = "campaign"
    """Every second post is part of the campaign."""


class Strike(StrEnum):
    """The part that is killed or frozen, and when."""

    NONE = "none"
    WORKER = "worker"
    API = "API"
    TEMPORAL = "Temporal"
    POSTGRES = "PostgreSQL"
    ALL = "all at once"
    FROZEN = "worker frozen"
    """Right before the first byte of its requests, until after `paused` was answered."""
    WHILE_PAUSED = "all while paused"
    AT_THE_END = "API at the end"


_WORKER_RUNS = frozenset({Strike.NONE, Strike.API, Strike.FROZEN, Strike.AT_THE_END})

Case = tuple[Scope, Strike, MissedPolicy]
ALL: tuple[Case, ...] = tuple(
    (scope, strike, missed)
    for (scope, strike), missed in zip(itertools.product(Scope, Strike), itertools.cycle(MissedPolicy), strict=False)
)
SHORT: tuple[Case, ...] = ((Scope.WORKSPACE, Strike.WHILE_PAUSED, MissedPolicy.PUBLISH),)
"""The case that shows most in a short time."""


@dataclass(slots=True)
class PauseOutcome(Outcome):
    """The outcome of one case: the number of posts that ended as they must, and what is wrong."""

    scope: Scope
    strike: Strike
    missed: MissedPolicy
    right: int = 0
    faults: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Entry:
    """A post of a case; `is_stopped`: a pause concerns it."""

    platform: str
    account_id: str
    due: datetime
    is_stopped: bool
    mark: str
    post_id: str = ""


@dataclass(frozen=True, slots=True)
class _Pause:
    """The requests of one pause. `account_id` is empty if it concerns several accounts."""

    content: dict[str, str]
    account_id: str = ""
    campaign: str = ""
    """The path of the campaign, if it is a campaign's pause."""
    key: str = field(default_factory=lambda: secrets.token_hex(8))

    def concerns(self, entry: _Entry) -> bool:
        """Return whether it stops a post."""
        return entry.is_stopped and self.account_id in ("", entry.account_id)


class Pauses(Cases[Case, PauseOutcome]):
    """The cases that one stack runs, one after the other."""

    def __init__(self, product: Product, say: Callable[[str], None], posts: int) -> None:
        super().__init__(product, say)
        self._number = posts
        self._slots = asyncio.Semaphore(_CONCURRENCY)

    async def _run(self, case: Case) -> list[PauseOutcome]:
        outcome = PauseOutcome(*case)
        await self._case(outcome)
        self._say(f"pause of {', '.join(case)}: {outcome.right} of {self._number} posts right")
        return [outcome]

    async def _case(self, outcome: PauseOutcome) -> None:
        pause_at = datetime.now(UTC) + timedelta(seconds=_SPREAD_S + 2 + self._number / 4)
        entries = await self._entries(outcome.scope, pause_at)
        campaign_id = await self._campaign() if outcome.scope is Scope.CAMPAIGN else None
        await asyncio.gather(*(self._create(entry, campaign_id) for entry in entries))
        if outcome.strike is not Strike.FROZEN:
            await asyncio.gather(*map(self._hold_answers, entries))
        async with self._struck(outcome.strike, pause_at):
            begun = await asyncio.gather(*map(self._begin, _pauses(outcome.scope, entries, campaign_id)))
        if outcome.strike is Strike.WHILE_PAUSED:
            await self._product.back(self._product.kill(*EVERYTHING))
        last = max(pause_at.timestamp() + _SPREAD_S, *(pause.paused_at for pause in begun))
        await until(datetime.fromtimestamp(last + _MARGIN_S, UTC))
        outcome.faults += await self._faults_meanwhile(outcome.strike, [pause.pause_id for pause in begun])
        ended = await asyncio.gather(*(self._resume(pause, outcome) for pause in begun))
        await self._product.control("DELETE", "faults")
        await self._evaluate(outcome, entries, ended)
        await asyncio.gather(*map(self._delete_unsent, entries))
        for entry in entries:
            self._accounts.give_back(entry.platform, entry.account_id)

    async def _entries(self, scope: Scope, pause_at: datetime) -> list[_Entry]:
        names = list(itertools.islice(itertools.cycle(_PLATFORMS), self._number))
        lent = await self._accounts.lend(names)
        chance = random.SystemRandom()
        return [
            _Entry(
                name,
                account_id,
                pause_at + timedelta(seconds=chance.uniform(-_SPREAD_S, _SPREAD_S)),
                scope is Scope.WORKSPACE or number % 2 == 0,
                f"paused-{secrets.token_hex(6)}",
            )
            for number, (name, account_id) in enumerate(zip(names, lent, strict=True))
        ]

    async def _campaign(self) -> str:
        return str((await self._keyed("/v1/campaigns", {"name": "The proof"}))["id"])

    async def _create(self, entry: _Entry, campaign_id: str | None) -> None:
        content = body(entry.platform, entry.account_id, f"Paused: {entry.mark}")
        content |= {"scheduledFor": entry.due.isoformat()}
        content |= {"campaignId": campaign_id} if campaign_id and entry.is_stopped else {}
        async with self._slots:
            view = await self._keyed("/v1/posts", content, entry.mark)
        entry.post_id = view["id"]

    async def _hold_answers(self, entry: _Entry) -> None:
        fault = {"fault": "accept_then_delay", "operation": "publish", "times": 1, "seconds": _ANSWER_HELD_S}
        mine = {"platform": api_name(entry.platform), "accountId": entry.account_id}
        await self._product.control("POST", "faults", fault | mine)

    @asynccontextmanager
    async def _struck(self, strike: Strike, pause_at: datetime) -> AsyncIterator[None]:
        """Kill or freeze parts, and then let the block ask for the pause; wait until they are back."""
        if strike is Strike.FROZEN:
            async with self._frozen_worker(pause_at):
                yield
            return
        await until(pause_at)
        had = self._product.kill(*KILLED.get(strike, ()))
        yield
        if had:
            await self._product.back(had)

    @asynccontextmanager
    async def _frozen_worker(self, pause_at: datetime) -> AsyncIterator[None]:
        """Freeze the worker before the first byte of its requests; it continues after the block."""
        async with AsyncExitStack() as held:
            held.enter_context(self._product.inside.requests_are_held())
            await until(pause_at)
            async with frozen_worker(self._product, held.aclose, _MARGIN_S):
                yield
                await until(pause_at + timedelta(seconds=_FROZEN_S))

    async def _begin(self, pause: _Pause) -> "_Begun":
        path = f"{pause.campaign}/pause" if pause.campaign else "/v1/pauses"
        answer = await self._keyed(path, pause.content, f"{pause.key}-begin", Prefer="wait=0")
        view = answer["pause"] if pause.campaign else answer
        first_at, in_flight = time.time(), frozenset(post["postId"] for post in view["inFlight"])

        async def is_paused() -> bool:
            nonlocal view
            view = await self._product.definite("GET", f"/v1/pauses/{view['id']}")
            return bool(view["status"] == "paused")

        if view["status"] != "paused" and not await eventually(is_paused, _PAUSED_WITHIN_S):
            raise ProofError(f"the pause {view['id']} is {view['status']} after {_PAUSED_WITHIN_S:.0f} s")
        return _Begun(pause, view["id"], first_at, in_flight, time.time())

    async def _faults_meanwhile(self, strike: Strike, pause_ids: Sequence[str]) -> list[str]:
        """Return what is wrong while the pause is under way and all parts run."""
        views = await asyncio.gather(
            *(self._product.definite("GET", f"/v1/pauses/{pause_id}") for pause_id in pause_ids)
        )
        faults = [f"the pause {view['id']} is {view['status']}" for view in views if view["status"] != "paused"]
        status = self._product.api.get("/statusz?strict=true")
        if strike in _WORKER_RUNS and (answer := await status).status_code != httpx.codes.OK:
            faults.append(f"unready during the pause: {answer.text}")
        return faults

    async def _resume(self, begun: "_Begun", outcome: PauseOutcome) -> tuple[_Pause, Answered]:
        path = f"{begun.pause.campaign or f'/v1/pauses/{begun.pause_id}'}/resume"
        options = {"json": {"missed": outcome.missed.value}, "headers": {"Idempotency-Key": f"{begun.pause.key}-end"}}
        resumed_at = time.time()
        request = asyncio.create_task(self._product.definite("POST", path, **options))
        if outcome.strike is Strike.AT_THE_END:
            await asyncio.sleep(random.SystemRandom().uniform(0, 0.1))
            self._product.signal(signal.SIGKILL, "api")
        view = await request
        # A pause that has ended answers as before.
        again = await self._product.definite("POST", path, **options)
        if again["result"] != view["result"]:
            outcome.faults.append(f"the end said {view['result']}, and again {again['result']}")
        return begun.pause, Answered(
            begun.first_at, begun.in_flight, begun.paused_at, resumed_at, outcome.missed, view["result"]
        )

    async def _evaluate(
        self, outcome: PauseOutcome, entries: Sequence[_Entry], ended: Sequence[tuple[_Pause, Answered]]
    ) -> None:
        """Compare what the platforms got and what the posts say, once everything is at rest."""
        views = await asyncio.gather(*(self._at_rest(entry.post_id, _is_at_rest, _ENDS_WITHIN_S) for entry in entries))
        posts = await asyncio.gather(*map(self._observed, entries, views))
        for entry, post in zip(entries, posts, strict=True):
            answered = next((answered for pause, answered in ended if pause.concerns(entry)), None)
            if answered:
                fault = post.fault(answered)
            else:
                fault = "" if (post.status, post.public) == ("published", 1) else f"not paused, and {post.status}"
            outcome.right += not fault
            if fault:
                outcome.faults.append(f"{entry.platform} {post.post_id}: {fault}")
        for pause, answered in ended:
            own = [post for entry, post in zip(entries, posts, strict=True) if pause.concerns(entry)]
            if fault := fault_of_counts(own, answered):
                outcome.faults.append(fault)
        if outcome.strike in _WORKER_RUNS:
            query = "SELECT post_id FROM late_posts WHERE post_id = ANY($1)"
            late = await self._product.rows(query, [entry.post_id for entry in entries])
            outcome.faults += [f"{row['post_id']} was reported late" for row in late]

    async def _delete_unsent(self, entry: _Entry) -> None:
        """Delete a post that was moved or skipped: the next pause of the stack must not move it."""
        if (await self._product.definite("GET", f"/v1/posts/{entry.post_id}"))["status"] in {"scheduled", "draft"}:
            await self._product.api.delete(f"/v1/posts/{entry.post_id}")

    async def _observed(self, entry: _Entry, view: dict[str, Any]) -> PausedPost:
        mine = {"platform": api_name(entry.platform), "accountId": entry.account_id}
        since = (entry.due - timedelta(seconds=1)).isoformat()
        log = await self._product.control("GET", "requests", **mine, operation="publish", since=since)
        shown = await self._product.public(entry.platform, entry.account_id, entry.mark)
        return PausedPost(
            post_id=entry.post_id,
            status=view["status"],
            skip_reason=view.get("skipReason"),
            due=datetime.fromisoformat(view["scheduledFor"]) if view.get("scheduledFor") else None,
            arrivals=tuple(sorted(datetime.fromisoformat(request["at"]).timestamp() for request in log["requests"])),
            public=len(shown),
        )


@dataclass(frozen=True, slots=True)
class _Begun:
    """A pause that is complete."""

    pause: _Pause
    pause_id: str
    first_at: float
    in_flight: frozenset[str]
    paused_at: float


def _is_at_rest(view: dict[str, Any]) -> bool:
    later = view["status"] == "scheduled" and datetime.fromisoformat(view["scheduledFor"]) > datetime.now(UTC)
    return later or view["status"] in {"published", "failed", "partial", "draft"}


def _pauses(scope: Scope, entries: Sequence[_Entry], campaign_id: str | None) -> list[_Pause]:
    """Return the pauses of a scope."""
    match scope:
        case Scope.WORKSPACE:
            return [_Pause({"scope": "workspace", "reason": "the proof"})]
        case Scope.CAMPAIGN:
            return [_Pause({"reason": "the proof"}, campaign=f"/v1/campaigns/{campaign_id}")]
        case Scope.ACCOUNT:
            stopped = [entry for entry in entries if entry.is_stopped]
            bodies = [{"platform": api_name(entry.platform), "accountId": entry.account_id} for entry in stopped]
            return [_Pause({"scope": "account", **content}, content["accountId"]) for content in bodies]
