"""Let each account publish no faster than its network allows, without asking the network in vain.

A target takes its turn before anything is sent for it; until then it waits, and no attempt is spent on that.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from weakref import WeakValueDictionary

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from activities.desk import Step
from activities.verdicts import UNTIL_ALLOWANCE
from domain.attempts import AttemptStep
from domain.pace import Allowance, Pace, Turn
from platforms.base import Metered
from platforms.errors import LONGEST_LIMIT, Kind, NetworkError
from store.database import Database
from store.pacing import Lane, Place, enter, give_back, lease_question, note_silence, take, tell, used

log = structlog.get_logger(__name__)

_SOON = timedelta(seconds=2)
"""A turn that is so near is waited for in the step itself."""
_RENEWED_AFTER_S = 0.1
"""A turn is taken again where preparing took longer: it counts from the moment at which the network counts."""
_MARGIN = 30
_LARGEST_MARGIN = timedelta(seconds=2)
"""A pace's stretch is taken for longer by a 30th, at most by this: requests take unequally long to arrive."""
_FRESH_FOR = timedelta(minutes=10)
"""How long what a network said when it was asked is believed."""
_ASK_S = 15.0
"""How long a network may take to say what is left, and how long a step waits for that."""
_LEASE = timedelta(seconds=30)
"""Until when no other process asks; longer than the question may take."""
_LOOK_S = 0.5
"""Between two looks whether another process has been told."""
_SILENT_FOR = timedelta(minutes=1)
"""How long a network that did not say is not asked again."""
_ON_THEIR_WAY = timedelta(minutes=2)
"""Turns that were taken so shortly before a network was asked may not be counted in what it says."""
_SCARCE = 20
"""From how many that are left on it matters what a network tells with each answer."""

_LONGEST, _LONGEST_OF_OTHERS = timedelta(days=32), timedelta(days=2)
"""How long a network may say that nothing is left (X counts by the month), and a server that an account names."""

Wanted = tuple[Lane, Sequence[Pace]]


class NotYet(Exception):
    """It is not yet a target's turn, for `wait`; `capped` where its account has used up what it may do in hours."""

    def __init__(self, wait: timedelta, *, capped: bool) -> None:
        super().__init__(f"its turn is in {wait.total_seconds():.0f} s")
        self.wait = wait
        self.capped = capped


class Pacing:
    """Give turns. One per worker; switched off it costs nothing."""

    def __init__(self, database: Database, *, on: bool) -> None:
        self._database = database
        self._on = on
        self._gates: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()

    async def before_preparing(self, step: Step) -> None:
        """Take the turn of a target that is prepared ahead. Raises NotYet."""
        if self._on:
            await self._turns(step, [_preparing(step)])

    async def before_publishing(self, step: Step) -> None:
        """Take a target's turn to publish, and to prepare where that is still to be done. Raises NotYet."""
        if self._on:
            prepares = step.network.prepares(step.sending.draft) and not step.sending.handles
            await self._turns(step, [_preparing(step), _publishing(step)] if prepares else [_publishing(step)])
            step.turn_taken = time.monotonic()

    async def before_sending(self, step: Step) -> None:
        """Take the turn again where it was taken a while ago. Raises NotYet."""
        if self._on and time.monotonic() - step.turn_taken > _RENEWED_AFTER_S:
            await self._turns(step, [_publishing(step)])
            step.turn_taken = time.monotonic()

    async def answered(self, step: Step) -> None:
        """Note what the network told of the account's allowance while it published, once that is scarce."""
        told = next((each.allowance for each in reversed(step.last) if each.allowance), None)
        if self._on and told and told.until and told.left <= _SCARCE:
            # All turns since this one's may not have arrived yet.
            since = datetime.now(UTC) - timedelta(seconds=time.monotonic() - step.turn_taken)
            await self._tell(step, AttemptStep.PUBLISH, since, told.left, told.until)

    async def refused(self, step: Step | None, error: NetworkError, delay: timedelta, *, sending: bool) -> None:
        """Keep the account's other targets from being refused for the same limit."""
        if self._on and step and error.kind in {Kind.RATE_LIMITED, Kind.CAPPED}:
            everything = sending or error.kind is Kind.CAPPED
            now = datetime.now(UTC)
            until = now + min(delay, _longest(step))
            await self._tell(step, AttemptStep.PUBLISH if everything else AttemptStep.PREPARE, now, 0, until)

    async def _tell(self, step: Step, name: str, since: datetime, left: int, until: datetime) -> None:
        async with self._database.answers.transaction() as session:
            await tell(session, _lane(step, name), since, left, min(until, datetime.now(UTC) + _longest(step)))

    async def _turns(self, step: Step, wanted: Sequence[Wanted]) -> None:
        gate = self._gates.setdefault((step.server, step.account.id), asyncio.Lock())
        while True:
            # One at a time of a process: the others would each hold a connection to wait for the lane's lock, or each
            # ask the network the same.
            async with gate:
                turn = await self._take(step, wanted)
                if turn is None and isinstance(step.network, Metered):
                    await self._learn(step, step.network, wanted[-1][0])
                    turn = await self._take(step, wanted, knowing_enough=True)
            if turn is None or turn.wait <= timedelta(0):
                return
            if turn.wait > _SOON:
                capped = turn.wait if turn.waits_for is None else turn.waits_for
                raise NotYet(turn.wait, capped=capped > LONGEST_LIMIT)
            await asyncio.sleep(turn.wait.total_seconds())

    async def _take(self, step: Step, wanted: Sequence[Wanted], *, knowing_enough: bool = False) -> Turn | None:
        """Take all of the wanted turns, or none; return the longest to wait for. None: first ask what is left."""
        asks = isinstance(step.network, Metered) and not knowing_enough
        async with self._database.transaction() as session:
            turns = []
            for lane, paces in wanted:
                place = await enter(session, lane, step.sending.target_id, step.last_send)
                if asks and lane.step == AttemptStep.PUBLISH and place.is_to_be_asked:
                    return None
                turns.append((place, await take(session, place, _in_effect(paces, place.limit))))
            longest = max((turn for _, turn in turns), key=lambda turn: turn.wait)
            if longest.wait > timedelta(0):
                # What is free, but cannot be used yet, is left to others.
                for place, turn in turns:
                    if turn.wait <= timedelta(0):
                        await give_back(session, place)
            return longest

    async def _learn(self, step: Step, network: Metered[Any], lane: Lane) -> None:
        """Have the network asked what is left, by one process; the others wait for that, for so long as it may take."""
        give_up = time.monotonic() + _ASK_S
        while True:
            async with self._database.transaction() as session:
                place = await enter(session, lane, step.sending.target_id, step.last_send)
                if not place.is_to_be_asked:
                    return
                granted = await lease_question(session, lane, _LEASE)
            if granted:
                await self._ask(step, network, place)
                return
            if time.monotonic() > give_up:
                return
            await asyncio.sleep(_LOOK_S)

    async def _ask(self, step: Step, network: Metered[Any], place: Place) -> None:
        """Ask the network. If it does not answer in time, posts go on, and it is not asked again for a while."""
        allowance, seen = None, len(step.last)
        try:
            async with asyncio.timeout(_ASK_S):
                allowance = await network.allowance(step.connection)
        except (NetworkError, TimeoutError) as error:
            log.info("pacing.not_told", code=error.code if isinstance(error, NetworkError) else "timed_out")
        finally:
            # The attempt log tells of what was sent for the target.
            del step.last[seen:]
        async with self._database.answers.transaction() as session:
            if allowance is None:
                await note_silence(session, place.lane, _SILENT_FOR)
                return
            until = allowance.until or place.now + _FRESH_FOR
            if allowance.left <= 0 and allowance.until is None:
                until = await _until_the_first_is_forgotten(session, place, step.network.rules.paces, allowance)
            since, until = place.now - _ON_THEIR_WAY, min(until, place.now + _longest(step))
            await tell(session, place.lane, since, allowance.left, until, limit=allowance.limit, asked=True)


def _preparing(step: Step) -> Wanted:
    return _lane(step, AttemptStep.PREPARE), step.network.preparing_paces(step.sending.draft)


def _publishing(step: Step) -> Wanted:
    return _lane(step, AttemptStep.PUBLISH), step.network.rules.paces


def _lane(step: Step, name: str) -> Lane:
    return Lane(step.network.platform, step.server, step.account.id, name)


def _longest(step: Step) -> timedelta:
    return _LONGEST if step.vouched else _LONGEST_OF_OTHERS


def _in_effect(paces: Sequence[Pace], own_limit: int | None) -> list[Pace]:
    """Return the paces with the account's own number in place of the general one in the longest of them."""
    longest = max((pace.per for pace in paces), default=None)
    own = [replace(pace, limit=own_limit) if own_limit and pace.per == longest else pace for pace in paces]
    return [_with_margin(pace) for pace in own]


def _with_margin(pace: Pace) -> Pace:
    return replace(pace, per=pace.per + min(pace.per / _MARGIN, _LARGEST_MARGIN))


async def _until_the_first_is_forgotten(
    session: AsyncSession, place: Place, paces: Sequence[Pace], allowance: Allowance
) -> datetime:
    """Return when the first of the account's posts of the day counts no more, where all are ours; else ask hourly."""
    day = max(pace.per for pace in paces)
    ours, first = await used(session, place, day)
    if first is None or allowance.limit is None or ours < allowance.limit:
        return place.now + UNTIL_ALLOWANCE
    return max(first + day, place.now + _FRESH_FOR)
