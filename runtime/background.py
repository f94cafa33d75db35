"""The background tasks of a worker, with the leases by which the workers of a fleet share them (ADR 60)."""

from temporalio.client import Client

from domain.workspaces import Retention
from reconcile.account_rechecks import recheck_task, refusals_task, renewal_task, revocation_task
from reconcile.app_setup import announce_task, disk_task, key_task
from reconcile.bulk_pace import BulkPace
from reconcile.campaigns import CampaignRound, hold_task
from reconcile.chains import chain_task, planner_task
from reconcile.expiry import ends_task, expiry_task, retention_task
from reconcile.late_posts import WATCH, LatePostWatch
from reconcile.lease_policy import LeasePolicy
from reconcile.leases import Leases
from reconcile.preflight import preflight_task
from reconcile.promotions import PromotionWatch
from reconcile.recovery import Recovery
from reconcile.rounds import BackgroundTask
from reconcile.storage import tidying_task
from reconcile.sweep import bulk_task, sweep_task
from reconcile.uploads import UploadFetches, thumbnail_task, upload_task
from reconcile.webhooks import handover_key_task, wake_task, webhook_keeping_task, webhook_sweep_task
from reconcile.zones import zone_task
from runtime.parts import WorkerParts
from runtime.schema import SchemaCheck
from workflows.client.campaign_workflows import CampaignWorkflows
from workflows.client.post_workflows import PostWorkflows
from workflows.client.runs import Runs


def worker_tasks(
    client: Client,
    parts: WorkerParts,
    posts: PostWorkflows,
    pace: BulkPace,
    watch: LatePostWatch,
    retention: Retention,
    policy: LeasePolicy,
) -> list[BackgroundTask]:
    """Return the tasks of one worker: those of its own memory and machine, and those of which it needs the leases."""
    schema, promotions = SchemaCheck(parts.database), PromotionWatch(parts.database, policy)
    leases = Leases(parts.database, watch.hear, promotions.hear, schema.hear, policy=policy)
    shared = _shared_tasks(client, parts, leases, posts, pace, watch, retention)
    return [*_own_tasks(parts, leases), watch.age_task(), schema.task(), *shared, leases.task()]


def _own_tasks(parts: WorkerParts, leases: Leases) -> list[BackgroundTask]:
    database, accounts = parts.database, parts.accounts
    announcing = announce_task(database, accounts.registered_apps, parts.redirect_urls, accounts.vault.key_ids)
    return [
        leases.leased(refusals_task(parts.apps)),
        leases.leased(announcing, "settings", at_start=True),
        leases.leased(handover_key_task(database, accounts.vault), "settings", at_start=True),
        key_task(database, accounts.vault, parts.meters),
        disk_task(parts.media.admission.disk, parts.meters),
    ]


def _shared_tasks(
    client: Client,
    parts: WorkerParts,
    leases: Leases,
    posts: PostWorkflows,
    pace: BulkPace,
    watch: LatePostWatch,
    retention: Retention,
) -> list[BackgroundTask]:
    database, accounts, leased = parts.database, parts.accounts, leases.leased
    runs = Runs(client)
    tasks = [
        # Four workers deliver a backlog together.
        leased(sweep_task(database, posts), "sweep.0", "sweep.1", "sweep.2", "sweep.3"),
        leased(bulk_task(database, posts, pace), "bulk"),
        leased(chain_task(database, posts), "chains"),
        leased(planner_task(database, parts.most_open_posts), "planner"),
        leased(hold_task(database), "holds"),
        leased(CampaignRound(database, CampaignWorkflows(client), runs).task(), "campaigns"),
        leased(Recovery(database, posts, runs).task(), "recovery"),
        leased(recheck_task(database, accounts, posts), "accounts"),
        leased(zone_task(database, posts), "zones"),
        leased(expiry_task(database, retention.audit), "expiry"),
        leased(retention_task(database, retention.posts_days), "retention"),
        leased(ends_task(database), "ends"),
        leased(wake_task(database, client), "webhooks.wake", lasts=True),
        leased(webhook_sweep_task(database, client), "webhooks.sweep"),
        leased(webhook_keeping_task(database), "webhooks.keep"),
        leased(preflight_task(database, parts.meters, parts.media.files, pace.is_publishing), "preflight"),
        *(leased(task, WATCH) for task in watch.tasks()),
    ]
    if accounts.renews:
        tasks.append(leased(renewal_task(database, accounts), "renewals.0", "renewals.1"))
        tasks.append(leased(revocation_task(database, accounts), "revocations"))
    if parts.storage:
        tasks.append(leased(upload_task(database, parts.storage, retention.media), "uploads"))
        tasks.append(leased(tidying_task(parts.storage), "storage"))
    if parts.upload_fetcher:
        fetches = UploadFetches(database, parts.upload_fetcher)
        tasks.append(leased(fetches.task(), "fetches.0", "fetches.1"))
    if parts.thumbnail_maker:
        tasks.append(leased(thumbnail_task(database, parts.thumbnail_maker), "thumbnails"))
    return tasks
