"""Verdicts: does a post's status match what the platform shows, and is it the outcome that the cell must have?"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any

from benchmarks.proof.cells import FROZEN_WORKER, LOSES_ROWS, Cell, Crash, Fault, Mode
from benchmarks.proof.faults import needs_its_owner
from benchmarks.proof.platforms import PLATFORMS


class VerdictKind(StrEnum):
    """A post's outcome, the worst one that applies."""

    RIGHT = "right"
    DOUBLE = "double"
    """More than one public post."""
    EARLY = "early"
    """Public before its time."""
    LOST = "lost"
    """A crash made it fail, or it is not public and no workflow works on it."""
    DISAGREES = "disagrees"
    """Its status contradicts what the platform shows."""
    UNEXPECTED = "unexpected"
    """Status and platform agree, but the outcome is not the expected one."""
    LIE = "lie"
    """A client or an operator got an answer that is not what happened."""
    MISSED = "missed"
    """The crash did not come at its point, so nothing is proven."""


@dataclass(frozen=True, slots=True)
class Facts:
    """The facts about one post: what the API says, and what the platform shows of it (ids and texts)."""

    status: str
    """The status of its one target."""
    category: str | None = None
    platform_post_id: str | None = None
    content: str = ""
    public: list[tuple[str, str]] = field(default_factory=list)
    struck: bool = True
    settled: bool = True
    crashes: frozenset[Crash] = frozenset()
    """All crashes that affected it: its own, and those of other posts while it was unconfirmed."""
    waited_as: str = ""
    """The status in which it waited for its account to be reconnected."""
    shown_while_waiting: int = 0
    shown_when_canceled: int | None = None
    early: bool = False
    """Whether it was public before it was due."""
    tried_for: timedelta = timedelta(0)
    """The time from its first send to its last attempt, if that is known."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A post's outcome, and why it is wrong if it is."""

    kind: VerdictKind
    why: str = ""


_ANSWER_LOST = frozenset({Fault.DROPPED, Fault.BROKEN, Fault.WRONG, Fault.LATE, Fault.ACCEPTED_LATE, Fault.DOWN})
_ACCEPTED = frozenset({Fault.NONE, Fault.DROPPED, Fault.BROKEN, Fault.WRONG, Fault.LATE, Fault.ACCEPTED_LATE})
_LOSE_ANSWERS = frozenset(
    {
        Crash.SENDING,
        Crash.UNRECORDED,
        Crash.POSTGRES,
        Crash.EVERYTHING,
        Crash.TEMPORAL_FROZEN,
        Crash.POSTGRES_FROZEN,
        *FROZEN_WORKER,
    }
)
"""Crashes after which a request may have been sent whose answer is not recorded."""


def public_posts(mark: str, shown: Iterable[dict[str, Any]]) -> list[tuple[str, str]]:
    """Return ids and texts that a platform shows of a post now, given all posts that the sandbox ever made public."""
    return [
        (post["platformPostId"], post["text"])
        for post in shown
        if mark in post["text"] and not post["deleted"] and post["supersededBy"] is None
    ]


def evaluate(cell: Cell, seen: Facts, new_text: str = "") -> Verdict:
    """Return the verdict; `new_text` is the post's text after an edit or a change."""
    if max(len(seen.public), seen.shown_while_waiting) > 1:
        return Verdict(VerdictKind.DOUBLE, f"{max(len(seen.public), seen.shown_while_waiting)} public posts")
    if seen.early:
        return Verdict(VerdictKind.EARLY, "public before it was due")
    if seen.shown_when_canceled is not None and len(seen.public) > seen.shown_when_canceled:
        return Verdict(VerdictKind.LIE, "published after its cancel was over")
    if seen.status == "failed" and seen.category == "internal" and cell.mode is not Mode.CANCELED:
        return Verdict(VerdictKind.LOST, "failed with category internal")
    if disagreement := _disagreement(seen):
        return Verdict(VerdictKind.DISAGREES, disagreement)
    if not seen.settled:
        return Verdict(VerdictKind.LOST, f"still {seen.status} at the end")
    if seen.status not in (statuses := expected(cell, seen)):
        return Verdict(VerdictKind.UNEXPECTED, f"{seen.status}, not {' or '.join(sorted(statuses))}")
    if wrong := _wrong_way(cell, seen, new_text):
        return wrong
    return (
        Verdict(VerdictKind.RIGHT)
        if seen.struck
        else Verdict(VerdictKind.MISSED, "not at that point when it was killed")
    )


def _disagreement(seen: Facts) -> str | None:
    ids = [platform_post_id for platform_post_id, _ in seen.public]
    if seen.waited_as == "held" and seen.shown_while_waiting:
        return "held, yet public"
    match seen.status:
        case "published" if seen.platform_post_id not in ids:
            return f"published as {seen.platform_post_id}, public is {ids or 'nothing'}"
        case "failed" | "held" | "pending" | "scheduled" if ids:
            return f"{seen.status}, yet public as {ids[0]}"
    return None


def expected(cell: Cell, seen: Facts) -> set[str]:
    """Return the statuses in which the target may end."""
    traits = PLATFORMS[cell.platform]
    if cell.mode is Mode.EDIT:
        return {"published"}
    if cell.mode is Mode.CANCELED:
        # It depends on the moment of the crash; in every case the status must be true.
        return {"published", "failed", "unconfirmed"}
    statuses = {"failed"} if cell.fault is Fault.REFUSED else {"published"}
    lost = cell.fault in _ANSWER_LOST or seen.crashes & _LOSE_ANSWERS
    # If the platform cannot show whether there is such a post, unconfirmed is the correct status.
    if lost and (not traits.readable or not (traits.rules_out or seen.public)):
        statuses |= {"unconfirmed"}
    if lost and traits.confirms_within and seen.tried_for > traits.confirms_within:
        statuses |= {"unconfirmed"}
    # The ids that a send left in the rows, by which other platforms find the post, are lost with the rows.
    if cell.crash in LOSES_ROWS and not traits.found_by_words:
        statuses |= {"unconfirmed"}
    return statuses


def _wrong_way(cell: Cell, seen: Facts, new_text: str) -> Verdict | None:
    """Return what is wrong with a post whose status is one of those expected."""
    if cell.mode is Mode.EDIT:
        return _wrong_edit(cell, seen, new_text)
    if needs_its_owner(cell):
        waits = {"held", "unconfirmed"} if seen.crashes & _LOSE_ANSWERS else {"held"}
        if seen.waited_as not in waits:
            return Verdict(
                VerdictKind.UNEXPECTED, f"it was {seen.waited_as or 'never'} held until its account was reconnected"
            )
    if cell.mode in {Mode.CHANGED, Mode.DRAFTED} and {seen.content, *(text for _, text in seen.public)} != {new_text}:
        return Verdict(VerdictKind.UNEXPECTED, "the change was not made")
    if seen.status == "unconfirmed" and not seen.crashes - LOSES_ROWS and cell.fault in _ACCEPTED and not seen.public:
        return Verdict(VerdictKind.LOST, "the platform took it, and does not show it")
    return None


def _wrong_edit(cell: Cell, seen: Facts, new_text: str) -> Verdict | None:
    shown = seen.public[0][1]
    if shown != seen.content:
        return Verdict(VerdictKind.DISAGREES, "the API tells another text than the platform shows")
    if (shown == new_text) is (cell.fault is Fault.REFUSED):
        return Verdict(VerdictKind.UNEXPECTED, "the edit was made" if shown == new_text else "the edit was not made")
    return None
