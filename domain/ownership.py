"""Decisions who may do what with a post, and when, without I/O.

A post's row has a version, which every change of the post raises under the row's lock. The run of its workflow knows
one version and follows only newer ones. The row, read under its lock, decides.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from domain.post import UNSENT, PostStatus, TargetState, TargetStatus

TOLERANCE = timedelta(seconds=2)
"""How long before its due time, by a worker's own clock, a post counts as due.

By Temporal's clock, the run's timer has fired by then. So a post is published early only if both clocks are wrong.
"""

FENCE = timedelta(seconds=5)
"""How long after an attempt was written its request may be sent without a check that the attempt is still open."""

CLOCK_ERROR = timedelta(seconds=5)
"""The largest error that we assume of a machine's clock."""
CLOCKS_DIFFER = 2 * CLOCK_ERROR
"""The largest difference that we assume between two machines' clocks."""


@dataclass(frozen=True, slots=True)
class PostVersion:
    """A version of a post, in its row or known to a run."""

    post_id: str
    version: int


# -- the run ---------------------------------------------------------------------------------------------------------


class VersionComparison(StrEnum):
    """A version that a run is given, compared with the version that it knows."""

    NEWER = "newer"
    """The run follows it."""
    KNOWN = "known"
    """It knows this version, or a newer one, and changes nothing."""
    ANOTHER_POST = "another_post"
    """It refuses: it is the run of another post under the same workflow id."""


def compare_versions(known: PostVersion, offered: PostVersion) -> VersionComparison:
    """Return what an offered version is to a run that knows a version."""
    if offered.post_id != known.post_id:
        return VersionComparison.ANOTHER_POST
    return VersionComparison.NEWER if offered.version > known.version else VersionComparison.KNOWN


def sleep_for(due_at: datetime, now: datetime, *, immediate: bool) -> timedelta:
    """Return how long a run sleeps, by Temporal's clock. A post that is published now never sleeps."""
    return timedelta(0) if immediate else max(due_at - now, timedelta(0))


# -- the step that sends ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RowState:
    """The state in a post's row, read under its lock."""

    status: PostStatus
    version: int
    due_at: datetime | None


class SendDecision(StrEnum):
    """The decision whether a step may make a target public."""

    GO = "go"
    GONE = "gone"
    """The post is deleted, or a draft. Nothing is sent, and the run ends."""
    SUPERSEDED = "superseded"
    """The row is not the version that the run knows. The run reads the row again before anything is sent."""
    EARLY = "early"
    """The post is not due yet by this clock. The run waits."""


def decide_send(row: RowState | None, version: int, now: datetime) -> SendDecision:
    """Decide whether a step of a run that knows `version` may send.

    Read before anything is prepared, and once more under the lock of the post's row, in the transaction that writes the
    attempt. `row` is None if the post is deleted.
    """
    if row is None or row.status is PostStatus.DRAFT or row.due_at is None:
        return SendDecision.GONE
    if row.version != version:
        return SendDecision.SUPERSEDED
    return SendDecision.EARLY if wait_until_due(row, now) else SendDecision.GO


def wait_until_due(row: RowState, now: datetime) -> timedelta:
    """Return how long a post must still wait by this clock; zero if its status is not `scheduled`."""
    if row.status is not PostStatus.SCHEDULED or row.due_at is None or row.due_at <= now + TOLERANCE:
        return timedelta(0)
    return row.due_at - now


def must_recheck_attempt(since_written: timedelta) -> bool:
    """Return whether a request may be sent only if the database says that its attempt is still open."""
    return since_written > FENCE


def last_moment(started_at: datetime, finished_at: datetime | None, *, worker_lost: bool) -> datetime:
    """Return the last time at which the request of an unconfirmed attempt can have been sent.

    A worker closes its own attempt after the request has ended. If another worker closed the attempt of a lost one, a
    frozen sender may still send its request until FENCE is over.
    """
    ended = finished_at or started_at
    return max(ended, started_at) + FENCE if worker_lost or finished_at is None else ended


# -- changes of the row ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TargetRow:
    """The state of one target in its rows, read under the lock of its post's row."""

    status: TargetStatus
    confirming: bool = False
    has_time: bool = False
    """Whether its next step has a time: nothing is sent before it, and then only after the row was locked again."""
    sending: bool = False
    """Whether an attempt to publish it is open: its request may have been sent."""

    @property
    def state(self) -> TargetState:
        """Return the part of the state from which the post's status follows."""
        return TargetState(self.status, self.confirming)


def may_change(status: PostStatus, targets: Iterable[TargetRow] = ()) -> bool:
    """Return whether a post's content, targets and time may be changed.

    They may if no target has begun, and also if no target was sent and some are held: then the post starts again.
    Targets are needed only of a post whose publishing has begun.
    """
    if not status.has_begun:
        return True
    states = list(targets)
    held = any(state.status is TargetStatus.HELD for state in states)
    return held and all(
        state.status in {TargetStatus.HELD, TargetStatus.PENDING} and not state.sending for state in states
    )


def may_correct(target: TargetRow) -> bool:
    """Return whether a target may get another content although the publishing of its post has begun.

    It may if it failed, is held, or waits for a time: its next step locks the row first and finds the new version. It
    may not if its step can begin at any moment.
    """
    waits = target.status in {TargetStatus.FAILED, TargetStatus.HELD} or _waits_for_a_time(target)
    return waits and not target.sending


def may_delete(status: PostStatus, targets: Iterable[TargetRow]) -> bool:
    """Return whether a post may be deleted: no target of it is being published."""
    if may_change(status):
        return True
    return not any(target.sending or (target.state.moving and not _waits_for_a_time(target)) for target in targets)


def _waits_for_a_time(target: TargetRow) -> bool:
    return target.status is TargetStatus.PUBLISHING and target.has_time


def may_retry(target: TargetRow) -> bool:
    """Return whether a person may retry a target: it failed, or the worker no longer tries to confirm it."""
    return target.status is TargetStatus.FAILED or (target.status is TargetStatus.UNCONFIRMED and not target.confirming)


DECISION_STANDS_AFTER = timedelta(days=7)
"""How long a person's decision on an unconfirmed target may be changed."""


def may_resolve(status: TargetStatus, settled_for: timedelta | None) -> bool:
    """Return whether a person may settle a target: it is unconfirmed, or a person has settled it lately.

    `settled_for` is the time since a person has settled it; None if no person has, or if it has changed since.
    """
    return status is TargetStatus.UNCONFIRMED or (settled_for is not None and settled_for < DECISION_STANDS_AFTER)


def write_off(target: TargetRow) -> TargetState:
    """Return the state that a cancelled run leaves a target in: unconfirmed if it may be public."""
    if target.status in {TargetStatus.PUBLISHED, TargetStatus.FAILED}:
        return target.state
    if target.sending or target.status is TargetStatus.UNCONFIRMED:
        return TargetState(TargetStatus.UNCONFIRMED, confirming=False)
    return TargetState(TargetStatus.FAILED)


# -- starting and recovering -----------------------------------------------------------------------------------------


class FoundRun(StrEnum):
    """The run that the first start of a post has found under its workflow id."""

    SAME_POST = "same_post"
    """A run of this post, which an earlier try has started. It gets the row's version."""
    OTHER_POST = "other_post"
    """A run of another post, whose rows are lost. This post takes the next workflow id."""


def classify_found_run(post_id: str, found_post_id: str | None) -> FoundRun:
    """Return whose run a start has found, open or closed."""
    return FoundRun.SAME_POST if found_post_id == post_id else FoundRun.OTHER_POST


class RunStatus(StrEnum):
    """The status of the latest run under a workflow id."""

    RUNNING = "running"
    CANCELED = "canceled"
    CLOSED = "closed"
    """Completed, failed, terminated or timed out."""


@dataclass(frozen=True, slots=True)
class KnownToRun:
    """The facts that a run knows of its post. `targets` are statuses by target id."""

    post_version: PostVersion
    targets: Mapping[str, TargetStatus]


@dataclass(frozen=True, slots=True)
class RunFacts:
    """The latest run under a workflow id. `knows` is None if no worker could tell."""

    state: RunStatus
    closed_at: datetime | None
    knows: KnownToRun | None


@dataclass(frozen=True, slots=True)
class RowFacts:
    """The row of a post that is not at rest. `targets` are statuses by target id."""

    post_version: PostVersion
    updated_at: datetime
    targets: Mapping[str, TargetStatus]


class RunState(StrEnum):
    """The state of the workflow of a post that is not settled, as recovery and doctor see it."""

    RUNNING = "running"
    LOST = "lost"
    """No run has the row's version, or that run ended too early: the post is started again from the row."""
    CANCELLED = "cancelled"
    """An operator cancelled the run, and the row does not have that yet."""
    AHEAD = "ahead"
    """Its run knows more than the row: a new run from the row could publish twice, unless it confirms first."""
    UNKNOWN = "unknown"
    """It is not known whether its run knows more than the row, because no worker could be asked."""


def classify_run(row: RowFacts, run: RunFacts | None) -> RunState:
    """Classify the latest run under a post's workflow id by what it knew; None if Temporal knows no run."""
    if run is None:
        return RunState.LOST
    if run.knows is None:
        if run.state is RunStatus.RUNNING:
            return RunState.RUNNING
        changed_since = run.closed_at is None or row.updated_at > run.closed_at + CLOCKS_DIFFER
        return RunState.LOST if changed_since else RunState.UNKNOWN
    offer = compare_versions(run.knows.post_version, row.post_version)
    if offer is VersionComparison.ANOTHER_POST:
        return RunState.LOST
    if run.state is RunStatus.RUNNING:
        return RunState.RUNNING
    if offer is VersionComparison.NEWER:
        # The run saw its targets before the row changed: a person may have resolved an unconfirmed send since.
        return RunState.AHEAD if run_knows_published(row.targets, run.knows.targets) else RunState.LOST
    if run.state is RunStatus.CANCELED:
        return RunState.CANCELLED
    knows_more = run.knows.post_version.version > row.post_version.version or run_knows_more(
        row.targets, run.knows.targets
    )
    return RunState.AHEAD if knows_more else RunState.LOST


def run_knows_published(rows: Mapping[str, TargetStatus], seen: Mapping[str, TargetStatus]) -> bool:
    """Return whether a run knows that a target is published whose row does not say so."""
    return any(
        status is TargetStatus.PUBLISHED and rows.get(target_id, status) is not status
        for target_id, status in seen.items()
    )


def run_knows_more(rows: Mapping[str, TargetStatus], seen: Mapping[str, TargetStatus]) -> bool:
    """Return whether a run knows of a send that the rows do not have."""
    return run_knows_published(rows, seen) or any(
        status is TargetStatus.UNCONFIRMED and rows.get(target_id) in UNSENT for target_id, status in seen.items()
    )


def may_be_behind(row: tuple[PostStatus, datetime | None], run: tuple[str | None, datetime | None]) -> bool:
    """Return whether a run may know an older version than its row, by status and due time in its search attributes.

    Such a run gets the row's version, which changes nothing if the run knows it.
    """
    (status, due_at), (run_status, run_due_at) = row, run
    return run_status != status or (due_at is not None and run_due_at != due_at)


UNDELIVERED_AFTER = timedelta(seconds=30)
"""The age from which an undelivered version counts: the sweep comes every 5 s."""
BULK_STARTS_PER_S = 100
"""The default pace of bulk operations. A start and its first task take 11 to 17 ms of a core (docs/operations.md), so
this leaves about a third of two cores to everything else."""
BULK_LEAD = timedelta(seconds=60)
"""How long before its due time a post of a bulk operation is delivered at the latest (`bulk_delivery_at_v1`)."""


def undelivered_since(updated_at: datetime, next_delivery_at: datetime | None, delivery_attempts: int) -> datetime:
    """Return the time from which a version that is not delivered counts as waiting for delivery.

    A version that a bulk operation wrote may wait until its moment; the first delivery may take its time, too.
    """
    if next_delivery_at is None or delivery_attempts > 1:
        return updated_at
    return max(updated_at, next_delivery_at)
