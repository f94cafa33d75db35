"""Which faults of the sandbox make a cell's fault, and how long each is held back for a crash to strike in."""

from typing import Any

from benchmarks.proof.cells import Crash, Fault, Mode
from benchmarks.proof.posts import Post, fault

HOLD = 25.0
"""Seconds between what the network does and what its sender would see; less than a sender waits for an answer (30)."""
LATE = 33.0
"""Seconds: more than a sender waits for an answer."""
_FOR_GOOD = 50
_OUTAGE = 4
"""How many requests an outage swallows."""
_LIMITED_FOR = 2.0

_HELD = frozenset({Crash.SENDING, Crash.UNRECORDED, Crash.ANSWER, Crash.TEMPORAL, Crash.POSTGRES, Crash.EVERYTHING})
"""Crashes that strike while the request is out."""


def held(post: Post) -> float:
    """Return for how long the answer to the first send is held back."""
    return HOLD if post.cell.crash in _HELD else 0.0


def point(post: Post) -> str | None:
    """Return the operation at which the crash strikes; None where any request counts."""
    if post.cell.fault is Fault.DOWN:
        return None
    if post.cell.crash is Crash.UPLOADING:
        return "prepare"
    return _operation(post)


def programs(post: Post) -> list[dict[str, Any]]:
    """Return the faults to program for a post, in the order in which they strike."""
    cell, operation, hold = post.cell, _operation(post), held(post)
    uploading = cell.crash is Crash.UPLOADING
    first = [fault(post, "accept_then_delay", "prepare", seconds=0, hold=HOLD)] if uploading else []
    match cell.fault:
        case Fault.NONE:
            return [*first, fault(post, "accept_then_delay", operation, seconds=0, hold=hold)] if hold else first
        case Fault.REFUSED:
            refused = {"status": 400}
            again = fault(post, "reject", operation, times=_FOR_GOOD, **refused)
            return [*first, fault(post, "reject", operation, hold=hold, **refused), again]
        case Fault.LIMITED:
            return [*first, fault(post, "rate_limited", operation, seconds=_LIMITED_FOR, hold=hold)]
        case Fault.DROPPED:
            return [*first, fault(post, "accept_then_drop", operation, hold=hold)]
        case Fault.BROKEN:
            return [*first, fault(post, "accept_then_500", operation, hold=hold)]
        case Fault.LATE:
            return [*first, fault(post, "accept_then_delay", operation, seconds=LATE)]
        case Fault.EXPIRED:
            return [*first, fault(post, "token_expired", operation, hold=hold)]
        case Fault.DOWN:
            begins = HOLD if uploading else hold
            return [fault(post, "drop", None, hold=begins), fault(post, "drop", None, times=_OUTAGE - 1)]


def answered_after(post: Post) -> float:
    """Return the seconds from a send's arrival until its sender knows, or stops waiting."""
    return 31.0 if post.cell.fault is Fault.LATE else held(post)


def _operation(post: Post) -> str:
    return "edit" if post.cell.mode is Mode.EDIT else "publish"
