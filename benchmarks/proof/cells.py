"""The matrix as data: which network, which way of publishing, which fault, which crash."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase

from benchmarks.proof.networks import NETWORKS


class Mode(StrEnum):
    """How the post is asked for."""

    NOW = "publishNow"
    SCHEDULED = "scheduled"
    CHANGED = "changed"
    """Scheduled for later, and given another text and published at once by a PATCH."""
    RETRY = "retry"
    EDIT = "edit"


class Fault(StrEnum):
    """What the network does to the request that makes the post public (or changes it)."""

    NONE = "none"
    REFUSED = "refused"
    LIMITED = "429"
    DROPPED = "accept-then-drop"
    BROKEN = "accept-then-500"
    LATE = "answers-late"
    EXPIRED = "token-expired"
    DOWN = "network-down"


class Crash(StrEnum):
    """What is killed with SIGKILL, and when."""

    NONE = "none"
    BEFORE = "worker-before-send"
    SENDING = "worker-while-sending"
    UNRECORDED = "worker-before-recording"
    UPLOADING = "worker-while-uploading"
    ROW = "api-before-start"
    ANSWER = "api-before-answer"
    TEMPORAL = "temporal"
    POSTGRES = "postgres"
    EVERYTHING = "everything"


@dataclass(frozen=True, slots=True)
class Cell:
    """Be one post's lot."""

    network: str
    mode: Mode
    fault: Fault
    crash: Crash

    def __str__(self) -> str:
        return f"{self.network}/{self.mode}/{self.fault}/{self.crash}"

    @property
    def left_out(self) -> str | None:
        """Say why this lot has no meaning, None where it has one."""
        traits = NETWORKS[self.network]
        if self.mode is Mode.EDIT and not traits.editable:
            return "the network has no edit"
        if self.crash is Crash.UPLOADING and self.mode is Mode.EDIT:
            return "an edit uploads nothing"
        if self.crash is Crash.UPLOADING and not traits.uploads:
            return "files travel in the request that publishes, so this is worker-while-sending"
        return None


_SHORT: dict[Crash, tuple[frozenset[Mode], frozenset[Fault]]] = {
    Crash.NONE: (
        frozenset({Mode.NOW, Mode.RETRY}),
        frozenset({Fault.NONE, Fault.REFUSED, Fault.DROPPED, Fault.EXPIRED}),
    ),
    Crash.SENDING: (frozenset({Mode.NOW, Mode.EDIT}), frozenset({Fault.NONE, Fault.BROKEN})),
    Crash.UNRECORDED: (frozenset({Mode.NOW}), frozenset({Fault.NONE})),
    Crash.ROW: (frozenset({Mode.NOW, Mode.SCHEDULED, Mode.CHANGED}), frozenset({Fault.NONE})),
    Crash.EVERYTHING: (frozenset({Mode.NOW}), frozenset({Fault.DROPPED})),
}
"""What the short version has, on every network: those that are over soon."""
_SLOW = frozenset({"googlebusiness", "youtube"})
"""Networks whose silence about a post is believed late only."""


def short(cell: Cell) -> bool:
    """Tell whether the short version has this cell."""
    modes, faults = _SHORT.get(cell.crash, (frozenset(), frozenset()))
    slow = cell.crash is Crash.EVERYTHING and cell.network in _SLOW
    return cell.mode in modes and cell.fault in faults and not slow


def every() -> Iterator[Cell]:
    """Yield every combination, those without a meaning too."""
    for crash in Crash:
        for network in NETWORKS:
            for mode in Mode:
                for fault in Fault:
                    yield Cell(network, mode, fault, crash)


def chosen(pattern: str = "*/*/*/*", *, networks: Iterable[str] = (), shortened: bool = False) -> list[Cell]:
    """Return the cells whose names match NETWORK/MODE/FAULT/CRASH, each part with * and ? as in file names."""
    wanted = set(networks) or set(NETWORKS)
    parts = pattern.split("/")
    if len(parts) != 4:
        raise ValueError("write NETWORK/MODE/FAULT/CRASH, each of which may be *")
    return [
        cell
        for cell in every()
        if cell.left_out is None
        and cell.network in wanted
        and (not shortened or short(cell))
        and all(fnmatchcase(value, part) for value, part in zip(str(cell).split("/"), parts, strict=True))
    ]
