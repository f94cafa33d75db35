"""Find the posts that are worth a closer look: in pages, and without asking anybody about a single one."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime

from domain.post import LATE_AFTER, PostStatus
from reconcile.doctor.facts import SILENT_AFTER
from reconcile.readiness import UNTOLD_AFTER
from store.checkup import open_attempts
from store.database import Database
from store.open_posts import PostLine, lines_of_workflows, open_after
from workflows.client.runs import Run, Runs

_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Case:
    """Name a post and its workflow; the post's id is None where no row has this workflow."""

    workflow_id: str
    post_id: str | None


@dataclass(slots=True)
class Counted:
    """Count what was compared."""

    posts: int = 0
    workflows: int = 0
    open: int = 0


async def suspicious(
    database: Database, runs: Runs, now: datetime, workspace_id: str | None, counted: Counted
) -> dict[str, Case]:
    """Return the cases by workflow id. Raises Unavailable where Temporal does not answer, SQLAlchemyError, OSError."""
    found: dict[str, Case] = {}
    # Temporal first: what starts meanwhile is missing here and looked at closely, not the other way round.
    running = {run.workflow_id: run async for run in runs.listed("Running", workspace_id)}
    counted.workflows = len(running)
    async for line in _open(database, workspace_id):
        counted.posts, counted.open = counted.posts + 1, counted.open + 1
        if _open_looks_wrong(line, running.get(line.workflow_id), now):
            found[line.workflow_id] = Case(line.workflow_id, line.id)
    async for run, row in _rows_of(database, running):
        counted.posts += row is not None and not row.open
        if _running_looks_wrong(run, row):
            found[run.workflow_id] = Case(run.workflow_id, row.id if row else None)
    async with database.reading() as session:
        for attempt in await open_attempts(session, now - SILENT_AFTER, workspace_id):
            found[attempt.workflow_id] = Case(attempt.workflow_id, attempt.post_id)
    return found


async def _open(database: Database, workspace_id: str | None) -> AsyncIterator[PostLine]:
    last = ""
    while True:
        async with database.reading() as session:
            lines = await open_after(session, last, _PAGE, workspace_id)
        for line in lines:
            yield line
        if len(lines) < _PAGE:
            return
        last = lines[-1].id


async def _rows_of(database: Database, running: dict[str, Run]) -> AsyncIterator[tuple[Run, PostLine | None]]:
    ids = list(running)
    for first in range(0, len(ids), _PAGE):
        part = ids[first : first + _PAGE]
        async with database.reading() as session:
            lines = await lines_of_workflows(session, part)
        for workflow_id in part:
            yield running[workflow_id], lines.get(workflow_id)


def _open_looks_wrong(line: PostLine, run: Run | None, now: datetime) -> bool:
    untold = not line.told and now - line.updated_at > UNTOLD_AFTER
    if run is None:
        return line.told or untold
    late = line.due_at is not None and now - line.due_at > LATE_AFTER
    other_time = line.status == PostStatus.SCHEDULED and run.due_at != line.due_at
    return untold or late or other_time or run.stuck or run.post_status != line.status


def _running_looks_wrong(run: Run, line: PostLine | None) -> bool:
    if line is None or run.stuck:
        return True
    # Of a partial post the sum does not say which of its targets is which.
    return not line.open and (run.post_status != line.status or line.status == PostStatus.PARTIAL)
