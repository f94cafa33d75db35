"""The judgement of a post whose workflow does not run."""

from collections.abc import Iterator
from datetime import datetime

from domain.attempts import AttemptStep
from domain.ownership import UNDELIVERED_AFTER, RunState, classify_run
from domain.post import TargetStatus
from domain.schedule import rfc3339
from reconcile.doctor.facts import Facts
from reconcile.doctor.findings import Finding, FindingKind, FixedBy
from reconcile.recovery import AHEAD, AHEAD_EVERY, EVERY, SOON
from reconcile.run_facts import read_run_facts, row_facts
from store.maintenance.loose_ends import OpenAttempt
from store.models import Post
from workflows.client.runs import Run

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
