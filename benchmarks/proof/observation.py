"""Observations from outside at the moment of a crash, which show whether it hit a post at the intended point."""

from dataclasses import dataclass

from benchmarks.proof.cells import CLOCKS, FROZEN_SENDING, FROZEN_WORKER, RESTORED, Cell, Crash, Mode
from benchmarks.proof.faults import HOLD, answered_after


@dataclass(frozen=True, slots=True)
class Observation:
    """The observations of a post around the kill. Times are seconds since 1970; sandbox and proof share a clock."""

    killed_at: float = 0.0
    """After the signal was sent: the part does nothing later, or nothing before it is thawed."""
    arrived_at: float | None = None
    """When the request at which the crash comes arrived at the platform, by the platform's own log."""
    barred_since: float | None = None
    """The time from which no attempt could be begun or closed in the database."""
    asked: bool = False
    """The post's client has an open request, or got an answer."""
    unanswered: bool = False
    """The post's client waits for an answer, or never received it."""
    row: bool = False
    """The client's request is in the database."""
    started: bool = False
    """The post's row shows that its workflow knows of the request."""
    taken: bool = False
    """Temporal says that a worker has the post's next task."""
    sending: bool = False
    """The post's attempt says that the request was sent."""
    held: bool = False
    """The worker has held the post's request on the connection, right before the first byte."""


def crash_hit(cell: Cell, observation: Observation) -> bool:
    """Return whether the crash hit the post at its point."""
    if cell.crash is Crash.NONE or cell.crash in CLOCKS:
        return True
    if cell.crash in FROZEN_WORKER:
        at_first_byte = cell.crash in FROZEN_SENDING
        return observation.sending and _unsent(observation) and (observation.held or not at_first_byte)
    if cell.crash in RESTORED and cell.crash is not Crash.FAILOVER:
        return observation.arrived_at is not None and not observation.sending
    return _struck_by_kill(cell, observation)


def _struck_by_kill(cell: Cell, observation: Observation) -> bool:
    out = observation.arrived_at is not None and observation.killed_at < observation.arrived_at + HOLD
    match cell.crash:
        case Crash.BEFORE:
            return observation.taken and observation.arrived_at is None
        case Crash.UNRECORDED:
            return _unrecorded(cell, observation)
        case Crash.ROW:
            return observation.row and not observation.started
        case Crash.ANSWER if cell.mode is Mode.SCHEDULED:
            return observation.started and observation.unanswered
        case Crash.ANSWER:
            return out and observation.unanswered
        case Crash.EVERYTHING:
            return observation.asked and (observation.arrived_at is None or out)
        case _:
            return out


def _unsent(observation: Observation) -> bool:
    return observation.arrived_at is None or observation.killed_at < observation.arrived_at


def _unrecorded(cell: Cell, observation: Observation) -> bool:
    """Return whether the answer came while nothing could be recorded, and the worker was killed then."""
    if observation.arrived_at is None or observation.barred_since is None:
        return False
    answered_at = observation.arrived_at + answered_after(cell)
    return observation.sending and observation.barred_since < answered_at < observation.killed_at
