"""The search for posts that are worth a closer look, and the examination of each: rows, latest run, the run's view."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from domain.ownership import UNDELIVERED_AFTER, RunState, classify_run
from domain.post import LATE_AFTER, OPEN, PostStatus
from reconcile.doctor.facts import SILENT_AFTER, Facts, RunQueries, is_settled
from reconcile.doctor.findings import Finding
from reconcile.doctor.running import diagnose_lost, diagnose_running
from reconcile.recovery import read_run_facts, row_facts
from store.database import Database
from store.maintenance.loose_ends import open_attempts, post_and_targets, post_open_attempts
from store.maintenance.open_posts import PostSummary, open_after, posts_of_workflows
from store.models import Post
from workflows.client.runs import Run, Runs

_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Case:
    """A post and its workflow; the post's id is None if no row has this workflow."""

    workflow_id: str
    post_id: str | None


@dataclass(slots=True)
class Counted:
    """The numbers of posts and workflows that were compared."""

    posts: int = 0
    workflows: int = 0
    open_posts: int = 0


async def suspicious(
    database: Database, runs: Runs, now: datetime, workspace_id: str | None, counted: Counted
) -> dict[str, Case]:
    """Return the cases by workflow id. Raises Unavailable if Temporal does not respond, SQLAlchemyError, OSError."""
    cases: dict[str, Case] = {}
    # Temporal is read first: a workflow that starts meanwhile is missing here, so its post is examined closely and not
    # overlooked.
    running = {run.workflow_id: run async for run in runs.listed("Running", workspace_id)}
    counted.workflows = len(running)
    async for summary in _open(database, workspace_id):
        counted.posts, counted.open_posts = counted.posts + 1, counted.open_posts + 1
        if _is_open_suspicious(summary, running.get(summary.workflow_id), now):
            cases[summary.workflow_id] = Case(summary.workflow_id, summary.id)
    async for run, row in _runs_with_rows(database, running):
        counted.posts += row is not None and not row.is_open
        if _is_running_suspicious(run, row):
            cases[run.workflow_id] = Case(run.workflow_id, row.id if row else None)
    async with database.reading() as session:
        for attempt in await open_attempts(session, now - SILENT_AFTER, workspace_id):
            cases[attempt.workflow_id] = Case(attempt.workflow_id, attempt.post_id)
    return cases


async def _open(database: Database, workspace_id: str | None) -> AsyncIterator[PostSummary]:
    last = ""
    while True:
        async with database.reading() as session:
            summaries = await open_after(session, last, _PAGE, workspace_id)
        for summary in summaries:
            yield summary
        if len(summaries) < _PAGE:
            return
        last = summaries[-1].id


async def _runs_with_rows(database: Database, running: dict[str, Run]) -> AsyncIterator[tuple[Run, PostSummary | None]]:
    ids = list(running)
    for first in range(0, len(ids), _PAGE):
        part = ids[first : first + _PAGE]
        async with database.reading() as session:
            summaries = await posts_of_workflows(session, part)
        for workflow_id in part:
            yield running[workflow_id], summaries.get(workflow_id)


def _is_open_suspicious(summary: PostSummary, run: Run | None, now: datetime) -> bool:
    undelivered = not summary.is_delivered and now - summary.undelivered_since > UNDELIVERED_AFTER
    if run is None:
        return summary.is_delivered or undelivered
    late = not summary.is_paused and summary.due_at is not None and now - summary.due_at > LATE_AFTER
    other_time = summary.status == PostStatus.SCHEDULED and run.due_at != summary.due_at
    return undelivered or late or other_time or run.stuck or run.post_status != summary.status


def _is_running_suspicious(run: Run, summary: PostSummary | None) -> bool:
    if summary is None or run.stuck:
        return True
    # The status of a partial post does not say which target has which status.
    return not summary.is_open and (run.post_status != summary.status or summary.status == PostStatus.PARTIAL)


class Examination:
    """An examination of posts, one by one."""

    def __init__(self, database: Database, runs: Runs, queries: RunQueries, *, has_worker: bool) -> None:
        self._database = database
        self._runs = runs
        self._queries = queries
        self._has_worker = has_worker

    async def findings(self, case: Case) -> Sequence[Finding]:
        """Return the findings about a post. Raises Unavailable if Temporal does not respond."""
        facts = await self._facts(case)
        if facts.run is not None and facts.run.running:
            return diagnose_running(facts, facts.run)
        if facts.post and not facts.post.is_delivered and facts.now - facts.post.undelivered_since < UNDELIVERED_AFTER:
            return []
        return diagnose_lost(facts)

    async def _facts(self, case: Case) -> Facts:
        # Temporal is asked first: a run that ends in between has written its row before.
        run = await self._runs.latest(case.workflow_id)
        post, attempts = None, []
        async with self._database.reading() as session:
            if case.post_id is not None:
                post = await post_and_targets(session, case.post_id)
            if post is not None:
                attempts = await post_open_attempts(session, post.id)
        facts = Facts(datetime.now(UTC), case.workflow_id, post, run, None, attempts, self._has_worker)
        if run is not None and not facts.is_changing and _decides(post, run):
            return replace(facts, view=await self._queries.query_status(run))
        return facts


def _decides(post: Post | None, run: Run) -> bool:
    """Return whether the run's own view matters."""
    if post is None or run.stuck:
        return False
    if not run.running:
        return post.status in OPEN and classify_run(row_facts(post), read_run_facts(run, None)) not in {
            RunState.LOST,
            RunState.RUNNING,
        }
    if post.status == PostStatus.SCHEDULED:
        return run.due_at != post.due_at
    return (
        post.status not in OPEN or any(is_settled(target) for target in post.targets) or run.post_status != post.status
    )
