"""Reports on one post: its row, its workflow, its attempts, and what to do now. Reads only."""

import asyncio
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from activities.options import POSTS_QUEUE, platform_queue
from domain.errors import Unavailable
from domain.plan import WaitsFor
from domain.post import LATE_AFTER, PostStatus, TargetStatus
from domain.schedule import rfc3339
from platforms.registry import platforms
from reconcile.clock import ahead_of_database
from reconcile.doctor.doctor import AGAIN_AFTER_S
from reconcile.doctor.facts import RunQueries
from reconcile.doctor.findings import Exit, Finding, FixedBy
from reconcile.doctor.posts import Case, Examination
from reconcile.doctor.waiting import OPERATOR_CAUSES, TEMPORAL_UNAVAILABLE, waiting_sentence
from store.accounts.connected import find_accounts
from store.apps import refused_apps
from store.database import Database
from store.maintenance.loose_ends import post_and_targets
from store.maintenance.waiting import count_waiting, target_waits_for
from store.models import AuditEvent, ConnectedAccount, Post, Target
from store.posts.history import newest_attempts
from workflows.client.runs import Run, Runs

ATTEMPTS = 5
"""The number of newest steps towards platforms that are shown. `socialsyncer history` shows all."""


@dataclass(frozen=True, slots=True)
class Advice:
    """The next action in a sentence, and the party that must act."""

    fixed_by: FixedBy
    text: str


@dataclass(frozen=True, slots=True)
class TargetReport:
    """The state of one target."""

    platform: str
    account_id: str
    status: str
    waits_for: WaitsFor | None
    explanation: str
    advice: Advice | None


@dataclass(slots=True)
class PostReport:
    """Everything known about one post, in sentences. `away` has a sentence for each part that could not be read."""

    post_id: str
    workspace_id: str
    workflow_id: str
    row: str
    targets: list[TargetReport]
    attempts: list[AuditEvent]
    workflow: list[str] = field(default_factory=list)
    platform: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    away: list[str] = field(default_factory=list)

    @property
    def advice(self) -> list[Advice]:
        """Return what to do now, without repetitions; empty if there is nothing to do."""
        pieces = [target.advice for target in self.targets if target.advice]
        return list(dict.fromkeys([*pieces, *(Advice(finding.fixed_by, finding.how) for finding in self.findings)]))

    @property
    def exit(self) -> Exit:
        """Return the exit code of the report, as for the check of all posts."""
        if self.away:
            return Exit.COULD_NOT_CHECK
        fixed_by = {advice.fixed_by for advice in self.advice}
        if FixedBy.PERSON in fixed_by:
            return Exit.NEEDS_A_PERSON
        return Exit.FIXES_ITSELF if fixed_by else Exit.AGREES


async def examine(database: Database, runs: Runs | None, post_id: str) -> PostReport | None:
    """Return the report on a post; None if there is no such post. `runs` is None if Temporal could not be reached."""
    now = datetime.now(UTC)
    async with database.reading() as session:
        post = await post_and_targets(session, post_id)
        if post is None:
            return None
        accounts = await find_accounts(session, post.workspace_id, [target.account_id for target in post.targets])
        attempts = await newest_attempts(session, post, ATTEMPTS)
        platform = [
            waiting_sentence(name, waits, count, now)
            for (name, waits), count in sorted((await count_waiting(session)).items())
            if name in {target.platform for target in post.targets if target.status not in _SETTLED}
        ]
        apps = [
            f"{platforms()[app.platform].label} refuses the app since {rfc3339(app.refused_at)}: {app.message}"
            for app in await refused_apps(session)
            if any(target.platform == app.platform for target in post.targets)
        ]
    report = PostReport(
        post.id,
        post.workspace_id,
        post.workflow_id,
        _row(post),
        [_target(post, target, accounts.get(target.account_id), now) for target in post.targets],
        attempts,
        platform=[*platform, *apps],
    )
    try:
        if runs is not None:
            await _ask_temporal(database, runs, post, report, now)
            return report
    except Unavailable:
        pass
    report.away.append(f"{TEMPORAL_UNAVAILABLE} The post's workflow could not be read.")
    return report


async def _ask_temporal(database: Database, runs: Runs, post: Post, report: PostReport, now: datetime) -> None:
    if post.status == PostStatus.DRAFT and post.delivered_version == 0:
        report.workflow.append("A draft has no workflow.")
        return
    run = await runs.latest(post.workflow_id)
    report.workflow += await _workflow(runs, run)
    report.platform += await _unserved(database, runs, post, now)
    has_worker = (await runs.queues.posts(ahead_of_database(database))).polled
    examination = Examination(database, runs, RunQueries(runs, 1), has_worker=has_worker)
    case = Case(post.workflow_id, post.id)
    if first := await examination.findings(case):
        # Running steps have ended by then.
        await asyncio.sleep(AGAIN_AFTER_S)
        before = {finding.identity for finding in first}
        report.findings += [
            finding.judged_at(datetime.now(UTC))
            for finding in await examination.findings(case)
            if finding.identity in before
        ]


async def _workflow(runs: Runs, run: Run | None) -> list[str]:
    if run is None:
        return ["Temporal knows no workflow of it."]
    status = run.status.name.lower().replace("_", " ")
    ended = f"ended as {status} at {rfc3339(run.closed_at)}" if run.closed_at else "runs"
    sentences = [f"Its workflow {ended} (run {run.run_id})."]
    if by_force := await runs.terminated_by(run):
        reason = f": {by_force.reason}" if by_force.reason else ""
        sentences.append(f"{by_force.identity or 'An operator'} terminated it{reason}.")
    if run.running and not run.stuck:
        view = await runs.query_status(run)
        if view is None:
            sentences.append("No worker answered for it.")
        else:
            sentences.append(f"It knows version {view.version} and says {view.status}: {view.waiting_for}")
    for step in run.steps:
        under_way = "is under way" if step.running else "waits for a worker"
        if step.next_at and not step.running:
            under_way = f"is tried again at {rfc3339(step.next_at)}"
        failed = f"; the last try ended with {step.failure}" if step.failure else ""
        sentences.append(f"Its step {step.activity} {under_way} (try {step.attempt}){failed}.")
    return sentences


async def _unserved(database: Database, runs: Runs, post: Post, now: datetime) -> list[str]:
    """Return sentences about the queues of a due post that no worker polls."""
    due = {
        target.platform
        for target in post.targets
        if target.status not in _SETTLED and target.due_at and target.due_at <= now
    }
    queues = [(POSTS_QUEUE, False), *((platform_queue(platform), True) for platform in sorted(due))]
    ahead = ahead_of_database(database)
    return [
        f"No worker asks for work of the queue {name}: start one that serves it."
        for name, activities in queues
        if not (await runs.queues.state(name, activities=activities, ahead=ahead)).polled
    ]


_SETTLED = frozenset({TargetStatus.PUBLISHED, TargetStatus.FAILED})


def _row(post: Post) -> str:
    due = f", due at {rfc3339(post.due_at)}" if post.due_at else ""
    known = "which its workflow knows" if post.is_delivered else "which its workflow may not know yet"
    is_open = PostStatus(post.status).is_open
    version = f", version {post.version}, {known}" if is_open else f", version {post.version}"
    return f"The row says {post.status}{due}{version}; changed last at {rfc3339(post.updated_at)}."


def _target(post: Post, target: Target, account: ConnectedAccount | None, now: datetime) -> TargetReport:
    waits = target_waits_for(target)
    return TargetReport(
        target.platform,
        target.account_id,
        target.status,
        waits,
        " ".join(_explain(post, target, account, now)),
        _advice(post, target, waits, now),
    )


def _explain(post: Post, target: Target, account: ConnectedAccount | None, now: datetime) -> Sequence[str]:
    name = f"{platforms()[target.platform].label} account {target.account_id}"
    known_as = f" as {target.platform_post_id}" if target.platform_post_id else ""
    sentences = [f"{name}: {target.status}{known_as}."]
    if target.due_at and target.begun_at:
        late = (target.begun_at - target.due_at).total_seconds()
        sentences.append(f"Due at {rfc3339(target.due_at)}, begun {max(late, 0):.1f} s after that.")
    elif target.due_at and target.due_at <= now and post.status in {PostStatus.SCHEDULED, PostStatus.PUBLISHING}:
        ago = (now - target.due_at).total_seconds()
        sentences.append(f"Due at {rfc3339(target.due_at)}, {ago:.0f} s ago; not begun.")
    if target.error:
        sentences.append(f"{target.error}{f' ({target.error_code})' if target.error_code else ''}")
    if target.warning:
        sentences.append(target.warning)
    if target.next_attempt_at and target.status not in _SETTLED:
        sentences.append(f"It continues at {rfc3339(target.next_attempt_at)}.")
    if account is None:
        sentences.append("The account is not connected.")
    elif account.refused_at:
        sentences.append(f"Its platform refuses the account since {rfc3339(account.refused_at)}.")
    return sentences


_REFUSED_APP = "Correct the app at the platform; `socialsyncer doctor` says how."
_BY_ITSELF = {
    WaitsFor.RATE_LIMIT: "it waits for its account's rate limit",
    WaitsFor.MEDIA: "other media of its workspace are fetched first",
}
_RETRY = "temporal workflow signal --workflow-id {} --name retry"


def _advice(post: Post, target: Target, waits: WaitsFor | None, now: datetime) -> Advice | None:
    """Return what to do about a target; None if there is nothing to do."""
    retry = _RETRY.format(shlex.quote(post.workflow_id))
    until = ""
    if target.due_at:
        until = (
            f" It fails if it has not gone out by {rfc3339(target.due_at + timedelta(seconds=post.publish_within))}."
        )
    match waits:
        case WaitsFor.ACCOUNT:
            add = f"`socialsyncer accounts add {target.platform} --workspace {post.workspace_id}`"
            return Advice(FixedBy.PERSON, f"Have the account {target.account_id} reconnected: {add}.{until}")
        case WaitsFor.OPERATOR:
            cause = OPERATOR_CAUSES.get(target.error_code or "")
            return Advice(FixedBy.PERSON, f"{cause.advice if cause else _REFUSED_APP}{until}")
        case WaitsFor.PAUSE:
            listed = f"`socialsyncer pauses --workspace {post.workspace_id}`"
            end = "`socialsyncer resume` or POST /v1/pauses/{pauseId}/resume"
            return Advice(FixedBy.PERSON, f"Find the pause by {listed}, and end it by {end}.")
        case WaitsFor.PERSON:
            where = f"{post.id} {target.platform} published|not-published [ID]"
            return Advice(FixedBy.PERSON, f"Look at the account, then `socialsyncer resolve {where}`.")
        case WaitsFor.ANSWER:
            return Advice(FixedBy.SYSTEM, f"By itself: the worker tries again to confirm it. Immediately: `{retry}`.")
        case WaitsFor.PLATFORM:
            return Advice(FixedBy.SYSTEM, f"By itself: it is tried again. Immediately: `{retry}`.{until}")
        case WaitsFor.RATE_LIMIT | WaitsFor.MEDIA:
            return Advice(FixedBy.SYSTEM, f"By itself: {_BY_ITSELF[waits]}.{until}")
        case None:
            return _advice_on_status(target, retry, now)


def _advice_on_status(target: Target, retry: str, now: datetime) -> Advice | None:
    if target.status == TargetStatus.FAILED:
        if target.retryable:
            how = f"POST /v1/posts/{{postId}}/retry, or `{retry}` while its workflow runs"
            return Advice(FixedBy.PERSON, f"If it should still go out: {how}.")
        return Advice(FixedBy.PERSON, "Its owner must change it by PATCH /v1/posts/{postId} and then retry it.")
    late = target.due_at is not None and now - target.due_at >= LATE_AFTER
    if target.status == TargetStatus.PENDING and target.begun_at is None and late:
        return Advice(FixedBy.SYSTEM, "By itself, once a worker starts it.")
    return None
