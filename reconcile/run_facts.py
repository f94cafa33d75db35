"""The facts about a post's row and the latest run of its workflow that `domain.ownership.classify_run` needs."""

from temporalio.client import WorkflowExecutionStatus

from domain.ownership import KnownToRun, PostVersion, RowFacts, RunFacts, RunStatus
from domain.post import TargetStatus
from store.models import Post
from workflows.client.runs import Run
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
