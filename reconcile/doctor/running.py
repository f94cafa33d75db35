"""The judgement of a post, whether its workflow runs or not."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from activities.options import RETRY_WINDOW, STEP_TIMEOUT
from domain.attempts import AttemptStep
from domain.ownership import UNDELIVERED_AFTER, RunState, classify_run
from domain.post import LATE_AFTER, OPEN, PostStatus, TargetStatus
from domain.schedule import rfc3339
from reconcile.doctor.facts import SILENT_AFTER, Facts, is_settled
from reconcile.doctor.findings import Finding, FindingKind, FixedBy
from reconcile.recovery import AHEAD, AHEAD_EVERY, EVERY, SOON, read_run_facts, row_facts
from store.maintenance.loose_ends import OpenAttempt
from store.models import Post, Target
from workflows.client.runs import Run
from workflows.messages import TargetStatusView

_ROWS_BY_HAND = (
    "Do not change, retry or delete it before that: each would start it again from a row that knows less than its last "
    'run did. docs/backup.md, "Correct rows by hand", says how to correct its row.'
)


def diagnose_lost(facts: Facts) -> list[Finding]:
    """Return the findings about a post without a running workflow."""
    findings = []
    if facts.post is not None and facts.is_open:
        findings.append(_diagnose_workflow(facts, facts.post))
    if not facts.is_open:
        findings += [finding for attempt in facts.open_attempts for finding in _unanswered(facts, attempt)]
    return findings


def _diagnose_workflow(facts: Facts, post: Post) -> Finding:
    run, status = facts.run, post.status
    state = classify_run(row_facts(post), read_run_facts(run, facts.view))
    ended = _how_it_ended(run)
    if state is RunState.CANCELLED:
        what = f"The row says {status}, but {ended} after the row had last changed, and the row does not say so."
        how = f"Look at its accounts and decide whether it should still go out. {_ROWS_BY_HAND}"
        return facts.finding(FindingKind.CANCELLED, FixedBy.PERSON, what, how)
    if state is RunState.AHEAD:
        what = f"The row says {status}, but {ended} and knows more: {_known(facts)}."
        how = "By itself: a worker's recovery has it confirmed on its platforms before anything is sent."
        return facts.finding(FindingKind.ENDED, FixedBy.SYSTEM, what, how, by=_recovered_by(facts.now, post, run))
    if state is RunState.UNKNOWN:
        what = f"The row says {status}, but {ended}; whether it knew more than the row could not be found out."
        if facts.has_worker:
            # Its recovery has asked without a result, too.
            how = f"No worker can tell what it knew. Look at its accounts. {_ROWS_BY_HAND}"
            return facts.finding(FindingKind.STATE_UNKNOWN, FixedBy.PERSON, what, how)
        how = "By itself: once a worker runs, its recovery asks that run, and starts the post again or says why not."
        return facts.finding(FindingKind.STATE_UNKNOWN, FixedBy.SYSTEM, what, how)
    if not post.is_delivered:
        what = f"The row says {status}, and its workflow was never started."
        how = "By itself: every worker's sweep starts what was saved and never started."
        return facts.finding(
            FindingKind.NOT_STARTED, FixedBy.SYSTEM, what, how, by=post.undelivered_since + UNDELIVERED_AFTER
        )
    what = f"The row says {status}, but {ended}."
    how = "By itself: a worker's recovery starts it again from its rows, which say what was sent."
    return facts.finding(FindingKind.LOST, FixedBy.SYSTEM, what, how, by=_recovered_by(facts.now, post, run))


def _how_it_ended(run: Run | None) -> str:
    if run is None:
        return "Temporal knows no workflow of it"
    when = f" at {rfc3339(run.closed_at)}" if run.closed_at else ""
    return f"its workflow was {run.status.name.lower().replace('_', ' ')}{when}"


def _known(facts: Facts) -> str:
    if facts.view is None:
        return "it came to its end after the row had last changed"
    return ", ".join(
        f"{target.target_id} ({target.platform}, {target.account_id}) {target.status}"
        + (f" as {target.platform_post_id}" if target.platform_post_id else "")
        for target in facts.view.targets
    )


def _recovered_by(now: datetime, post: Post, run: Run | None) -> datetime | None:
    """Return the time by which recovery has checked a post: every minute if it is due soon, otherwise every ten.

    A post that is held is checked every ten minutes.
    """
    if post.due_at is None:
        return None
    lost_at = run.closed_at if run and run.closed_at else now
    soon_at = max(post.due_at - SOON, lost_at) + EVERY
    ahead_at = max(post.due_at - AHEAD, lost_at) + AHEAD_EVERY
    is_held = any(target.status == TargetStatus.HELD for target in post.targets)
    return ahead_at if is_held else min(soon_at, ahead_at)


def _unanswered(facts: Facts, attempt: OpenAttempt) -> Iterator[Finding]:
    """Report a send without a response whose post is at rest and on which no worker works."""
    targets = facts.post.targets if facts.post else []
    target = next((candidate for candidate in targets if candidate.id == attempt.target_id), None)
    if target is None or (target.status == TargetStatus.PUBLISHED and attempt.step == AttemptStep.PUBLISH):
        # The result is known all the same: only the attempt log does not have it.
        return
    what = f"An attempt ({attempt.step}) of {rfc3339(attempt.started_at)} is left at sending, and no workflow runs."
    again = "edit" if attempt.step == AttemptStep.EDIT else "retry"
    how = f"Ask for it again (POST /v1/posts/{{postId}}/{again}): it is confirmed before anything is sent."
    yield facts.finding(FindingKind.SENDING, FixedBy.PERSON, what, how, target=target)


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
    terminate = _TERMINATE.format(facts.workflow_id)
    how = f"By itself: it sends nothing without a row and ends when it wakes. Immediately: {terminate}."
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
