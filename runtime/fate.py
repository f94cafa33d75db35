"""Decide what becomes of a post that is not at rest while no run of its workflow goes on."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from temporalio.client import WorkflowExecutionStatus

from domain.post import TargetStatus
from workflows.messages import StatusView
from workflows.runs import Run

_SURELY_UNSENT = frozenset({TargetStatus.PENDING, TargetStatus.PUBLISHING, TargetStatus.HELD})
_GOING_ON = frozenset({WorkflowExecutionStatus.RUNNING, WorkflowExecutionStatus.CONTINUED_AS_NEW})


class Fate(StrEnum):
    """What has happened to the workflow of an open post."""

    RUNS = "runs"
    LOST = "lost"
    """Nobody ended it with a word on the post: it may be started again from the row."""
    CANCELLED = "cancelled"
    """An operator cancelled it, and its row does not say so."""
    ENDED = "ended"
    """It knows how the post ended, and the row, older than the run, does not: started again it could double."""
    UNTOLD = "untold"
    """Whether it knows more than the row can only be told by a worker, and none could."""


def fate_of(updated_at: datetime, targets: Mapping[str, str], run: Run | None, view: StatusView | None) -> Fate:
    """Judge by the latest run and what it says of itself.

    A row that has changed since the run was closed belongs to a later run, of which Temporal has lost every trace.
    A row that has not was left behind: by a run that was terminated, failed or timed out, or by an older copy of the
    database put in place of the one that the run knew. Only then may the run know of a publication that the row does
    not.

    Args:
        updated_at: When the post's row last changed.
        targets: The status of each target's row by the target's id.
        run: The latest run under the post's workflow id, None where Temporal knows none.
        view: What that run says where it is closed, None where nobody could tell.
    """
    if run is None:
        return Fate.LOST
    if run.status in _GOING_ON:
        return Fate.RUNS
    if run.closed_at is None or updated_at > run.closed_at:
        return Fate.LOST
    if run.status is WorkflowExecutionStatus.CANCELED:
        return Fate.CANCELLED
    if run.status is WorkflowExecutionStatus.COMPLETED:
        return Fate.ENDED
    if view is None:
        return Fate.UNTOLD
    return Fate.ENDED if _knows_more(targets, view) else Fate.LOST


def _knows_more(targets: Mapping[str, str], view: StatusView) -> bool:
    """Tell whether a run has seen a send of which the rows know nothing."""
    for target in view.targets:
        row = targets.get(target.target_id)
        if target.status is TargetStatus.PUBLISHED and row not in {None, TargetStatus.PUBLISHED}:
            return True
        if target.status is TargetStatus.UNCONFIRMED and row in _SURELY_UNSENT:
            return True
    return False
