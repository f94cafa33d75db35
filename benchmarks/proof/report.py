"""The report of a run: tables, totals, the failures with the command that repeats each, and the verdict in one line."""

import os
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from benchmarks.proof.cells import (
    CLOCKS,
    FROZEN_PART,
    FROZEN_WORKER,
    LOSES_ROWS,
    RESTORED,
    Crash,
    Fault,
    Mode,
    every,
)
from benchmarks.proof.pauses import PauseOutcome, Scope, Strike
from benchmarks.proof.plans import PlansOutcome
from benchmarks.proof.platforms import PLATFORMS
from benchmarks.proof.posts import Post
from benchmarks.proof.renewals import CANNOT_BE_KEPT, Interruption, Point, Renewal
from benchmarks.proof.verdict import VerdictKind

_PAGE = """# Tables of the proof

*For people who judge the service.*

See how every combination of the latest run ended; [The proof](proof.md) explains the rows, columns and letters. The
proof writes this page: do not edit it.

{run}

## Next

- [The proof](proof.md): what is struck, and when a post ended right
"""

_MARKS = {
    VerdictKind.DOUBLE: "D",
    VerdictKind.EARLY: "E",
    VerdictKind.LOST: "L",
    VerdictKind.DISAGREES: "S",
    VerdictKind.UNEXPECTED: "U",
    VerdictKind.LIE: "T",
    VerdictKind.MISSED: "?",
}
_COLUMNS = {
    Crash.NONE: "none",
    Crash.BEFORE: "before send",
    Crash.SENDING: "sending",
    Crash.UNRECORDED: "unrecorded",
    Crash.UPLOADING: "uploading",
    Crash.ROW: "row only",
    Crash.ANSWER: "no answer",
    Crash.TEMPORAL: "Temporal",
    Crash.POSTGRES: "PostgreSQL",
    Crash.EVERYTHING: "all at once",
    Crash.FROZEN_5: "writing 5 s",
    Crash.FROZEN_20: "20 s",
    Crash.FROZEN_120: "120 s",
    Crash.HELD_5: "first byte 5 s",
    Crash.HELD_20: "20 s",
    Crash.HELD_120: "120 s",
    Crash.API_FROZEN: "API",
    Crash.TEMPORAL_FROZEN: "Temporal",
    Crash.POSTGRES_FROZEN: "PostgreSQL",
    Crash.FAILOVER: "failover",
    Crash.RESTORED_POSTGRES: "PostgreSQL",
    Crash.RESTORED_TEMPORAL: "Temporal",
    Crash.RESTORED_BOTH: "both",
    Crash.CLOCKS_APART: "API +5 s, worker -5 s",
    Crash.CLOCKS_APART_2: "API -5 s, worker +5 s",
}
_FROZEN = [*FROZEN_WORKER, *FROZEN_PART]
_PUT_BACK = [*RESTORED, *CLOCKS]


class Section(NamedTuple):
    """The report on one kind of cases beside the cells: how many ended right, each that did not, and their number."""

    table: str
    failures: list[str]
    total: str


def right(posts: Sequence[Post]) -> bool:
    """Return whether every post ended as it must."""
    return bool(posts) and all(post.verdict and post.verdict.kind is VerdictKind.RIGHT for post in posts)


def without_certainty(posts: Sequence[Post]) -> set[str]:
    """Return the ids of the posts that are rightly unconfirmed."""
    # A post that its crash missed is run again, and the missed one may stay unconfirmed.
    ended = (post for post in posts if post.verdict and post.verdict.kind in {VerdictKind.RIGHT, VerdictKind.MISSED})
    return {post.post_id for post in ended if post.status == "unconfirmed" and post.post_id}


def is_rightly_found(finding: dict[str, Any], posts: Sequence[Post]) -> bool:
    """Return whether the doctor is right to find something although every post ended as it must.

    Only the sandbox shows the doctor that a post is public if its platform does not show it to us. If rows were lost,
    workflows of posts remain that no client knows. If Temporal was restored, a workflow that was to wait for hours
    waits again; it ends at its old time, without sending the published post again.
    """
    match finding["kind"]:
        case "public_unknown":
            return finding.get("postId") in without_certainty(posts)
        case "row_gone":
            return any(post.cell.crash in LOSES_ROWS for post in posts)
        case "row_ahead":
            older = (post.post_id for post in posts if post.cell.crash is Crash.RESTORED_TEMPORAL)
            return finding.get("postId") in set(older)
    return False


def table(posts: Sequence[Post]) -> str:
    """Return tables: platforms, faults and modes by the killed part; platforms by the frozen, restored or misset part.

    A number counts posts that ended as they must.
    """
    had = [crash for crash in Crash if any(post.cell.crash is crash for post in posts)]
    killed = [crash for crash in had if crash not in {*_FROZEN, *_PUT_BACK}]
    frozen, put_back = [crash for crash in had if crash in _FROZEN], [crash for crash in had if crash in _PUT_BACK]
    tables = [
        _table("platform", list(PLATFORMS), lambda post: post.cell.platform, posts, killed),
        _table("fault", list(Fault), lambda post: post.cell.fault, posts, killed),
        _table("mode", list(Mode), lambda post: post.cell.mode, posts, killed),
        _table("frozen", list(PLATFORMS), lambda post: post.cell.platform, posts, frozen),
        _table("put back", list(PLATFORMS), lambda post: post.cell.platform, posts, put_back),
    ]
    return "\n\n".join(filter(None, tables))


def _table(
    name: str, rows: Sequence[str], of: Callable[[Post], str], posts: Sequence[Post], crashes: Sequence[Crash]
) -> str:
    if not crashes:
        return ""
    lines = [[name, *(_COLUMNS[crash] for crash in crashes)]]
    for row in rows:
        mine = [post for post in posts if of(post) == row and post.cell.crash in crashes]
        if mine:
            lines.append([row, *(_entry([post for post in mine if post.cell.crash is crash]) for crash in crashes)])
    return _written(lines)


def _written(lines: Sequence[Sequence[str]]) -> str:
    """Return lines as a table; the first is its head."""
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    written = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines
    ]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([written[0], rule, *written[1:]])


def _entry(posts: Sequence[Post]) -> str:
    kinds = Counter(post.verdict.kind for post in posts if post.verdict)
    wrong = "".join(f" {count}{_MARKS[kind]}" for kind, count in kinds.items() if kind is not VerdictKind.RIGHT)
    return f"{kinds[VerdictKind.RIGHT]}{wrong}" if posts else "-"


def ends(posts: Sequence[Post]) -> str:
    """Return the statuses in which posts ended, by the number of public posts that the platform shows of each."""
    lines = [["final status", "0 public", "1 public", "2 or more"]]
    for status in sorted({post.status for post in posts}):
        counts = Counter(min(post.public, 2) for post in posts if post.status == status)
        lines.append([status, *(str(counts[public]) for public in range(3))])
    return _written(lines)


def totals(posts: Sequence[Post], disagreements: Sequence[str] = ()) -> str:
    """Return the counts, and the verdict as the last line; `disagreements` are those that the doctor found."""
    kinds = Counter(post.verdict.kind for post in posts if post.verdict)
    counts = {
        "doubles": VerdictKind.DOUBLE,
        "early": VerdictKind.EARLY,
        "lost": VerdictKind.LOST,
        "status and reality disagree": VerdictKind.DISAGREES,
        "ended otherwise than they must": VerdictKind.UNEXPECTED,
        "untrue to an answer": VerdictKind.LIE,
        "not struck": VerdictKind.MISSED,
    }
    counted = ", ".join(f"{name} {kinds[kind]} ({_MARKS[kind]})" for name, kind in counts.items())
    proven = right(posts) and not disagreements
    return "\n".join(
        [
            f"{len(posts)} posts, {kinds[VerdictKind.RIGHT]} right: {counted}",
            f"In the end `socialsyncer doctor` finds {len(disagreements) or 'no'} disagreements",
            "Never twice, never lost: proven." if proven else "NOT proven: see above.",
        ]
    )


def failures(posts: Sequence[Post]) -> list[str]:
    """Return all facts about each post that did not end as it must, and the command that runs its cell alone."""
    return [
        "\n    ".join(
            [
                f"{post.verdict.kind}: {post.cell} ({post.post_id}, {post.mark}): {post.verdict.why}",
                *([f"lived through {', '.join(post.later)} later"] if post.later else []),
                *(_attempt(attempt) for attempt in post.attempts),
                f"uv run python -m benchmarks.proof --only {post.cell}",
            ]
        )
        for post in posts
        if post.verdict and post.verdict.kind is not VerdictKind.RIGHT
    ]


def _attempt(attempt: dict[str, Any]) -> str:
    names = ("step", "state", "startedAt", "finishedAt", "httpStatus", "errorCode", "platformCode", "decision")
    return ", ".join(str(attempt[name]) for name in names if attempt.get(name) is not None)


def markdown(
    posts: Sequence[Post],
    disagreements: Sequence[str],
    took: float,
    arguments: str,
    sections: Sequence[Section] = (),
    events: str = "",
) -> str:
    """Return the page of a run; `events` is what is said of the events."""
    command = f"uv run python -m benchmarks.proof {arguments}".strip()
    day = f"{datetime.now(UTC):%Y-%m-%d}"
    run = "\n\n".join(
        [
            f"`{command}`, {day}, {took / 60:.0f} minutes on {os.cpu_count()} cores:",
            ends(posts),
            table(posts),
            *(part for section in sections for part in (section.table, f"{section.total}.")),
            *([f"{events}."] if events else []),
            "\n".join(line if line.endswith(".") else f"{line}." for line in totals(posts, disagreements).splitlines()),
        ]
    )
    return _PAGE.format(run=run)


def _renewals_entry(renewals: Sequence[Renewal]) -> str:
    if not renewals:
        return "-"
    right = sum(renewal.is_right for renewal in renewals)
    named = " named" if (renewals[0].point, renewals[0].struck) in CANNOT_BE_KEPT else ""
    return f"{right}{named}" + (f" {len(renewals) - right}L" if right < len(renewals) else "")


def renewals_section(renewals: Sequence[Renewal]) -> Section:
    """Return the report on renewals, by what happened to the worker and by the renewal's point."""
    points = [point for point in Point if any(renewal.point is point for renewal in renewals)]
    lines = [["renewals", *points]]
    for struck in Interruption:
        mine = [renewal for renewal in renewals if renewal.struck is struck]
        if mine:
            by_point = ([renewal for renewal in mine if renewal.point is point] for point in points)
            lines.append([struck, *map(_renewals_entry, by_point)])
    failures = [
        f"{renewal.platform} {renewal.account_id} {renewal.struck} at {renewal.point} "
        f"({', '.join(renewal.posts)}): {renewal.why}"
        for renewal in renewals
        if renewal.why
    ]
    named = sum(renewal.is_right and (renewal.point, renewal.struck) in CANNOT_BE_KEPT for renewal in renewals)
    total = (
        f"{len(renewals)} renewals struck: connections lost {len(failures)} (L); {named} that no process could keep "
        "are named `lost_in_renewal`"
    )
    return Section(_written(lines), failures, total)


def pauses_section(outcomes: Sequence[PauseOutcome]) -> Section:
    """Return the report on pauses, by what was paused and what was struck."""
    strikes = [strike for strike in Strike if any(outcome.strike is strike for outcome in outcomes)]
    lines = [["pauses", *strikes]]
    for scope in Scope:
        own = {outcome.strike: outcome for outcome in outcomes if outcome.scope is scope}
        if own:
            lines.append([scope, *(_pause_entry(own.get(strike)) for strike in strikes)])
    failures = [
        f"pause of {outcome.scope}, {outcome.strike}, {outcome.missed}: {fault}"
        for outcome in outcomes
        for fault in outcome.faults
    ]
    right = sum(outcome.right for outcome in outcomes)
    total = f"{len(outcomes)} pauses over {right} posts that ended right: broken promises {len(failures)} (P)"
    return Section(_written(lines), failures, total)


def _pause_entry(outcome: PauseOutcome | None) -> str:
    if outcome is None:
        return "-"
    return f"{outcome.right} {outcome.missed}" + ("" if outcome.is_right else f" {len(outcome.faults)}P")


def plans_section(outcomes: Sequence[PlansOutcome]) -> Section:
    """Return the report on imports, series and chains, by what was struck."""
    entries = [str(outcome.right) + ("" if outcome.is_right else f" {len(outcome.faults)}P") for outcome in outcomes]
    lines = [["plans", *(outcome.strike for outcome in outcomes)], ["right", *entries]]
    failures = [f"plans, {outcome.strike}: {fault}" for outcome in outcomes for fault in outcome.faults]
    right = sum(outcome.right for outcome in outcomes)
    total = f"{right} posts of imports, series and chains ended right: broken promises {len(failures)} (P)"
    return Section(_written(lines), failures, total)


def left_out() -> list[str]:
    """Return the reasons for which combinations are left out, and the number of each."""
    reasons = Counter(reason for cell in every() if (reason := cell.left_out))
    return [f"{count} combinations left out: {reason}" for reason, count in reasons.items()]


def rows(posts: Sequence[Post]) -> list[dict[str, Any]]:
    """Return all results for a file."""
    return [
        {
            "platform": post.cell.platform,
            "mode": post.cell.mode,
            "fault": post.cell.fault,
            "crash": post.cell.crash,
            "postId": post.post_id,
            "mark": post.mark,
            "status": post.status,
            "public": post.public,
            "verdict": post.verdict.kind if post.verdict else None,
            "why": post.verdict.why if post.verdict else None,
            "waitedAs": post.waited_as or None,
            "tries": post.tries,
            "later": post.later,
        }
        for post in posts
    ]
