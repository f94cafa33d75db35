"""The matrix of the proof as data: platform, way of publishing, fault, crash."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase

from benchmarks.proof.platforms import PLATFORMS


class Mode(StrEnum):
    """The way in which a client publishes the post."""

    NOW = "publishNow"
    SCHEDULED = "scheduled"
    CHANGED = "changed"
    """Scheduled for later; a PATCH then gives it another text and publishes it now."""
    DRAFTED = "drafted"
    """Scheduled for later, then made a draft; the next PATCH gives it another text and publishes it now."""
    RETRY = "retry"
    EDIT = "edit"
    CANCELED = "canceled"
    """Published now; an operator cancels its workflow after the crash."""


class Fault(StrEnum):
    """The platform's fault at the request that makes the post public (or changes it)."""

    NONE = "none"
    REFUSED = "refused"
    LIMITED = "429"
    DROPPED = "accept-then-drop"
    BROKEN = "accept-then-500"
    WRONG = "accept-then-wrong-answer"
    """A gateway's page that says 403."""
    LATE = "answers-late"
    ACCEPTED_LATE = "accepts-late"
    EXPIRED = "token-expired"
    DOWN = "platform-down"


class Crash(StrEnum):
    """The part that is killed (SIGKILL), frozen (SIGSTOP), restored from a copy or set to a wrong time, and when."""

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
    FROZEN_5 = "worker-frozen-5s"
    FROZEN_20 = "worker-frozen-20s"
    FROZEN_120 = "worker-frozen-120s"
    HELD_5 = "worker-frozen-at-first-byte-5s"
    HELD_20 = "worker-frozen-at-first-byte-20s"
    HELD_120 = "worker-frozen-at-first-byte-120s"
    API_FROZEN = "api-frozen"
    TEMPORAL_FROZEN = "temporal-frozen"
    POSTGRES_FROZEN = "postgres-frozen"
    FAILOVER = "failover-with-lost-commits"
    RESTORED_POSTGRES = "restored-postgres"
    RESTORED_TEMPORAL = "restored-temporal"
    RESTORED_BOTH = "restored-both"
    CLOCKS_APART = "api-ahead-worker-behind"
    CLOCKS_APART_2 = "api-behind-worker-ahead"


FROZEN_WRITING = {Crash.FROZEN_5: 5.0, Crash.FROZEN_20: 20.0, Crash.FROZEN_120: 120.0}
"""For how many seconds the worker is frozen while the database writes its attempts, before it gets the answer."""
FROZEN_SENDING = {Crash.HELD_5: 5.0, Crash.HELD_20: 20.0, Crash.HELD_120: 120.0}
"""For how many seconds the worker is frozen on its connections, right before the first byte of its requests."""
FROZEN_WORKER = FROZEN_WRITING | FROZEN_SENDING
RESTORED = {
    Crash.FAILOVER: frozenset({"database"}),
    Crash.RESTORED_POSTGRES: frozenset({"database"}),
    Crash.RESTORED_TEMPORAL: frozenset({"temporal"}),
    Crash.RESTORED_BOTH: frozenset({"database", "temporal"}),
}
"""The stores that are restored to an earlier moment: at the failover while requests are in flight, else once all posts
are published.
"""
LOSES_ROWS = frozenset(crash for crash, stores in RESTORED.items() if "database" in stores)
CLOCKS = {Crash.CLOCKS_APART: {"api": 5.0, "worker": -5.0}, Crash.CLOCKS_APART_2: {"api": -5.0, "worker": 5.0}}
"""By how many seconds the clocks of parts are wrong; the clocks of all other parts, Temporal included, are right."""
FROZEN_PART = {Crash.API_FROZEN: "api", Crash.TEMPORAL_FROZEN: "temporal", Crash.POSTGRES_FROZEN: "postgres"}
"""The servers that are frozen while requests are in flight."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One combination of the matrix, for one post."""

    platform: str
    mode: Mode
    fault: Fault
    crash: Crash

    def __str__(self) -> str:
        return f"{self.platform}/{self.mode}/{self.fault}/{self.crash}"

    @property
    def left_out(self) -> str | None:
        """Return why this combination is left out; None if it is not."""
        traits = PLATFORMS[self.platform]
        if self.mode is Mode.EDIT and not traits.editable:
            return "the platform has no edit"
        if self.crash is Crash.UPLOADING and self.mode is Mode.EDIT:
            return "an edit uploads nothing"
        if self.crash is Crash.UPLOADING and not traits.uploads:
            return "files travel in the request that publishes, so this is worker-while-sending"
        return self._tells_nothing_more

    @property
    def _tells_nothing_more(self) -> str | None:
        """Return why this combination would prove nothing more, or None."""
        if self.crash in FROZEN_WRITING and (self.mode is not Mode.SCHEDULED or self.fault is not Fault.NONE):
            return (
                "a worker that is frozen while it writes is tried with scheduled posts, whose rows can be locked before"
            )
        if self.crash in FROZEN_SENDING and (self.mode not in {Mode.NOW, Mode.EDIT} or self.fault is not Fault.NONE):
            return "a worker that is frozen before the first byte is tried with first requests and edits"
        if self.crash in RESTORED:
            return self._lost_for_good
        if self.crash in CLOCKS and (
            self.mode not in {Mode.NOW, Mode.SCHEDULED, Mode.CHANGED, Mode.DRAFTED, Mode.RETRY}
            or self.fault not in {Fault.NONE, Fault.DROPPED}
        ):
            return "wrong clocks are tried with first requests, and a platform that does not fail or loses its answer"
        if self.crash in FROZEN_PART and (self.mode not in {*_SIMPLE, Mode.CHANGED} or self.fault is not Fault.NONE):
            return "frozen servers are tried with platforms that do not fail"
        if self.mode in {Mode.DRAFTED, Mode.CANCELED} and self.fault not in {Fault.NONE, Fault.DROPPED}:
            return "drafts and cancels are tried with a platform that does not fail, or loses its answer"
        if self.fault is Fault.ACCEPTED_LATE and self.crash not in {Crash.NONE, Crash.SENDING}:
            return "a platform that accepts late is tried without a crash, and with one while it does"
        if self.fault is Fault.ACCEPTED_LATE and self.mode is Mode.EDIT:
            return "an edit that is accepted late is an edit"
        return None

    @property
    def _lost_for_good(self) -> str | None:
        """Return why this combination cannot show a restore's effect, or None; docs/backup.md says what is lost."""
        modes = {Mode.NOW, Mode.SCHEDULED, Mode.CHANGED}
        if self.crash in LOSES_ROWS and self.mode is Mode.CHANGED and not PLATFORMS[self.platform].found_by_words:
            return "what was moved into the lost time is found again by words only"
        if self.crash is Crash.RESTORED_BOTH and self.mode is Mode.NOW:
            return "nothing that is left tells of a post that was made in the lost time of both stores"
        if self.mode not in modes or self.fault is not Fault.NONE:
            return "restores are tried with first requests and a platform that does not fail"
        return None


_SIMPLE = frozenset({Mode.NOW, Mode.SCHEDULED})
_SHORT: dict[Crash, tuple[frozenset[Mode], frozenset[Fault]]] = {
    Crash.NONE: (
        frozenset({Mode.NOW, Mode.RETRY, Mode.CANCELED}),
        frozenset({Fault.NONE, Fault.REFUSED, Fault.DROPPED, Fault.WRONG, Fault.EXPIRED}),
    ),
    Crash.SENDING: (frozenset({Mode.NOW, Mode.EDIT}), frozenset({Fault.NONE, Fault.BROKEN})),
    Crash.UNRECORDED: (frozenset({Mode.NOW}), frozenset({Fault.NONE})),
    Crash.ROW: (frozenset({Mode.NOW, Mode.SCHEDULED, Mode.CHANGED, Mode.DRAFTED}), frozenset({Fault.NONE})),
    Crash.ANSWER: (frozenset({Mode.SCHEDULED}), frozenset({Fault.NONE})),
    Crash.FROZEN_5: (frozenset({Mode.SCHEDULED}), frozenset({Fault.NONE})),
    Crash.HELD_20: (frozenset({Mode.NOW, Mode.EDIT}), frozenset({Fault.NONE})),
    Crash.EVERYTHING: (frozenset({Mode.NOW}), frozenset({Fault.DROPPED})),
    Crash.FAILOVER: (frozenset({Mode.NOW, Mode.SCHEDULED}), frozenset({Fault.NONE})),
    Crash.RESTORED_BOTH: (frozenset({Mode.SCHEDULED}), frozenset({Fault.NONE})),
    Crash.CLOCKS_APART: (frozenset({Mode.NOW, Mode.SCHEDULED, Mode.DRAFTED}), frozenset({Fault.NONE})),
}
"""The combinations of the short version, on every platform: those that end soon."""
_SLOW = frozenset({"googlebusiness", "pinterest", "youtube"})
"""Platforms on which the absence of a post counts as certain only after a long time."""
_WAITS_FOR_ABSENCE = frozenset({Crash.EVERYTHING, *FROZEN_WORKER})


def short(cell: Cell) -> bool:
    """Return whether the short version has this cell."""
    modes, faults = _SHORT.get(cell.crash, (frozenset(), frozenset()))
    # A retry whose token is refused, too, waits twice.
    waits = cell.crash in _WAITS_FOR_ABSENCE or (cell.mode, cell.fault) == (Mode.RETRY, Fault.EXPIRED)
    return cell.mode in modes and cell.fault in faults and not (waits and cell.platform in _SLOW)


def every() -> Iterator[Cell]:
    """Yield every combination, including those without a meaning."""
    for crash in Crash:
        for platform in PLATFORMS:
            for mode in Mode:
                for fault in Fault:
                    yield Cell(platform, mode, fault, crash)


def chosen(pattern: str = "*/*/*/*", *, platforms: Iterable[str] = (), shortened: bool = False) -> list[Cell]:
    """Return the cells whose names match PLATFORM/MODE/FAULT/CRASH, each part with * and ? as in file names."""
    chosen_platforms = set(platforms) or set(PLATFORMS)
    parts = pattern.split("/")
    if len(parts) != 4:
        raise ValueError("write PLATFORM/MODE/FAULT/CRASH, each of which may be *")
    return [
        cell
        for cell in every()
        if cell.left_out is None
        and cell.platform in chosen_platforms
        and (not shortened or short(cell))
        and all(fnmatchcase(value, part) for value, part in zip(str(cell).split("/"), parts, strict=True))
    ]
