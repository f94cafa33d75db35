"""Whether what a post says of itself is what the network shows, and whether it is what had to come of it."""

from dataclasses import dataclass, field
from enum import StrEnum

from benchmarks.proof.cells import Cell, Crash, Fault, Mode
from benchmarks.proof.networks import NETWORKS


class Kind(StrEnum):
    """How a post ended, the worst that is true of it."""

    RIGHT = "right"
    DOUBLE = "double"
    """More than one public post."""
    LOST = "lost"
    """A crash made it fail, or it is nowhere and nobody works on it."""
    DISAGREES = "disagrees"
    """Its status says something else than the network shows."""
    UNEXPECTED = "unexpected"
    """Status and reality agree, yet something else had to come of it."""
    MISSED = "missed"
    """The crash did not strike at its point, so nothing is proven."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Hold what became of one post: what the API says, and what the network shows of it (ids and texts)."""

    status: str
    """Of its one target."""
    category: str | None = None
    platform_post_id: str | None = None
    content: str = ""
    public: list[tuple[str, str]] = field(default_factory=list)
    struck: bool = True
    settled: bool = True


@dataclass(frozen=True, slots=True)
class Verdict:
    """Say how a post ended, and why that is wrong where it is."""

    kind: Kind
    why: str = ""


_ANSWER_LOST = frozenset({Fault.DROPPED, Fault.BROKEN, Fault.LATE, Fault.DOWN})


def judge(cell: Cell, facts: Facts, new_text: str = "") -> Verdict:
    """Return the verdict; `new_text` is what an edit was to make of the post."""
    count = len(facts.public)
    if count > 1:
        return Verdict(Kind.DOUBLE, f"{count} public posts")
    if facts.status == "failed" and facts.category == "internal":
        return Verdict(Kind.LOST, "failed with category internal")
    if disagreement := _disagreement(facts):
        return Verdict(Kind.DISAGREES, disagreement)
    if not facts.settled and facts.status not in {"held", "unconfirmed"}:
        return Verdict(Kind.LOST, f"still {facts.status} at the end")
    if facts.status not in expected(cell):
        return Verdict(Kind.UNEXPECTED, f"{facts.status}, not {' or '.join(sorted(expected(cell)))}")
    if cell.mode is Mode.EDIT and (wrong := _wrong_edit(cell, facts, new_text)):
        return wrong
    return Verdict(Kind.RIGHT) if facts.struck else Verdict(Kind.MISSED, "not at that point when it was killed")


def _disagreement(facts: Facts) -> str | None:
    ids = [platform_post_id for platform_post_id, _ in facts.public]
    match facts.status:
        case "published" if facts.platform_post_id not in ids:
            return f"published as {facts.platform_post_id}, public is {ids or 'nothing'}"
        case "failed" | "held" | "pending" | "scheduled" if ids:
            return f"{facts.status}, yet public as {ids[0]}"
    return None


def expected(cell: Cell) -> set[str]:
    """Return the statuses of the target in which this may end."""
    traits = NETWORKS[cell.network]
    if cell.mode is Mode.EDIT:
        return {"published"}
    statuses = {"failed"} if cell.fault is Fault.REFUSED else {"published"}
    if cell.fault is Fault.EXPIRED and not traits.renews:
        # Its owner has to come; until then surely nothing is public.
        statuses |= {"held", "failed"}
    if not traits.readable and (cell.fault in _ANSWER_LOST or cell.crash is not Crash.NONE):
        statuses |= {"unconfirmed"}
    return statuses


def _wrong_edit(cell: Cell, facts: Facts, new_text: str) -> Verdict | None:
    shown = facts.public[0][1]
    if shown != facts.content:
        return Verdict(Kind.DISAGREES, "the API tells another text than the network shows")
    if (shown == new_text) is (cell.fault is Fault.REFUSED):
        return Verdict(Kind.UNEXPECTED, "the edit was made" if shown == new_text else "the edit was not made")
    return None
