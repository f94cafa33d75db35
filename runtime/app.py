"""The API's app, built from the environment: uvicorn calls it as its factory."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from litestar import Litestar

from api.app import create_app
from api.dependencies import Dependencies
from api.shared.request_limits import LimitMeters, RequestLimits
from api.shared.workspace_usage import WorkspaceLimits
from media.local_hosts import LocalHosts
from reconcile.late_posts import WATCH, LatePostWatch
from reconcile.leases import Leases
from reconcile.measures import Gauges
from reconcile.rounds import running_tasks
from reconcile.zones import announce_zones
from runtime.database import open_database
from runtime.logging import configure
from runtime.metrics import serve_metrics
from runtime.namespace import namespace_task
from runtime.schema import SchemaCheck
from runtime.settings import Settings, read_settings
from runtime.temporal import open_client
from storage.opening import open_storage
from store.announcer import Outcomes
from store.database import OF_REQUESTS
from store.roles import Component
from workflows.client.post_workflows import PostWorkflows

log = structlog.get_logger(__name__)


def create_app_from_env() -> Litestar:
    """Return the app; it opens its dependencies when it is started, because they belong to the server's event loop."""
    settings = read_settings(Settings)
    configure(settings.log_level, settings.log_format)
    if settings.has_old_limits:
        log.warning("settings.renamed", old="SOCIALSYNCER_API_RATE", new="SOCIALSYNCER_REQUESTS_PER_MINUTE")
    runtime = serve_metrics(settings, api=True)

    @asynccontextmanager
    async def open_dependencies() -> AsyncIterator[Dependencies]:
        # Lazy: scheduled posts are accepted while Temporal is down.
        client = await open_client(lazy=True, runtime=runtime)
        database = open_database(settings, OF_REQUESTS, Component.API)
        outcomes = Outcomes(settings.direct_url)
        await outcomes.start()
        await announce_zones(database)
        request_limits = RequestLimits(
            database, settings.requests_policy, settings.posts_policy, LimitMeters(runtime.metric_meter)
        )
        limits = WorkspaceLimits(
            settings.max_open_posts, settings.max_posts, settings.max_posts_mb, settings.max_accounts
        )
        storage = open_storage(settings.storage) if settings.storage else None
        deps = Dependencies.assemble(
            database,
            PostWorkflows(client),
            outcomes,
            settings.late_after,
            request_limits,
            limits,
            settings.redirect_urls,
            settings.public_url,
            LocalHosts(settings.private_media_hosts, settings.sandbox_url),
            settings.operator_name,
            LocalHosts(settings.private_webhook_hosts),
            storage,
            settings.max_media_mb * 2**20,
            settings.media_public_url,
            settings.media_kept,
            settings.verification_files,
        )
        watch = LatePostWatch(database, settings.late_after, Gauges(runtime.metric_meter), deps.readiness)
        try:
            schema = SchemaCheck(database)
            leases = Leases(database, watch.hear, schema.hear)
            watching = [leases.leased(task, WATCH) for task in watch.tasks()]
            checking = [schema.task(), namespace_task(database, client), *deps.readiness.tasks()]
            async with running_tasks(*watching, leases.task(), *checking):
                yield deps
        finally:
            if storage:
                await storage.close()
            await outcomes.close()
            await database.close()

    return create_app(open_dependencies, settings.api_host_names)
