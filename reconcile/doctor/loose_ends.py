"""A search for loose ends: lost changes, keys without a post, queues without a worker, gates, campaigns, series."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from temporalio.client import WorkflowExecutionStatus

from activities.options import POSTS_QUEUE, platform_queue
from domain.ids import workflow_id
from domain.post import LATE_AFTER
from domain.schedule import rfc3339
from platforms.registry import ending_versions
from reconcile.campaigns import LOST_AFTER
from reconcile.clock import ahead_of_database
from reconcile.doctor.findings import Finding, FindingKind, FixedBy, Subject
from reconcile.doctor.waiting import OPERATOR_CAUSES
from store.apps import refused_apps
from store.campaigns.progress import campaigns_after
from store.database import Database
from store.maintenance.loose_ends import (
    DOUBLE_SLOTS,
    HELD_WHILE_OPEN,
    LOOSE_KEYS,
    LOST_OCCURRENCES,
    RESULTS_WITHOUT_EVENT,
    SENT_WHILE_CLOSED,
    SERIES_BEHIND,
    WAITING_REVISIONS,
    Check,
    Query,
    platforms_waiting,
    post_and_targets,
)
from store.maintenance.restores import count_to_confirm_first, open_restore
from store.maintenance.series import moved_posts, unmade_occurrences
from store.maintenance.servers import TOO_OLD, is_server_trusted, oldest_transaction, read_installation
from store.maintenance.waiting import count_waiting
from store.rows import SKEWED_FROM, database_now, measure_skew
from store.webhooks.logs import measure_webhooks
from workflows.client.runs import Runs

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class LooseEnd:
    """A kind of loose end that rows alone show: each row of its probe is a finding.

    The row's columns are the ids of the finding's subject, the fields of the sentences, and `by` when it heals.
    """

    kind: FindingKind
    probe: Query | Callable[[Check], Awaitable[list[Row]]]
    what: str
    how: str
    fixed_by: FixedBy = FixedBy.PERSON

    async def findings(self, check: Check) -> list[Finding]:
        """Return a finding for each row."""
        probe = self.probe
        rows = await (check.rows(probe) if isinstance(probe, Query) else probe(check))
        return [self._finding(row) for row in rows]

    def _finding(self, row: Row) -> Finding:
        fields = {name: rfc3339(value) if isinstance(value, datetime) else value for name, value in row.items()}
        what, how = self.what.format_map(fields), self.how.format_map(fields)
        return Finding(self.kind, self.fixed_by, Subject.about(row), what, how, row.get("by"))


async def find_loose_ends(
    database: Database, workspace_id: str | None, loose_ends: Iterable[LooseEnd]
) -> list[Finding]:
    """Return the findings of these kinds, read in one transaction."""
    async with database.reading() as session:
        check = Check(session, await database_now(session), workspace_id)
        return [finding for loose_end in loose_ends for finding in await loose_end.findings(check)]


_UNSEEN = "No worker looks at it: start one (`python worker.py`), or see why its planner stands (`planner.postponed`)."
_NO_ROOM = "Its workspace has no room for more posts, or `series.not_planned` in a worker's log says why."


async def _behind_series(check: Check) -> list[Row]:
    rows = await check.rows(SERIES_BEHIND)
    return [{**row, "advice": _UNSEEN if row["is_waiting"] else _NO_ROOM} for row in rows]


SERIES = (
    LooseEnd(
        FindingKind.SERIES_BEHIND, _behind_series, "The series {workflow_id} lacks posts since {since}.", "{advice}"
    ),
    LooseEnd(
        FindingKind.OCCURRENCE_MISSING,
        LOST_OCCURRENCES,
        "The post of {occurrence} of the series {series_id} is gone, and no one has deleted it.",
        "Create it by POST /v1/posts if it should still be published: the series makes no second one.",
    ),
    LooseEnd(
        FindingKind.OCCURRENCE_MISSING,
        lambda check: unmade_occurrences(check.session, check.now, check.workspace_id),
        "The series {series_id} has no post for {occurrence}, which its rule has.",
        "By itself: the planner looks at each series every hour.",
        FixedBy.SYSTEM,
    ),
    LooseEnd(
        FindingKind.WALL_DIFFERS,
        lambda check: moved_posts(check.session, check.workspace_id),
        "The post is due at {instant}, which is not {wall} in {zone} any more.",
        "By itself: a worker compares wall times with its time zone data every hour. Both must have the same version.",
        FixedBy.SYSTEM,
    ),
)
"""What is wrong with series. No two posts can have one occurrence: an index refuses the second."""
_GATES = (
    LooseEnd(
        FindingKind.SENT_WHILE_CLOSED,
        SENT_WHILE_CLOSED,
        "A request to publish it to {platform} account {account_id} began at {at}, while its {kind} was paused.",
        "Look whether it is public, and tell the developers of this service: no code may send through a closed gate.",
    ),
    LooseEnd(
        FindingKind.HELD_AT_AN_OPEN_GATE,
        HELD_WHILE_OPEN,
        "A pause holds it although no gate stops it any more.",
        "By itself: a worker lets it continue within seconds.",
        FixedBy.SYSTEM,
    ),
)
_PAGE = 500


_REMEMBERED = timedelta(days=1)
"""How long an edit that was given up is reported."""
_SENT_WITHIN = timedelta(minutes=1)
"""How long an event for a webhook that does not fail may be due."""


async def _clock_skew(check: Check) -> list[Row]:
    skew = await measure_skew(check.session)
    direction = "ahead of" if skew > timedelta(0) else "behind"
    return [{"skew": abs(skew).total_seconds(), "direction": direction}] if abs(skew) >= SKEWED_FROM else []


async def _untrusted_server(check: Check) -> list[Row]:
    return [] if await is_server_trusted(check.session) else [{}]


async def _old_transaction(check: Check) -> list[Row]:
    age = await oldest_transaction(check.session)
    return [{"minutes": round(age / timedelta(minutes=1))}] if age >= TOO_OLD else []


async def _unfinished_restore(check: Check) -> list[Row]:
    if (restore := await open_restore(check.session)) is None:
        return []
    # It reads all attempts.
    waiting = await count_to_confirm_first(check.session)
    return [{"restored_to": restore.restored_to, "to_confirm": restore.to_confirm, "waiting": waiting}]


async def _refused_apps(check: Check) -> list[Row]:
    return [
        {
            **{name: getattr(app, name) for name in ("platform", "refused_at", "code", "message", "probe_at")},
            "app": f"the app {app.app_id}" if app.app_id else "the app of this service",
        }
        for app in await refused_apps(check.session)
    ]


async def _ending_versions(check: Check) -> list[Row]:
    today = check.now.date()
    return [
        {**asdict(version), "serves": "serves" if version.until >= today else "has served"}
        for version in ending_versions(today)
    ]


async def _late_webhooks(check: Check) -> list[Row]:
    webhooks = await measure_webhooks(check.session, check.now, check.workspace_id)
    if webhooks.overdue < _SENT_WITHIN:
        return []
    wait = "1 event waits" if webhooks.waiting == 1 else f"{webhooks.waiting} events wait"
    return [{"workspace_id": check.workspace_id, "wait": wait, "since": round(webhooks.overdue.total_seconds())}]


_LOOSE_ENDS = (
    LooseEnd(
        FindingKind.CLOCK,
        _clock_skew,
        "The clock of this machine is {skew:.0f} s {direction} the database's.",
        "Let both machines follow a time server (chrony, systemd-timesyncd). Posts are published at their time all "
        "the same, but times in logs and in this report may be wrong.",
    ),
    LooseEnd(
        FindingKind.ROWS_MAY_BE_LOST,
        _untrusted_server,
        "The database's server was promoted or restored, and its rows may lack commits. Nothing is published: a "
        "post that the rows show as not sent may be public.",
        "Run `socialsyncer restored --from T --database` with a moment before the oldest lost commit, or "
        "`socialsyncer restored --nothing-lost` if you are sure (docs/backup.md, Promote a standby).",
    ),
    LooseEnd(
        FindingKind.OLD_TRANSACTION,
        _old_transaction,
        "A transaction of the database has been open for {minutes} min. If it writes, "
        "events and webhooks wait for it. Vacuum waits in any case, and statements become slower.",
        "End it if it is not a backup that ends soon: `SELECT pid, usename, application_name, query FROM "
        "pg_stat_activity WHERE xact_start < now() - interval '5 min'` names it, and `SELECT "
        "pg_terminate_backend(PID)` ends it (docs/runbook.md, section 1, TransactionStaysOpen).",
    ),
    LooseEnd(
        FindingKind.RESTORE,
        _unfinished_restore,
        "A restore to {restored_to} is not finished: {to_confirm} posts so far, "
        "{waiting} targets still to be confirmed. The API refuses writes.",
        "Run `socialsyncer restored` again, as before: it continues from there.",
    ),
    LooseEnd(
        FindingKind.APP,
        _refused_apps,
        "{platform} refuses {app} since {refused_at} ({code}): {message}",
        "Correct it at the platform. Posts are held until then and continue by themselves; "
        "the platform is tried again at {probe_at}, or immediately after the signal `retry` to them "
        "(docs/runbook.md, section 2, AppRefused).",
    ),
    LooseEnd(
        FindingKind.API_VERSION,
        _ending_versions,
        "{label} {serves} {name} of its API until {until}, and this release of socialsyncer speaks it.",
        "Update socialsyncer before then.",
    ),
    LooseEnd(
        FindingKind.SLOT_DOUBLE,
        DOUBLE_SLOTS,
        "The posts {post_ids} of queue {queue_id} are all due at {at}.",
        'Give all but one another slot: PATCH /v1/posts/{{postId}} {{"queue": "next"}}.',
    ),
    LooseEnd(
        FindingKind.WEBHOOKS,
        _late_webhooks,
        "{wait} for webhooks. The first was due {since} s ago, and no worker has sent it.",
        "Start a worker (`python worker.py`). If one runs, its log says why: `webhook.not_woken` or "
        "`webhook.secret_unreadable`.",
    ),
    LooseEnd(
        FindingKind.NO_EVENT,
        RESULTS_WITHOUT_EVENT,
        "A target of the post was published on {platform}, and no event tells it to clients.",
        "A trigger is missing or disabled: `SELECT tgname, tgenabled FROM pg_trigger WHERE tgname LIKE 'emit_%'` "
        "shows D for it. Enable it, and tell the clients to read their posts.",
    ),
)


@dataclass(frozen=True, slots=True)
class LooseEnds:
    """A search for problems that belong to no single post's run."""

    database: Database
    runs: Runs
    workspace_id: str | None

    async def findings(self, *, waiting: bool) -> list[Finding]:
        """Return every loose end; `waiting` says that there are posts with work left."""
        async with self.database.reading() as session:
            check = Check(session, await database_now(session), self.workspace_id)
            loose_ends = [finding for loose_end in _LOOSE_ENDS for finding in await loose_end.findings(check)]
            revisions = await check.rows(WAITING_REVISIONS)
            keys = await check.rows(LOOSE_KEYS)
            platforms = await platforms_waiting(session, check.now - LATE_AFTER, self.workspace_id)
            due = await count_waiting(session, self.workspace_id)
        codes = {code for group in due.values() for code in group.codes}
        causes = [cause for code, cause in OPERATOR_CAUSES.items() if code in codes]
        subject = Subject(workspace_id=self.workspace_id)
        loose_ends += [Finding(cause.kind, FixedBy.PERSON, subject, cause.what, cause.how) for cause in causes]
        loose_ends += [finding async for finding in self._unserved(platforms)] if waiting else []
        loose_ends += await self._foreign_namespace()
        loose_ends += [finding for revision in revisions if (finding := await self._revision(revision, check.now))]
        loose_ends += [finding for key in keys if (finding := await self._key(key))]
        loose_ends += await find_loose_ends(self.database, self.workspace_id, _GATES)
        loose_ends += [finding async for finding in self._lost_campaigns()]
        return loose_ends + await find_loose_ends(self.database, self.workspace_id, SERIES)

    async def _lost_campaigns(self) -> AsyncIterator[Finding]:
        last = ""
        while True:
            async with self.database.reading() as session:
                plans, now = await campaigns_after(session, last, _PAGE), await database_now(session)
            running = {run.workflow_id for run in await self.runs.running_among(plan.campaign_id for plan in plans)}
            for plan in plans:
                if plan.campaign_id in running or self.workspace_id not in {None, plan.workspace_id}:
                    continue
                subject = Subject(workspace_id=plan.workspace_id, workflow_id=plan.campaign_id)
                what = f"The campaign {plan.campaign_id} has no workflow that shows it and ends it at its time."
                how = "By itself within ten minutes: a worker starts it again. Its posts do not depend on it."
                yield Finding(FindingKind.CAMPAIGN_LOST, FixedBy.SYSTEM, subject, what, how, now + LOST_AFTER)
            if len(plans) < _PAGE:
                return
            last = plans[-1].campaign_id

    async def _unserved(self, platforms: list[str]) -> AsyncIterator[Finding]:
        queues = [(POSTS_QUEUE, False), *((platform_queue(platform), True) for platform in platforms)]
        for queue, activities in queues:
            ahead = ahead_of_database(self.database)
            state = await self.runs.queues.state(queue, activities=activities, ahead=ahead)
            what = how = ""
            if not state.polled:
                what = f"There are posts to be published, and no worker asks for work of the queue {queue}."
                how = "Start a worker that serves it (`python worker.py`): then these posts are published."
            elif state.stands and queue == POSTS_QUEUE:
                # Steps towards platforms may all take minutes, tasks of this queue do not.
                what = f"{state.backlog} tasks wait in the queue {queue}, and workers ask for them and get none."
                how = (
                    "Restart the workers, one of which may hang or has ended. If these posts are not published two "
                    "minutes later, restart Temporal (docs/runbook.md, section 1, `worker`)."
                )
            if what:
                subject = Subject(workspace_id=self.workspace_id, platform=queue)
                yield Finding(FindingKind.NO_WORKER, FixedBy.PERSON, subject, what, how)
                if queue == POSTS_QUEUE:
                    # Without it, nothing reaches the queues of platforms.
                    return

    async def _foreign_namespace(self) -> list[Finding]:
        holder, installation = await self.runs.namespace_holder(), await read_installation(self.database)
        if holder in {None, installation}:
            return []
        what = (
            f"Temporal's namespace belongs to another installation ({holder}) than this database ({installation}). Two "
            "installations in one namespace publish each other's posts."
        )
        how = (
            "Let TEMPORAL_NAMESPACE and SOCIALSYNCER_DATABASE_URL name what belongs together. If the other database is "
            "gone for good, run `socialsyncer migrate --take-over-namespace`."
        )
        return [Finding(FindingKind.NAMESPACE, FixedBy.PERSON, Subject(), what, how)]

    async def _revision(self, revision: Row, now: datetime) -> Finding | None:
        async with self.database.reading() as session:
            post = await post_and_targets(session, revision["post_id"])
        run = await self.runs.latest(revision["workflow_id"])
        if post is None or (run and run.running and run.task_pending):
            return None
        subject, saved = Subject.about(revision), rfc3339(revision["created_at"])
        trying = [step for step in run.steps if step.activity == "edit"] if run and run.running else []
        if trying:
            what = f"An edit of {saved} is not made yet."
            how = "By itself: it is confirmed or tried again for as long as the platform takes edits."
            return Finding(FindingKind.REVISION, FixedBy.SYSTEM, subject, what, how, trying[0].next_at)
        if now - revision["created_at"] > _REMEMBERED:
            return None
        what = f"An edit of {saved} was given up, and its client may not know."
        how = "Ask for it again (POST /v1/posts/{postId}/edit) if the platform still takes edits of the post."
        return Finding(FindingKind.REVISION, FixedBy.PERSON, subject, what, how)

    async def _key(self, key: Row) -> Finding | None:
        named = workflow_id(key["workspace_id"], key["post_id"], key["key"], key["generation"])
        run = await self.runs.latest(named)
        if run and (run.running or run.status is WorkflowExecutionStatus.COMPLETED):
            # Deleted by its own workflow, as a client requested. A workflow that still runs is reported elsewhere.
            return None
        what = "An Idempotency-Key holds for a post that is not there, and no workflow has deleted it."
        how = "By itself: requests with this key are answered 409 until it expires; use another key before."
        subject = Subject(key["post_id"], key["workspace_id"], named)
        return Finding(FindingKind.KEY, FixedBy.SYSTEM, subject, what, how, key["expires_at"])
