"""Kill or freeze the worker at every point of a renewal, on platforms whose refresh tokens can be used once.

The sandbox counts how often a used refresh token came again; X then ends all tokens of the consent. A connection is
lost if that happens while its tokens could still be used. One case remains that no sender can prevent: the platform has
issued new tokens, and the process that requested them is killed before they are stored. Then the old access token must
stay in use until it ends, and the account must say `lost_in_renewal` afterwards.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from benchmarks.proof.cases import Cases
from benchmarks.proof.freezes import frozen_worker
from benchmarks.proof.platforms import body
from benchmarks.proof.product import Product
from benchmarks.waiting import eventually, until

ACCOUNTS = ("pinterest", "tiktok", "twitter") * 3
"""The platforms of the accounts of each case: their refresh tokens can be used once."""
FEW_ACCOUNTS = ("twitter", "twitter")
_AT_POINT_S, _ENDS_WITHIN_S, _POLL = 60.0, 300.0, 0.3
_ANSWER_HELD_S = 15.0
"""How long the platform holds back its answer, so that the worker is hit while it waits."""
_TRIES = 3
_MARGIN_S = 2.0
"""How long the other worker stays once the frozen one continues."""

_DUE = """
UPDATE accounts SET connected_at = now() - interval '2 hours', renewed_at = NULL, renew_at = NULL,
  expires_at = now() + interval '4 minutes' WHERE id = ANY($1)
"""
_ROWS = """
SELECT id, renewal_started_at, renewing_until, renewal_error, renewed_at FROM accounts WHERE id = ANY($1)
"""


class Point(StrEnum):
    """A point of a renewal."""

    LEASED = "leased"
    FIRST_BYTE = "first byte"
    SENT = "sent"
    ANSWERED = "answered"
    STORED = "stored"


class Interruption(StrEnum):
    """An interruption of the worker at that point."""

    KILLED = "killed"
    FROZEN_20 = "frozen 20 s"
    FROZEN_120 = "frozen 120 s"


Case = tuple[Point, Interruption]
"""The interruption of a worker at a point of its renewals."""
FROZEN_S = {Interruption.FROZEN_20: 20.0, Interruption.FROZEN_120: 120.0}
"""The longer time is longer than the lease in the account's row."""
CANNOT_BE_KEPT = frozenset({(Point.SENT, Interruption.KILLED), (Point.ANSWERED, Interruption.KILLED)})
"""Cases in which no process is left that knows the new tokens."""
ALL = tuple((point, struck) for struck in Interruption for point in Point)
SHORT = ((Point.STORED, Interruption.KILLED),)
"""The cases that end soon."""
_MAY_BE_UNSURE = frozenset(
    {(Point.LEASED, Interruption.KILLED), *((Point.FIRST_BYTE, struck) for struck in Interruption)}
)
"""Cases in which nothing was sent, and no process can know that: not the next one, nor a worker whose connection the
platform has closed while it was frozen, so that its request fails.
"""


@dataclass(slots=True)
class Renewal:
    """One account's renewal and its outcome; `why` says what is wrong, and is empty if nothing is."""

    platform: str
    account_id: str
    point: Point
    struck: Interruption
    why: str = "not evaluated"
    posts: list[str] = field(default_factory=list)
    """The ids of its posts."""

    @property
    def is_right(self) -> bool:
        """Return whether it ended as it must."""
        return not self.why


class Renewals(Cases[Case, Renewal]):
    """The cases that one stack runs, one after the other, with an account of each of the platforms."""

    def __init__(self, product: Product, say: Callable[[str], None], platform_names: Sequence[str]) -> None:
        super().__init__(product, say)
        self._platform_names = platform_names

    async def _run(self, case: Case) -> list[Renewal]:
        point, struck = case
        for _ in range(_TRIES):
            if (renewals := await self._case(point, struck)) is not None:
                return renewals
            self._say(f"renewals {struck} at {point}: not at the point; again")
        return [Renewal(name, "", point, struck, "never at its point") for name in self._platform_names]

    async def _case(self, point: Point, struck: Interruption) -> list[Renewal] | None:
        """Kill or freeze the worker at a point; return None if not all accounts reached it."""
        names = self._platform_names
        lent = await self._accounts.lend(names)
        renewals = [Renewal(name, account, point, struck) for name, account in zip(names, lent, strict=True)]
        await self._product.rows(_DUE, lent)
        async with self._at_point(renewals) as release:
            await asyncio.gather(*map(self._publish, renewals))
            there = await eventually(lambda: self._all_there(renewals), _AT_POINT_S)
            if struck is Interruption.KILLED:
                had = self._product.kill("worker")
                await release()
                await self._product.back(had)
            else:
                frozen_until = datetime.now(UTC) + timedelta(seconds=FROZEN_S[struck])
                async with frozen_worker(self._product, release, _MARGIN_S):
                    await until(frozen_until)
        if not there:
            return None
        await asyncio.gather(*map(self._evaluate, renewals))
        right = sum(renewal.is_right for renewal in renewals)
        self._say(f"renewals {struck} at {point}: {right} of {len(renewals)} right")
        return renewals

    @asynccontextmanager
    async def _at_point(self, renewals: Sequence[Renewal]) -> AsyncIterator[Callable[[], Awaitable[None]]]:
        """Hold renewals at their point until the end of the block, or until released."""
        point = renewals[0].point
        inside = self._product.inside
        if point is Point.SENT:
            for name in self._platform_names:
                fault = {"platform": name, "fault": "accept_then_delay", "operation": "auth", "times": 1}
                await self._product.control("POST", "faults", fault | {"seconds": _ANSWER_HELD_S})
        else:
            inside.hold_renewals(point)

        async def release() -> None:
            inside.release_renewals()

        try:
            yield release
        finally:
            inside.release_renewals()
            await self._product.control("DELETE", "faults")

    async def _all_there(self, renewals: Sequence[Renewal]) -> bool:
        if renewals[0].point is Point.SENT:
            all_grants = await asyncio.gather(*map(self._grants, renewals))
            return all(sum(grant["renewals"] for grant in grants) == 1 for grants in all_grants)
        return {renewal.account_id for renewal in renewals} <= self._product.inside.renewing()

    async def _evaluate(self, renewal: Renewal) -> None:
        renewal.why = await self._fault(renewal)

    async def _fault(self, renewal: Renewal) -> str:
        """Return what is wrong with an account once its worker is back; an empty text if nothing is."""
        if not await eventually(lambda: self._is_published(renewal.posts[0]), _ENDS_WITHIN_S):
            return "its post was not published"
        if fault := _of_grants(await self._grants(renewal)):
            return fault
        (row,) = await self._product.rows(_ROWS, [renewal.account_id])
        case, unsure = (renewal.point, renewal.struck), row["renewal_started_at"] is not None
        if case not in _MAY_BE_UNSURE and unsure is not (case in CANNOT_BE_KEPT):
            return f"its row says {'' if unsure else 'not '}that a renewal may have been lost"
        # From now on only new tokens help.
        mine = {"platform": renewal.platform, "accountId": renewal.account_id, "only": "access"}
        await self._product.control("DELETE", "tokens", **mine)
        await self._publish(renewal)
        if case in CANNOT_BE_KEPT:
            is_named = await eventually(lambda: self._is_named_lost(renewal), _ENDS_WITHIN_S)
            return "" if is_named else "it does not say lost_in_renewal"
        if not await eventually(lambda: self._is_published(renewal.posts[1]), _ENDS_WITHIN_S):
            return "its tokens could not be renewed afterwards"
        return _of_grants(await self._grants(renewal))

    async def _publish(self, renewal: Renewal) -> None:
        new_post = body(renewal.platform, renewal.account_id, f"Renewed: {secrets.token_hex(6)}") | {"publishNow": True}
        answer = await self._product.api.post("/v1/posts", json=new_post, headers={"Prefer": "wait=0"})
        answer.raise_for_status()
        renewal.posts.append(answer.json()["id"])

    async def _is_published(self, post_id: str) -> bool:
        answer = await self._product.api.get(f"/v1/posts/{post_id}")
        return bool(answer.is_success and answer.json()["status"] == "published")

    async def _is_named_lost(self, renewal: Renewal) -> bool:
        (row,) = await self._product.rows(_ROWS, [renewal.account_id])
        return bool(row["renewal_error"] == "lost_in_renewal")

    async def _grants(self, renewal: Renewal) -> list[dict[str, Any]]:
        mine = {"platform": renewal.platform, "accountId": renewal.account_id}
        return list((await self._product.control("GET", "tokens", **mine))["grants"])


def _of_grants(grants: Sequence[dict[str, Any]]) -> str:
    """Return the error that a platform has seen: a refresh token that came again."""
    replays = sum(grant["replays"] for grant in grants)
    return f"a used refresh token was sent {replays} times more, which ends the connection" if replays else ""
