"""The limits of requests and posts, held over all processes; a process takes several uses in one statement."""

import asyncio
import random
import time
from collections import OrderedDict
from contextvars import Context

import structlog
from temporalio.common import MetricMeter

from api.http.headers import template, told_limits
from domain.errors import Problem, TooManyRequests
from domain.request_limits import Allowance, Policy, PolicyName, Rates, Standing, posts_policy, requests_policy
from store.database import Database
from store.workspaces.keys import Caller
from store.workspaces.request_limits import read_ahead, take_uses

log = structlog.get_logger(__name__)

_NO_REQUESTS, _NO_POSTS = requests_policy(0), posts_policy(0)
UNCOUNTED_S = 1.0
"""Seconds for which requests of a holder are let through after the database could not count one."""
LOGGED_EVERY_S = 1.0
REFUSALS_PER_S, REFUSALS_AT_ONCE = 20, 10
"""Refusals of one workspace that an API process sends in a second, and as many as wait for nothing; our choice. A
client that keeps to `Retry-After` needs no more. One that asks again as soon as it is refused, on as many connections
as it has, waits with all of them, and the process has time for others."""
LONGEST_WAIT_S = 4.0
"""Seconds that a refusal waits at most: less than clients wait for an answer (httpx: 5 s)."""
_MOST_HOLDERS = 10_000
"""Most holders that are remembered. Beyond that the one that asked longest ago is forgotten, and asked for again."""
_REFUSALS = {
    PolicyName.REQUESTS: "Too many requests: this key may make {:,} a minute",
    PolicyName.POSTS: "Too many posts: this workspace may create or change {:,} a minute",
}


class LimitMeters:
    """The metrics of limits."""

    def __init__(self, meter: MetricMeter = MetricMeter.noop) -> None:
        self._refused = meter.create_counter(
            "socialsyncer_requests_refused", "Requests that were refused because a limit was used up, by policy"
        )
        self._uncounted = meter.create_counter(
            "socialsyncer_requests_uncounted",
            "Requests that were let through because the database could not count them",
        )
        for policy in PolicyName:
            self._refused.add(0, {"policy": policy.value})
        self._uncounted.add(0)

    def refused(self, policy: PolicyName) -> None:
        """Count a refusal."""
        self._refused.add(1, {"policy": policy.value})

    def uncounted(self) -> None:
        """Count a statement that failed."""
        self._uncounted.add(1)


class _Holder:
    """A key or a workspace as this process knows it, with the lock by which one request asks for all others."""

    __slots__ = ("allowance", "lock", "policies", "policy", "template", "uncounted_until", "unlogged")

    def __init__(self) -> None:
        self.allowance = Allowance()
        self.policy: Policy | None = None
        """The one by which its requests were counted last."""
        self.policies: tuple[Policy, ...] = ()
        self.template = ""
        self.lock = asyncio.Lock()
        self.uncounted_until = 0.0
        self.unlogged = 0
        """Refusals of which no line of the log tells yet."""

    def remember(self, policies: tuple[Policy, ...]) -> None:
        """Remember a key's policies, of which the first is that of its requests, and the lines that tell them."""
        self.policies, self.policy = policies, policies[0]
        self.template = template(policies, policies[:1], policies[0])


def _log_refusals(caller: Caller, holder: _Holder) -> None:
    log.info("requests.refused", workspace_id=caller.workspace_id, key_id=caller.key_id, refused=holder.unlogged)
    holder.unlogged = 0


class RequestLimits:
    """The limits of one process: requests of each key, and posts of each workspace."""

    def __init__(
        self,
        database: Database,
        requests: Policy = _NO_REQUESTS,
        posts: Policy = _NO_POSTS,
        meters: LimitMeters | None = None,
    ) -> None:
        self.requests = requests
        self.posts = posts
        self._database = database
        self._meters = meters or LimitMeters()
        self._holders: OrderedDict[str, _Holder] = OrderedDict()
        self._refusal_pace = Rates(REFUSALS_PER_S, REFUSALS_AT_ONCE, longest_s=LONGEST_WAIT_S)
        self.refused: set[str] = set()
        """The holders of which a request was refused, and none was accepted since."""

    def policy_of_key(self, caller: Caller) -> Policy:
        """Return the policy of a key: its own rate, or else that of all keys."""
        own = caller.rate_per_minute
        return self.requests if own is None else requests_policy(own)

    def known_refusal(self, caller: Caller) -> TooManyRequests | None:
        """Return the refusal of a request if it is known that its key has used its limit up, else None."""
        policy, now = self.policy_of_key(caller), time.monotonic()
        holder = self._holder(caller.key_id)
        if not policy.limit or now < holder.uncounted_until or holder.allowance.wait_s(policy, 1, now) <= 0:
            return None
        told_limits().policies = (policy, self.posts)
        return self._refuse(policy, holder, 1)

    def refusal_wait_s(self, caller: Caller) -> float:
        """Return the seconds that one more refusal waits. All keys of a workspace have one pace.

        Refusals that wait are logged as a number each second: a line for each would cost more than the refusal.
        """
        wait_s = self._refusal_pace.wait_after(caller.workspace_id)
        if wait_s > LONGEST_WAIT_S:
            # All those of a flood at once would delay others' answers.
            wait_s = random.uniform(LONGEST_WAIT_S / 2, LONGEST_WAIT_S)  # noqa: S311 it is no secret
        if wait_s:
            holder = self._holder(caller.key_id)
            holder.unlogged += 1
            if holder.unlogged == 1:
                loop = asyncio.get_running_loop()
                loop.call_later(LOGGED_EVERY_S, _log_refusals, caller, holder, context=Context())
        return wait_s

    async def take_request(self, caller: Caller) -> None:
        """Count a request, and tell its client what is left. Raises TooManyRequests."""
        own, told = caller.rate_per_minute, told_limits()
        policy = self.requests if own is None else requests_policy(own)
        holder = self._holders.get(caller.key_id)
        if holder is not None and holder.policy is policy and holder.allowance.use(1, now := time.monotonic()):
            # Nearly every request: nothing waits, and nothing is looked up that the holder knows.
            told.policies, told.template = holder.policies, holder.template
            told.standings += (holder.allowance.standing(policy, now),)
            return
        told.policies = (policy, self.posts)
        await self._take(policy, caller.key_id, 1)
        if policy.limit:
            self._holder(caller.key_id).remember(told.policies)

    async def take_posts(self, workspace_id: str, number: int = 1) -> None:
        """Count posts that are about to be created or changed, as `take_request` does."""
        await self._take(self.posts, workspace_id, number)

    async def read(self, caller: Caller) -> tuple[Standing | None, Standing | None]:
        """Return what is left of a key's requests and of its workspace's posts, other processes' uses included.

        None is no limit. The client of the request gets the same in its headers.
        """
        policies = {caller.key_id: self.policy_of_key(caller), caller.workspace_id: self.posts}
        ahead = await read_ahead(self._database, [holder for holder, policy in policies.items() if policy.limit])
        now = time.monotonic()
        for holder_id, seconds in ahead.items():
            allowance = self._holder(holder_id).allowance
            # Meanwhile this process may have taken more.
            allowance.full_at = max(allowance.full_at, now + seconds)
        requests, posts = (
            self._holder(holder_id).allowance.standing(policy, now) if policy.limit else None
            for holder_id, policy in policies.items()
        )
        if requests is not None:
            told = told_limits()
            told.standings = (requests, *told.standings[1:])
        return requests, posts

    async def _take(self, policy: Policy, holder_id: str, uses: int) -> None:
        if not policy.limit or not uses:
            return
        uses = min(uses, policy.burst)
        holder = self._holder(holder_id)
        allowance, now = holder.allowance, time.monotonic()
        if not allowance.use(uses, now):
            async with holder.lock:
                if not allowance.use(uses, time.monotonic()) and not await self._ask(policy, holder_id, holder, uses):
                    self.refused.add(holder_id)
                    raise self._refuse(policy, holder, uses)
            self.refused.discard(holder_id)
            now = time.monotonic()
        told_limits().standings += (allowance.standing(policy, now),)

    def _refuse(self, policy: Policy, holder: _Holder, uses: int) -> TooManyRequests:
        """Count a refusal, and return it."""
        standing = holder.allowance.standing(policy, time.monotonic(), uses)
        told_limits().standings += (standing,)
        self._meters.refused(policy.name)
        seconds = standing.retry_after or 1
        again = "1 second" if seconds == 1 else f"{seconds:,} seconds"
        sentence = f"{_REFUSALS[policy.name].format(policy.limit)}. Try again in {again}."
        return TooManyRequests(Problem(sentence, "rate_limited"), retry_after=seconds)

    async def _ask(self, policy: Policy, holder_id: str, holder: _Holder, uses: int) -> bool:
        """Take uses in the database, at first some in advance; return whether the request is accepted."""
        allowance = holder.allowance
        now = time.monotonic()
        if now < holder.uncounted_until:
            return True
        for number in sorted({uses, max(uses, allowance.lease_size(policy, now))}, reverse=True):
            missing = number - allowance.leased(now)
            if allowance.wait_s(policy, missing, now) > 0:
                continue
            try:
                taking = await take_uses(self._database, holder_id, missing * policy.interval_s, policy.burst_s)
            except Exception as error:  # noqa: BLE001 a limit that cannot be counted must not stop the API
                holder.uncounted_until = time.monotonic() + UNCOUNTED_S
                self._meters.uncounted()
                log.warning("limits.uncounted", policy=policy.name, reason=type(error).__name__)
                return True
            now = time.monotonic()
            allowance.full_at = now + taking.ahead_s
            if taking.taken:
                allowance.lease(missing, now)
                return allowance.use(uses, now)
        return False

    def _holder(self, holder_id: str) -> _Holder:
        holder = self._holders.get(holder_id)
        if holder is None:
            holder = self._holders[holder_id] = _Holder()
            if len(self._holders) > _MOST_HOLDERS:
                forgotten_id, _ = self._holders.popitem(last=False)
                self.refused.discard(forgotten_id)
        else:
            self._holders.move_to_end(holder_id)
        return holder
