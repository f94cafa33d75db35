"""The examination of single posts: their rows, their latest run and, if that decides, the run's view."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from domain.ownership import UNDELIVERED_AFTER, RunState, classify_run
from domain.post import OPEN, PostStatus
from reconcile.doctor.cases import Case
from reconcile.doctor.facts import Facts, is_settled
from reconcile.doctor.findings import Finding
from reconcile.doctor.lost import diagnose_lost
from reconcile.doctor.run_queries import RunQueries
from reconcile.doctor.running import diagnose_running
from reconcile.run_facts import read_run_facts, row_facts
from store.database import Database
from store.maintenance.loose_ends import post_and_targets, post_open_attempts
from store.models import Post
from workflows.client.runs import Run, Runs


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
