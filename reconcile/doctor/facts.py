"""The facts about one post in its rows and in Temporal, and the queries of workflows while a worker answers."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from activities.options import HEARTBEAT_TIMEOUT
from domain.post import OPEN, TargetState, TargetStatus
from reconcile.doctor.findings import Finding, FindingKind, FixedBy, Subject
from store.maintenance.loose_ends import OpenAttempt
from store.models import Post, Target
from workflows.client.runs import Run, Runs
from workflows.messages import StatusView, TargetStatusView

_MAX_FAILURES = 3
"""After this many workflows in a row without a response, the cause is a missing worker, not the workflows."""


class RunQueries:
    """Queries of workflows, a few at a time. They stop once no worker answers, because every timeout costs seconds."""

    def __init__(self, runs: Runs, concurrency: int) -> None:
        self._runs = runs
        self._slots = asyncio.Semaphore(concurrency)
        self._in_a_row = 0
        self.unanswered: set[str] = set()
        """Workflows that could not be queried."""

    async def query_status(self, run: Run) -> StatusView | None:
        """Return a run's view of its post, None if no worker responded."""
        async with self._slots:
            view = None if self._in_a_row >= _MAX_FAILURES else await self._runs.query_status(run)
            self._in_a_row = 0 if view else self._in_a_row + 1
        if view:
            self.unanswered.discard(run.workflow_id)
        else:
            self.unanswered.add(run.workflow_id)
        return view


SILENT_AFTER = HEARTBEAT_TIMEOUT + timedelta(seconds=5)
"""From then on, a step without a heartbeat has lost its worker, and Temporal has noticed."""


@dataclass(frozen=True, slots=True)
class Facts:
    """One post's rows and its latest run; `view` is the run's response to a query, if it was queried."""

    now: datetime
    workflow_id: str
    post: Post | None
    run: Run | None
    view: StatusView | None
    open_attempts: Sequence[OpenAttempt]
    has_worker: bool
    """Whether a worker polls the workflows' queue."""

    @property
    def is_open(self) -> bool:
        """Return whether the row says that something must still be done."""
        return self.post is not None and self.post.status in OPEN

    @property
    def is_changing(self) -> bool:
        """Return whether a step or a task of the workflow is running: it may be about to agree with the row."""
        if self.run is None or not self.run.running or self.run.stuck:
            return False
        return self.run.task_pending or any(self.may_run(step.beat_at, running=step.running) for step in self.run.steps)

    def may_run(self, beat_at: datetime | None, *, running: bool) -> bool:
        """Return whether a step may be running: a short one sends no heartbeat."""
        return running and (beat_at is None or self.now - beat_at < SILENT_AFTER)

    def finding(
        self,
        kind: FindingKind,
        fixed_by: FixedBy,
        what: str,
        how: str,
        *,
        by: datetime | None = None,
        target: Target | TargetStatusView | None = None,
    ) -> Finding:
        """Return a finding about this post, or about one of its targets."""
        target_id = target.id if isinstance(target, Target) else target.target_id if target else None
        subject = Subject(
            post_id=self.post.id if self.post else self.view.post_id if self.view else None,
            workspace_id=self.post.workspace_id if self.post else None,
            workflow_id=self.workflow_id,
            target_id=target_id,
            platform=target.platform if target else None,
            account_id=target.account_id if target else None,
        )
        return Finding(kind, fixed_by, subject, what, how, by)


def is_settled(target: Target) -> bool:
    """Return whether a target is final by its row: nothing more happens to it by itself."""
    return TargetState(TargetStatus(target.status), target.confirming).settled
