"""A search for loose ends: lost changes, keys without a post, queues without a worker, gates, campaigns, series."""

from collections.abc import AsyncIterator
from datetime import date, datetime, timedelta

from temporalio.client import WorkflowExecutionStatus

from activities.options import POSTS_QUEUE, platform_queue
from domain.ids import workflow_id
from domain.post import LATE_AFTER
from domain.schedule import rfc3339
from platforms.registry import EndingVersion, ending_versions
from reconcile.campaigns import LOST_AFTER
from reconcile.clock import ahead_of_database
from reconcile.doctor.findings import Finding, FindingKind, FixedBy, Subject
from reconcile.doctor.waiting import OPERATOR_CAUSES, OperatorCause
from store.apps import refused_apps
from store.campaigns.progress import campaigns_after
from store.database import Database
from store.maintenance.gates import GatedTarget, held_while_open, sent_while_closed
from store.maintenance.loose_ends import (
    DoubleSlot,
    LooseKey,
    WaitingRevision,
    double_slots,
    loose_keys,
    platforms_waiting,
    post_and_targets,
    waiting_revisions,
)
from store.maintenance.missing_events import ResultWithoutEvent, results_without_event
from store.maintenance.restores import count_to_confirm_first, open_restore
from store.maintenance.series import (
    BehindSeries,
    MissingOccurrence,
    MovedPost,
    behind_series,
    lost_occurrences,
    moved_posts,
    unmade_occurrences,
)
from store.maintenance.servers import TOO_OLD, is_server_trusted, oldest_transaction, read_installation
from store.maintenance.waiting import count_waiting
from store.models import AppRefusal, Restore
from store.rows import SKEWED_FROM, database_now, measure_skew
from store.webhooks.logs import WebhookNumbers, measure_webhooks
from workflows.client.runs import Runs


async def diagnose_series(database: Database, workspace_id: str | None) -> list[Finding]:
    """Return what is wrong with series. No two posts can have one occurrence: an index refuses the second."""
    async with database.reading() as session:
        now = await database_now(session)
        behind = await behind_series(session, now, workspace_id)
        lost = await lost_occurrences(session, now, workspace_id)
        unmade = await unmade_occurrences(session, now, workspace_id)
        moved = await moved_posts(session, workspace_id)
    return [*map(_behind_series, behind), *map(_lost_occurrence, lost), *map(_unmade, unmade), *map(_moved_post, moved)]


def _behind_series(series: BehindSeries) -> Finding:
    what = f"The series {series.id} lacks posts since {rfc3339(series.since)}."
    how = (
        "No worker looks at it: start one (`python worker.py`), or see why its planner stands (`planner.postponed`)."
        if series.is_waiting
        else "Its workspace has no room for more posts, or `series.not_planned` in a worker's log says why."
    )
    return Finding(FindingKind.SERIES_BEHIND, FixedBy.PERSON, _of_series(series.workspace_id, series.id), what, how)


def _lost_occurrence(missing: MissingOccurrence) -> Finding:
    what = f"The post of {missing.occurrence} of the series {missing.series_id} is gone, and no one has deleted it."
    how = "Create it by POST /v1/posts if it should still be published: the series makes no second one."
    subject = Subject(missing.post_id, missing.workspace_id, f"{missing.series_id}/{missing.occurrence}")
    return Finding(FindingKind.OCCURRENCE_MISSING, FixedBy.PERSON, subject, what, how)


def _unmade(missing: MissingOccurrence) -> Finding:
    what = f"The series {missing.series_id} has no post for {missing.occurrence}, which its rule has."
    how = "By itself: the planner looks at each series every hour."
    subject = _of_series(missing.workspace_id, f"{missing.series_id}/{missing.occurrence}")
    return Finding(FindingKind.OCCURRENCE_MISSING, FixedBy.SYSTEM, subject, what, how)


def _moved_post(post: MovedPost) -> Finding:
    what = f"The post is due at {rfc3339(post.instant)}, which is not {post.wall} in {post.zone} any more."
    how = "By itself: a worker compares wall times with its time zone data every hour. Both must have the same version."
    return Finding(FindingKind.WALL_DIFFERS, FixedBy.SYSTEM, Subject.about(post), what, how)


def _of_series(workspace_id: str, name: str) -> Subject:
    return Subject(workspace_id=workspace_id, workflow_id=name)


_LATELY = timedelta(minutes=1)
"""Workers let such a target continue within ten seconds."""
_PAGE = 500


class GateCheck:
    """A search for targets and campaigns that do not agree with their gates and workflows."""

    def __init__(self, database: Database, runs: Runs, workspace_id: str | None) -> None:
        self._database = database
        self._runs = runs
        self._workspace_id = workspace_id

    async def findings(self) -> list[Finding]:
        """Return all of them. Raises Unavailable."""
        async with self._database.reading() as session:
            sent = await sent_while_closed(session, self._workspace_id)
            held = await held_while_open(session, self._workspace_id, _LATELY)
            now = await database_now(session)
        return [
            *map(_sent, sent),
            *(
                Finding(
                    FindingKind.HELD_AT_AN_OPEN_GATE,
                    FixedBy.SYSTEM,
                    Subject.about(target),
                    "A pause holds it although no gate stops it any more.",
                    "By itself: a worker lets it continue within seconds.",
                    now,
                )
                for target in held
            ),
            *[finding async for finding in self._lost_campaigns()],
        ]

    async def _lost_campaigns(self) -> AsyncIterator[Finding]:
        last = ""
        while True:
            async with self._database.reading() as session:
                plans, now = await campaigns_after(session, last, _PAGE), await database_now(session)
            running = {run.workflow_id for run in await self._runs.running_among(plan.campaign_id for plan in plans)}
            for plan in plans:
                if plan.campaign_id in running or self._workspace_id not in {None, plan.workspace_id}:
                    continue
                subject = Subject(workspace_id=plan.workspace_id, workflow_id=plan.campaign_id)
                what = f"The campaign {plan.campaign_id} has no workflow that shows it and ends it at its time."
                how = "By itself within ten minutes: a worker starts it again. Its posts do not depend on it."
                yield Finding(FindingKind.CAMPAIGN_LOST, FixedBy.SYSTEM, subject, what, how, now + LOST_AFTER)
            if len(plans) < _PAGE:
                return
            last = plans[-1].campaign_id


def _sent(target: GatedTarget) -> Finding:
    what = (
        f"A request to publish it to {target.platform} account {target.account_id} began at {rfc3339(target.at)}, "
        f"while its {target.kind} was paused."
    )
    how = "Look whether it is public, and tell the developers of this service: no code may send through a closed gate."
    return Finding(FindingKind.SENT_WHILE_CLOSED, FixedBy.PERSON, Subject.about(target), what, how)


_HANDED_OVER_WITHIN = timedelta(seconds=30)
"""The age by which a saved edit is made or refused, or its client was asked to repeat it."""
_REMEMBERED = timedelta(days=1)
"""How long an edit that was given up is reported."""
_MOST_KEYS, _MOST_SLOTS, _MOST_RESULTS = 200, 200, 200
_SENT_WITHIN = timedelta(minutes=1)
"""How long an event for a webhook that does not fail may be due."""


class LooseEnds:
    """A search for problems that belong to no single post's run."""

    def __init__(self, database: Database, runs: Runs, workspace_id: str | None) -> None:
        self._database = database
        self._runs = runs
        self._workspace_id = workspace_id

    async def findings(self, *, waiting: bool) -> list[Finding]:
        """Return every loose end; `waiting` says that there are posts with work left."""
        async with self._database.reading() as session:
            now, skew = await database_now(session), await measure_skew(session)
            revisions = await waiting_revisions(session, now - _HANDED_OVER_WITHIN, self._workspace_id)
            keys = await loose_keys(session, now, self._workspace_id, _MOST_KEYS)
            apps = await refused_apps(session)
            restore = await open_restore(session)
            # It reads all attempts.
            waiting_confirms = await count_to_confirm_first(session) if restore else 0
            platforms = await platforms_waiting(session, now - LATE_AFTER, self._workspace_id)
            due = await count_waiting(session, self._workspace_id)
            doubles = await double_slots(session, self._workspace_id, _MOST_SLOTS)
            webhooks = await measure_webhooks(session, now, self._workspace_id)
            transaction_age = await oldest_transaction(session)
            is_trusted = await is_server_trusted(session)
            without_event = await results_without_event(session, now, self._workspace_id, _MOST_RESULTS)
        loose_ends = [finding async for finding in self._unserved(platforms)] if waiting else []
        loose_ends += [self._skewed(skew)] if abs(skew) >= SKEWED_FROM else []
        loose_ends += await self._foreign_namespace()
        loose_ends += [] if is_trusted else [self._untrusted_server()]
        loose_ends += [self._old_transaction(transaction_age)] if transaction_age >= TOO_OLD else []
        loose_ends += [self._restore(restore, waiting_confirms)] if restore else []
        codes = {code for group in due.values() for code in group.codes}
        loose_ends += [self._for_operator(cause) for code, cause in OPERATOR_CAUSES.items() if code in codes]
        loose_ends += [self._refused(app) for app in apps]
        loose_ends += [self._ending(version, now.date()) for version in ending_versions(now.date())]
        loose_ends += [finding for revision in revisions if (finding := await self._revision(revision, now))]
        loose_ends += [self._double(slot) for slot in doubles]
        loose_ends += [self._webhooks(webhooks)] if webhooks.overdue >= _SENT_WITHIN else []
        loose_ends += [self._without_event(result) for result in without_event]
        loose_ends += [finding for key in keys if (finding := await self._key(key))]
        return loose_ends

    async def _unserved(self, platforms: list[str]) -> AsyncIterator[Finding]:
        queues = [(POSTS_QUEUE, False), *((platform_queue(platform), True) for platform in platforms)]
        for queue, activities in queues:
            ahead = ahead_of_database(self._database)
            state = await self._runs.queues.state(queue, activities=activities, ahead=ahead)
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
                subject = Subject(workspace_id=self._workspace_id, platform=queue)
                yield Finding(FindingKind.NO_WORKER, FixedBy.PERSON, subject, what, how)
                if queue == POSTS_QUEUE:
                    # Without it, nothing reaches the queues of platforms.
                    return

    def _restore(self, restore: Restore, waiting: int) -> Finding:
        what = (
            f"A restore to {rfc3339(restore.restored_to)} is not finished: {restore.to_confirm} posts so far, "
            f"{waiting} targets still to be confirmed. The API refuses writes."
        )
        how = "Run `socialsyncer restored` again, as before: it continues from there."
        return Finding(FindingKind.RESTORE, FixedBy.PERSON, Subject(), what, how)

    def _skewed(self, skew: timedelta) -> Finding:
        direction = "ahead of" if skew > timedelta(0) else "behind"
        what = f"The clock of this machine is {abs(skew).total_seconds():.0f} s {direction} the database's."
        how = (
            "Let both machines follow a time server (chrony, systemd-timesyncd). Posts are published at their time all "
            "the same, but times in logs and in this report may be wrong."
        )
        return Finding(FindingKind.CLOCK, FixedBy.PERSON, Subject(), what, how)

    async def _foreign_namespace(self) -> list[Finding]:
        holder, installation = await self._runs.namespace_holder(), await read_installation(self._database)
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

    def _untrusted_server(self) -> Finding:
        what = (
            "The database's server was promoted or restored, and its rows may lack commits. Nothing is published: a "
            "post that the rows show as not sent may be public."
        )
        how = (
            "Run `socialsyncer restored --from T --database` with a moment before the oldest lost commit, or "
            "`socialsyncer restored --nothing-lost` if you are sure (docs/backup.md, Promote a standby)."
        )
        return Finding(FindingKind.ROWS_MAY_BE_LOST, FixedBy.PERSON, Subject(), what, how)

    def _old_transaction(self, age: timedelta) -> Finding:
        what = (
            f"A transaction of the database has been open for {round(age / timedelta(minutes=1))} min. If it writes, "
            "events and webhooks wait for it. Vacuum waits in any case, and statements become slower."
        )
        how = (
            "End it if it is not a backup that ends soon: `SELECT pid, usename, application_name, query FROM "
            "pg_stat_activity WHERE xact_start < now() - interval '5 min'` names it, and `SELECT "
            "pg_terminate_backend(PID)` ends it (docs/runbook.md, section 1, TransactionStaysOpen)."
        )
        return Finding(FindingKind.OLD_TRANSACTION, FixedBy.PERSON, Subject(), what, how)

    def _for_operator(self, cause: OperatorCause) -> Finding:
        subject = Subject(workspace_id=self._workspace_id)
        return Finding(cause.kind, FixedBy.PERSON, subject, cause.what, cause.how)

    def _refused(self, app: AppRefusal) -> Finding:
        named = f"the app {app.app_id}" if app.app_id else "the app of this service"
        what = f"{app.platform} refuses {named} since {rfc3339(app.refused_at)} ({app.code}): {app.message}"
        how = (
            "Correct it at the platform. Posts are held until then and continue by themselves; "
            f"the platform is tried again at {rfc3339(app.probe_at)}, or immediately after the signal `retry` to them "
            "(docs/runbook.md, section 2, AppRefused)."
        )
        return Finding(FindingKind.APP, FixedBy.PERSON, Subject(platform=app.platform), what, how)

    def _webhooks(self, webhooks: WebhookNumbers) -> Finding:
        since = round(webhooks.overdue.total_seconds())
        wait = "1 event waits" if webhooks.waiting == 1 else f"{webhooks.waiting} events wait"
        what = f"{wait} for webhooks. The first was due {since} s ago, and no worker has sent it."
        how = (
            "Start a worker (`python worker.py`). If one runs, its log says why: `webhook.not_woken` or "
            "`webhook.secret_unreadable`."
        )
        return Finding(FindingKind.WEBHOOKS, FixedBy.PERSON, Subject(workspace_id=self._workspace_id), what, how)

    def _without_event(self, result: ResultWithoutEvent) -> Finding:
        what = f"A target of the post was published on {result.platform}, and no event tells it to clients."
        how = (
            "A trigger is missing or disabled: `SELECT tgname, tgenabled FROM pg_trigger WHERE tgname LIKE 'emit_%'` "
            "shows D for it. Enable it, and tell the clients to read their posts."
        )
        return Finding(FindingKind.NO_EVENT, FixedBy.PERSON, Subject.about(result), what, how)

    def _double(self, slot: DoubleSlot) -> Finding:
        what = f"The posts {', '.join(slot.post_ids)} of queue {slot.queue_id} are all due at {rfc3339(slot.at)}."
        how = 'Give all but one another slot: PATCH /v1/posts/{postId} {"queue": "next"}.'
        return Finding(FindingKind.SLOT_DOUBLE, FixedBy.PERSON, Subject(slot.post_ids[0], slot.workspace_id), what, how)

    def _ending(self, version: EndingVersion, today: date) -> Finding:
        until = version.until.isoformat()
        serves = "serves" if version.until >= today else "has served"
        ends = f"{version.label} {serves} {version.name} of its API until {until}"
        what = f"{ends}, and this release of socialsyncer speaks it."
        return Finding(
            FindingKind.API_VERSION,
            FixedBy.PERSON,
            Subject(platform=version.platform),
            what,
            "Update socialsyncer before then.",
        )

    async def _revision(self, revision: WaitingRevision, now: datetime) -> Finding | None:
        async with self._database.reading() as session:
            post = await post_and_targets(session, revision.post_id)
        run = await self._runs.latest(revision.workflow_id)
        if post is None or (run and run.running and run.task_pending):
            return None
        subject = Subject.about(revision)
        saved = rfc3339(revision.created_at)
        trying = [step for step in run.steps if step.activity == "edit"] if run and run.running else []
        if trying:
            what = f"An edit of {saved} is not made yet."
            how = "By itself: it is confirmed or tried again for as long as the platform takes edits."
            return Finding(FindingKind.REVISION, FixedBy.SYSTEM, subject, what, how, trying[0].next_at)
        if now - revision.created_at > _REMEMBERED:
            return None
        what = f"An edit of {saved} was given up, and its client may not know."
        how = "Ask for it again (POST /v1/posts/{postId}/edit) if the platform still takes edits of the post."
        return Finding(FindingKind.REVISION, FixedBy.PERSON, subject, what, how)

    async def _key(self, key: LooseKey) -> Finding | None:
        named = workflow_id(key.workspace_id, key.post_id, key.key, key.generation)
        run = await self._runs.latest(named)
        if run and (run.running or run.status is WorkflowExecutionStatus.COMPLETED):
            # Deleted by its own workflow, as a client requested; or the workflow still runs, which is reported
            # elsewhere.
            return None
        what = "An Idempotency-Key holds for a post that is not there, and no workflow has deleted it."
        how = "By itself: requests with this key are answered 409 until it expires; use another key before."
        subject = Subject(key.post_id, key.workspace_id, named)
        return Finding(FindingKind.KEY, FixedBy.SYSTEM, subject, what, how, key.expires_at)
