"""The judgement of a post whose workflow runs."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from activities.options import RETRY_WINDOW, STEP_TIMEOUT
from domain.ownership import UNDELIVERED_AFTER
from domain.post import LATE_AFTER, OPEN, PostStatus, TargetStatus
from domain.schedule import rfc3339
from reconcile.doctor.facts import SILENT_AFTER, Facts, is_settled
from reconcile.doctor.findings import Finding, FindingKind, FixedBy
from store.models import Post, Target
from workflows.client.runs import Run
from workflows.messages import TargetStatusView

_TERMINATE = "`temporal workflow terminate --workflow-id '{}' --reason …`"


def diagnose_running(facts: Facts, run: Run) -> list[Finding]:
    """Return the findings about a post whose workflow runs."""
    if run.stuck:
        return [_stuck(facts)]
    if facts.post is None:
        return [] if facts.is_changing else [_orphan(facts, run)]
    findings = [*_late(facts, facts.post), *_left_sending(facts, facts.post, run)]
    waits_for_delivery = facts.post.undelivered_since > facts.now
    if not facts.is_changing and not waits_for_delivery:
        findings += _inconsistent(facts, facts.post, run)
    return findings


def _stuck(facts: Facts) -> Finding:
    what = "Its workflow's tasks fail again and again: the deployed code does not fit its history, or has a bug."
    how = (
        "Deploy code that fits: the version before, or a corrected one. Each worker that starts begins the workflow of "
        "a due post again once, within a minute. Others, and all without waiting: `temporal workflow reset` as in "
        "docs/runbook.md, section 1 (WorkflowTasksFail). It sends nothing twice."
    )
    return facts.finding(FindingKind.STUCK, FixedBy.PERSON, what, how)


def _orphan(facts: Facts, run: Run) -> Finding:
    due = run.due_at
    what = (
        "Its workflow runs, and the post has no row: it was deleted without its workflow, or the database was restored "
        "from an older backup."
    )
    how = (
        "By itself: it sends nothing without a row and ends when it wakes. Immediately: "
        + _TERMINATE.format(facts.workflow_id)
        + "."
    )
    by = None
    if due is not None:
        by = due if due > facts.now else max(due + RETRY_WINDOW, facts.now)
    return facts.finding(FindingKind.ORPHAN, FixedBy.SYSTEM, what, how, by=by)


def _late(facts: Facts, post: Post) -> Iterator[Finding]:
    for target in post.targets if facts.is_open else ():
        waits = target.status == TargetStatus.PENDING and target.begun_at is None
        if not waits or target.due_at is None or facts.now < target.due_at + LATE_AFTER:
            continue
        deadline = target.due_at + timedelta(seconds=post.publish_within)
        what = f"It was due at {rfc3339(target.due_at)} and is not begun."
        how = "By itself: it is published as soon as a worker starts it, and fails if none has by then."
        yield facts.finding(FindingKind.LATE, FixedBy.SYSTEM, what, how, by=deadline, target=target)


def _left_sending(facts: Facts, post: Post, run: Run) -> Iterator[Finding]:
    alive = any(facts.may_run(step.beat_at, running=step.running) for step in run.steps)
    for attempt in facts.open_attempts:
        age = facts.now - attempt.started_at
        if age < SILENT_AFTER or (alive and age < STEP_TIMEOUT):
            continue
        target = next((candidate for candidate in post.targets if candidate.id == attempt.target_id), None)
        what = f"An attempt ({attempt.step}) of {rfc3339(attempt.started_at)} is left at sending: its worker is gone."
        how = "By itself: the next worker that takes the step confirms on the platform before it sends anything."
        yield facts.finding(FindingKind.SENDING, FixedBy.SYSTEM, what, how, target=target)


def _inconsistent(facts: Facts, post: Post, run: Run) -> Iterator[Finding]:
    status = facts.view.status if facts.view else PostStatus(run.post_status) if run.post_status else None
    if post.status == PostStatus.DRAFT:
        what = "The post is a draft, and its workflow runs on."
        how = "By itself: it reads the row before it sends anything, and ends."
        yield facts.finding(FindingKind.DRAFT, FixedBy.SYSTEM, what, how, by=run.due_at)
        return
    due = facts.view.due_at if facts.view else run.due_at
    if post.status == PostStatus.SCHEDULED and post.due_at and due and _apart(due, post.due_at):
        what = f"The row is due at {rfc3339(post.due_at)}, its workflow publishes at {rfc3339(due)}."
        knows = facts.view.version if facts.view else post.version
        if post.version > knows or not post.is_delivered:
            how = "By itself: the row's time counts, and a worker's sweep delivers it to the workflow."
            yield facts.finding(
                FindingKind.DUE, FixedBy.SYSTEM, what, how, by=post.undelivered_since + UNDELIVERED_AFTER
            )
            return
        how = "Change the post (PATCH /v1/posts/{postId}) to the intended time: both follow."
        yield facts.finding(FindingKind.DUE, FixedBy.PERSON, what, how)
    if facts.view is None:
        if not facts.is_open and status in OPEN:
            yield _row_ahead(facts, run, post.status, str(status))
        return
    rows = {target.id: target for target in post.targets}
    for view in facts.view.targets:
        if (target := rows.get(view.target_id)) is not None:
            yield from _diagnose_target(facts, run, target, view)


def _diagnose_target(facts: Facts, run: Run, target: Target, view: TargetStatusView) -> Iterator[Finding]:
    row, status = TargetStatus(target.status), view.status
    if row is status:
        return
    named = f"The target's row says {row}, its workflow {status}"
    named += f" as {view.platform_post_id}." if view.platform_post_id else "."
    if status is TargetStatus.PUBLISHED:
        how = (
            "Look at the account, and do not retry it before: if it is public, correct the row "
            '(docs/backup.md, "Correct rows by hand").'
        )
        kind = FindingKind.TARGET if is_settled(target) else FindingKind.WORKFLOW_AHEAD
        yield facts.finding(kind, FixedBy.PERSON, named, how, target=target)
    elif is_settled(target):
        over = status is TargetStatus.FAILED or (status is TargetStatus.UNCONFIRMED and not run.steps)
        if over and not facts.is_open:
            how = "By itself: the row is what counts, and a worker's sweep notifies the workflow."
            if facts.post is None or facts.post.is_delivered or facts.post.next_delivery_at is None:
                how = "By itself: the row is what counts, and the workflow forgets when it closes."
            yield facts.finding(FindingKind.TARGET, FixedBy.SYSTEM, named, how, target=target)
        else:
            yield _row_ahead(facts, run, row, status, target)
    elif status is TargetStatus.FAILED:
        how = (
            f"End the workflow: {_TERMINATE.format(facts.workflow_id)}. A worker's recovery then starts it again from "
            "the row."
        )
        yield facts.finding(FindingKind.WORKFLOW_AHEAD, FixedBy.PERSON, named, how, target=target)


def _row_ahead(facts: Facts, run: Run, row: str, status: str, target: Target | None = None) -> Finding:
    what = f"The row says {row}, its workflow still {status}."
    how = "By itself: its next step finds the row settled and sends nothing."
    moments = [step.next_at for step in run.steps if step.next_at] or ([run.due_at] if run.due_at else [])
    by = min((moment for moment in moments if moment > facts.now), default=None)
    return facts.finding(FindingKind.ROW_AHEAD, FixedBy.SYSTEM, what, how, by=by, target=target)


def _apart(time: datetime, other: datetime) -> bool:
    """Return whether two times differ: the visibility store keeps fewer digits than the row."""
    return abs(time - other) >= timedelta(milliseconds=1)
