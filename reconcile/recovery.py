"""Recovery of lost workflows: terminated, failed, lost with a database of Temporal's, or stuck after a deployment.

The sweep delivers what was never delivered; recovery starts workflows that were started and have stopped.
"""

import asyncio
from datetime import UTC, datetime, timedelta

import structlog
from temporalio.client import WorkflowExecutionStatus

from domain.audit import RECOVERY, Action, AuditEntry
from domain.ownership import (
    CLOCKS_DIFFER,
    KnownToRun,
    PostVersion,
    RowFacts,
    RunFacts,
    RunState,
    RunStatus,
    classify_run,
    may_be_behind,
)
from domain.plan import Plan
from domain.post import PostStatus, TargetStatus
from reconcile.rounds import BackgroundTask
from store.audit import add_unless_recorded
from store.database import Database
from store.maintenance.open_posts import PostSummary, open_due_between
from store.models import Post
from store.posts.changes import confirm_first, lock_post
from store.posts.delivery import plan_with_accounts
from store.posts.queries import find_post
from workflows.client.delivery import deliver_or_move
from workflows.client.post_workflows import PostWorkflows
from workflows.client.runs import Run, Runs
from workflows.messages import StatusView

_STATES = {
    WorkflowExecutionStatus.RUNNING: RunStatus.RUNNING,
    WorkflowExecutionStatus.CONTINUED_AS_NEW: RunStatus.RUNNING,
    WorkflowExecutionStatus.CANCELED: RunStatus.CANCELED,
}


def row_facts(post: Post) -> RowFacts:
    """Return the facts in the rows of a post; its targets must be loaded."""
    targets = {target.id: TargetStatus(target.status) for target in post.targets}
    return RowFacts(PostVersion(post.id, post.version), post.updated_at, targets)


def read_run_facts(run: Run | None, view: StatusView | None) -> RunFacts | None:
    """Return the facts about the latest run and its own view; None if Temporal knows no run."""
    if run is None:
        return None
    state = _STATES.get(run.status, RunStatus.CLOSED)
    if view is None:
        return RunFacts(state, run.closed_at, None)
    targets = {target.target_id: target.status for target in view.targets}
    return RunFacts(state, run.closed_at, KnownToRun(PostVersion(view.post_id, view.version), targets))


log = structlog.get_logger(__name__)

SOON = timedelta(minutes=2)
"""From this time before its due time on, an open post is compared with Temporal every minute."""
EVERY = timedelta(minutes=1)
AHEAD = timedelta(hours=1)
"""From this time before their due time on, posts are compared with Temporal every ten minutes. So are those that are
held or wait for their next try."""
AHEAD_EVERY = timedelta(minutes=10)

_SHARE = 10
"""A round is followed by a pause this many times as long, so that recovery adds little load when everything is late."""
_BATCH = 200
_CONCURRENCY = 8
_ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)


class Recovery:
    """The recovery of open posts whose workflow does not run, or does not get on: it begins again from the row."""

    def __init__(self, database: Database, workflows: PostWorkflows, runs: Runs) -> None:
        self._database = database
        self._workflows = workflows
        self._runs = runs
        self._logged: set[str] = set()
        """The ids of posts that need a person and were logged."""
        self._begun_again: set[str] = set()
        """The ids of posts whose workflow this worker has begun again."""
        self._ahead_at, self._pause_s = 0.0, EVERY.total_seconds()

    def task(self) -> BackgroundTask:
        """Return the task that compares posts due soon every minute, and those due within an hour every ten."""
        return BackgroundTask(self._compare, lambda: self._pause_s, "recovery.postponed")

    async def _compare(self) -> None:
        loop, now = asyncio.get_running_loop(), datetime.now(UTC)
        began = loop.time()
        try:
            # Thousands may be held, and none is urgent: a release starts a lost workflow by itself.
            await self.round(_ALWAYS, now + SOON, resting=False)
            if began >= self._ahead_at:
                self._ahead_at = began + AHEAD_EVERY.total_seconds()
                await self.round(_ALWAYS, now + SOON, resting=True)
                await self.round(now + SOON, now + AHEAD)
        finally:
            self._pause_s = max(EVERY.total_seconds(), _SHARE * (loop.time() - began))

    async def round(self, begin: datetime, end: datetime, *, resting: bool | None = None) -> int:
        """Check the open posts due in a time; return how many were started.

        With `resting`, only those that are held or wait for their next try, or only the others. Raises Unavailable.
        """
        started, last = 0, None
        while True:
            async with self._database.reading() as session:
                summaries = await open_due_between(session, begin, end, last, _BATCH, resting=resting)
            started += await self._recover_lost([summary for summary in summaries if summary.is_delivered])
            if len(summaries) < _BATCH:
                return started
            last = summaries[-1]

    async def _recover_lost(self, summaries: list[PostSummary]) -> int:
        running = {
            run.workflow_id: run
            for run in await self._runs.running_among([summary.workflow_id for summary in summaries])
        }
        started = 0
        doubtful = [
            summary
            for summary in summaries
            if (run := running.get(summary.workflow_id)) is None
            or _may_be_behind(summary, run)
            or self._begins_again(summary, run)
        ]
        for first in range(0, len(doubtful), _CONCURRENCY):
            part = doubtful[first : first + _CONCURRENCY]
            started += sum(await asyncio.gather(*(self._recover(summary) for summary in part)))
        return started

    async def _recover(self, summary: PostSummary) -> bool:
        """Deliver the plan to a post's workflow if it may not know it, or is lost; return whether it was started."""
        run = await self._runs.latest(summary.workflow_id)
        view = await self._runs.query_status(run) if run is not None and not run.running else None
        async with self._database.reading() as session:
            post = await find_post(session, summary.workspace_id, summary.id)
            if post is None or post.status != summary.status or post.due_at is None:
                return False
            state = classify_run(row_facts(post), read_run_facts(run, view))
            plan = await plan_with_accounts(session, post)
        if state is RunState.RUNNING and run and self._begins_again(summary, run):
            await self._begin_again(summary, run)
            return True
        if state is RunState.AHEAD:
            plan = await self._confirm_first(summary.id, run) or plan
        elif state is RunState.LOST:
            await self._write_restart(summary, await self._how_it_ended(run))
        starts = state in {RunState.LOST, RunState.AHEAD}
        if starts or (state is RunState.RUNNING and run and _may_be_behind(summary, run)):
            await deliver_or_move(self._database, self._workflows, plan)
        self._log(summary, run, state)
        return starts

    def _begins_again(self, summary: PostSummary, run: Run) -> bool:
        """Return whether the tasks of a workflow fail, and this worker's code has not been tried from the beginning.

        It is tried once: if the code has a bug, another beginning fails like the first.
        """
        return run.tasks_fail and summary.id not in self._begun_again

    async def _begin_again(self, summary: PostSummary, run: Run) -> None:
        """Begin a workflow again whose history other code has written, such as that of a deployment taken back."""
        self._begun_again.add(summary.id)
        await self._write_restart(summary, (("run", "stuck"), ("runId", run.run_id)))
        await self._runs.begin_again(run, "its tasks failed under the code of this worker")
        log.warning("recovery.began_again", post_id=summary.id, workflow_id=summary.workflow_id)

    async def _write_restart(self, summary: PostSummary, details: tuple[tuple[str, str], ...]) -> None:
        """Write the restart into the post's history, before it happens, because its effects may appear immediately.

        If Temporal became unavailable in between, the repeated try is the same restart.
        """
        async with self._database.transaction() as session:
            if post := await lock_post(session, summary.id):
                await add_unless_recorded(session, post, AuditEntry(Action.RESTARTED, RECOVERY, details=details))

    async def _how_it_ended(self, run: Run | None) -> tuple[tuple[str, str], ...]:
        """Return for the audit trail how a lost run ended, and who ended it if that was a person."""
        if run is None:
            return ()
        ended = [("run", run.status.name.lower()), ("runId", run.run_id)]
        if by_force := await self._runs.terminated_by(run):
            ended += [("endedBy", by_force.identity), *([("reason", by_force.reason)] if by_force.reason else [])]
        return tuple(ended)

    async def _confirm_first(self, post_id: str, run: Run | None) -> Plan | None:
        """Save that a post must be confirmed before a send: its last run knew more than its row. Return its plan."""
        entry = AuditEntry(Action.RESTARTED, RECOVERY, details=await self._how_it_ended(run))
        async with self._database.transaction() as session:
            post = await lock_post(session, post_id)
            if post is None or post.due_at is None:
                return None
            await confirm_first(session, post, entry, post.updated_at - CLOCKS_DIFFER)
            return await plan_with_accounts(session, post)

    def _log(self, summary: PostSummary, run: Run | None, state: RunState) -> None:
        """Log what was found; a post that needs a person only once."""
        about = {
            "post_id": summary.id,
            "workflow_id": summary.workflow_id,
            "run": run.status.name.lower() if run else None,
        }
        if state is RunState.LOST:
            log.warning("recovery.started", **about)
        elif state is RunState.AHEAD:
            log.warning("recovery.confirms_first", **about)
        elif state is not RunState.RUNNING and summary.id not in self._logged:
            self._logged.add(summary.id)
            log.error("recovery.needs_a_person", state=state, hint="socialsyncer doctor explains it", **about)


def _may_be_behind(summary: PostSummary, run: Run) -> bool:
    return may_be_behind((PostStatus(summary.status), summary.due_at), (run.post_status, run.due_at))
