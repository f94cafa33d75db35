"""Whether a crash struck a post at the point that its name promises, by what is seen from outside when it strikes."""

from dataclasses import dataclass

from benchmarks.proof.cells import CLOCKS, FROZEN_SENDING, FROZEN_WORKER, RESTORED, Cell, Crash, Mode
from benchmarks.proof.faults import HOLD, answered_after


@dataclass(frozen=True, slots=True)
class Observation:
    """What was seen of a post around the kill. Times are seconds since 1970; sandbox and proof share a clock."""

    killed_at: float = 0.0
    """After the signal was sent: nothing of the part happens later, or not before it is thawed."""
    arrived_at: float | None = None
    """When the request at which the crash strikes came in at the network, by the network's own log."""
    barred_since: float | None = None
    """From when on no attempt could be begun or closed in the database."""
    asked: bool = False
    """Its client has an open request, or has had an answer."""
    unanswered: bool = False
    """Its client waits for an answer, or did not hear the one that it got."""
    row: bool = False
    """What the client asked for is in the database."""
    started: bool = False
    """Its row shows that its workflow has heard of it."""
    taken: bool = False
    """Temporal says that a worker has its next task."""
    sending: bool = False
    """Its attempt says that the request is out."""
    held: bool = False
    """Its worker has held its request on the connection, right before the first byte."""


def crash_hit(cell: Cell, observation: Observation) -> bool:
    """Tell whether the crash hit the post where it was to hit."""
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
    """Tell whether the answer came while nothing could be recorded, and the worker was killed then."""
    if observation.arrived_at is None or observation.barred_since is None:
        return False
    answered_at = observation.arrived_at + answered_after(cell)
    return observation.sending and observation.barred_since < answered_at < observation.killed_at
