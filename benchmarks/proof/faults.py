"""The sandbox's faults that make a cell's fault, and for how long each answer is held back so that a crash can come."""

from collections.abc import Iterator
from typing import Any

from benchmarks.proof.cells import FROZEN_PART, Cell, Crash, Fault, Mode
from benchmarks.proof.platforms import PLATFORMS, api_name

HOLD = 25.0
"""Seconds between the platform's action and its answer; less than a sender waits for an answer (30)."""
LATE = 33.0
"""Seconds; more than a sender waits for an answer."""
GIVEN_UP_AFTER = 31.0
"""Seconds after which a sender has stopped waiting for an answer."""
_FOR_GOOD = 1000
_OUTAGE = 4
"""How many requests an outage loses."""
_LIMITED_FOR = 2.0

_HELD = frozenset(
    {
        Crash.SENDING,
        Crash.UNRECORDED,
        Crash.ANSWER,
        Crash.TEMPORAL,
        Crash.POSTGRES,
        Crash.EVERYTHING,
        Crash.FAILOVER,
        *FROZEN_PART,
    }
)
"""Crashes that come while the request is in flight."""

Program = dict[str, Any]
_ACCEPTED: dict[Fault, tuple[str, Program]] = {
    Fault.DROPPED: ("accept_then_drop", {}),
    Fault.BROKEN: ("accept_then_500", {}),
    Fault.WRONG: ("accept_then_answer", {"status": 403, "body": "<html>Forbidden</html>"}),
}


def held(cell: Cell) -> float:
    """Return for how many seconds the answer to the first send is held back."""
    return HOLD if cell.crash in _HELD else 0.0


def answered_after(cell: Cell) -> float:
    """Return the seconds from a send's arrival until its sender has the answer or stops waiting."""
    return GIVEN_UP_AFTER if cell.fault in {Fault.LATE, Fault.ACCEPTED_LATE} else held(cell)


def point(cell: Cell) -> str:
    """Return the operation at which the crash comes."""
    return "prepare" if cell.crash is Crash.UPLOADING else operation(cell)


def operation(cell: Cell) -> str:
    """Return the operation of the request that makes the post public, or changes it."""
    return "edit" if cell.mode is Mode.EDIT else "publish"


def needs_its_owner(cell: Cell) -> bool:
    """Return whether the account stays refused until its owner reconnects it."""
    return cell.fault is Fault.EXPIRED and not PLATFORMS[cell.platform].renews


def programs(cell: Cell, account_id: str) -> list[Program]:
    """Return the faults to program for a post on an account of its own, in the order in which they occur."""
    uploading = [("accept_then_delay", "prepare", {"seconds": 0, "hold": HOLD})]
    faults = [*(uploading if cell.crash is Crash.UPLOADING and cell.fault is not Fault.DOWN else []), *_faults(cell)]
    return [_program(cell, account_id, *fault) for fault in faults]


def refusal(cell: Cell, account_id: str) -> Program:
    """Return the fault with which the platform permanently refuses every post."""
    return _program(cell, account_id, "reject", "publish", {"status": 400, "times": _FOR_GOOD})


def _program(cell: Cell, account_id: str, name: str, asked: str | None, more: dict[str, Any]) -> Program:
    target = {"platform": api_name(cell.platform), "accountId": account_id, "fault": name}
    return {**target, **({"operation": asked} if asked else {}), **more}


def _faults(cell: Cell) -> Iterator[tuple[str, str | None, dict[str, Any]]]:
    asked, hold = operation(cell), {"hold": held(cell)}
    match cell.fault:
        case Fault.NONE:
            # Without a hold this changes nothing.
            yield "accept_then_delay", asked, {"seconds": 0, **hold}
        case Fault.REFUSED:
            yield "reject", asked, {"status": 400, **hold}
            yield "reject", asked, {"status": 400, "times": _FOR_GOOD}
        case Fault.LIMITED:
            yield "rate_limited", asked, {"seconds": _LIMITED_FOR, **hold}
        case Fault.DROPPED | Fault.BROKEN | Fault.WRONG:
            name, answer = _ACCEPTED[cell.fault]
            yield name, asked, {**answer, **hold}
        case Fault.LATE | Fault.ACCEPTED_LATE:
            name = "accept_then_delay" if cell.fault is Fault.LATE else "accept_late"
            yield name, asked, {"seconds": LATE}
        case Fault.EXPIRED:
            yield "token_expired", asked, hold
            # Every request from then on, until the account is connected again.
            for operation_name in (asked, "confirm", "auth") if needs_its_owner(cell) else ():
                yield "token_expired", operation_name, {"times": _FOR_GOOD}
        case Fault.DOWN:
            yield from _outage(cell)


def _outage(cell: Cell) -> Iterator[tuple[str, str | None, dict[str, Any]]]:
    if cell.crash in _HELD:
        # The crucial request is the first that is lost, so that the crash comes between send and answer.
        yield "drop", operation(cell), {"hold": HOLD}
        yield "drop", operation(cell), {}
        yield "drop", "confirm", {"times": _OUTAGE - 2}
    elif cell.crash is Crash.UPLOADING:
        yield "drop", "prepare", {"hold": HOLD}
        yield "drop", None, {"times": _OUTAGE - 1}
    else:
        yield "drop", None, {"times": _OUTAGE}
