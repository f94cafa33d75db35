"""Run workflows and activities: `python worker.py [--platforms twitter,instagram]`."""

import argparse
import asyncio
import gc
import os
import signal
from collections.abc import Callable
from datetime import timedelta

import structlog

from accounts.credentials.connections import AccountConnections
from media.decoding.confinement import forbid_inspection
from platforms.registry import platforms
from reconcile.late_posts import LatePostWatch
from reconcile.measures import Gauges
from reconcile.readiness import Readiness
from reconcile.rounds import running_tasks
from runtime import worker
from runtime.database import open_database
from runtime.health import serving_health
from runtime.logging import configure, log_uncaught
from runtime.metrics import serve_metrics
from runtime.namespace import CopiedDatabaseError, namespace_task, refuse_foreign_namespace
from runtime.parts import open_parts
from runtime.process import MANY_FILES, allow_open_files, new_event_loop, tune_gc
from runtime.schema import announce_process
from runtime.settings import SettingsError, VaultSettings, read_settings
from runtime.temporal import open_client
from store.database import OF_STEPS
from store.pooler import PoolerError
from store.roles import Component
from store.schema.revisions import SchemaError
from workflows.client.namespace import ForeignNamespaceError
from workflows.client.queues import Queues

log = structlog.get_logger(__name__)

STOP_MARGIN_S = 20.0
"""Seconds after the grace in which results are written. Then the process ends itself: otherwise local activities would
wait for an unavailable database until the process manager kills the process.
"""

_SAME_SIGNAL_S = 1.0
"""Signals within so many seconds count as one, because a terminal and a launcher may both send a Ctrl-C."""


async def run(names: list[str] | None) -> None:
    """Serve the queues of these platforms, of all by default, until SIGTERM or SIGINT; then finish the running steps.

    A second signal ends the process immediately.
    """
    settings = read_settings(VaultSettings)
    configure(settings.log_level, settings.log_format)
    forbid_inspection()
    log_uncaught()
    await announce_process(Component.WORKER, settings)
    runtime = serve_metrics(settings)
    client = await open_client(attempts=60, runtime=runtime)
    # Nothing has begun before this line, so a signal may end the process without a grace.
    accounts: list[AccountConnections] = []
    stop = _stop_signal(
        settings.worker_grace_s + STOP_MARGIN_S,
        lambda: max((connections.renewing_for_s() for connections in accounts), default=0),
    )
    database = open_database(settings, OF_STEPS, Component.WORKER)
    try:
        await refuse_foreign_namespace(database, client)
        async with open_parts(settings, database, runtime.metric_meter) as parts:
            accounts.append(parts.accounts)
            group = worker.worker_group(
                client, parts, names or platforms(), timedelta(seconds=settings.worker_grace_s), settings.worker_options
            )
            # Health checks report the worker as alive until its steps have finished.
            readiness = Readiness(database, Queues(client), settings.late_after, parts.storage)
            watch = LatePostWatch(database, settings.late_after, Gauges(runtime.metric_meter), readiness)
            workers = worker.running_workers(client, parts, group, watch, settings.retention)
            async with (
                serving_health(settings, readiness, group.workers),
                workers,
                running_tasks(namespace_task(database, client), *readiness.tasks()),
            ):
                log.info("worker.started", platforms=names or list(platforms()))
                await stop.wait()
                log.info("worker.stopping", grace_s=settings.worker_grace_s)
    finally:
        await database.close()
    log.info("worker.stopped")


def _stop_signal(within_s: float, needs_s: Callable[[], float]) -> asyncio.Event:
    """Return an event that the first signal sets. A second signal ends the process, as do `within_s` seconds.

    The process does not end by time while `needs_s` returns a positive number: the seconds that renewals still need.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    first: list[float] = []

    def end() -> None:
        if (still := needs_s()) > 0:
            loop.call_later(min(still, _SAME_SIGNAL_S), end)
        else:
            _exit_now(1)

    def on_signal(number: signal.Signals) -> None:
        if not first:
            first.append(loop.time())
            stop.set()
            loop.call_later(within_s, end)
        elif loop.time() - first[0] > _SAME_SIGNAL_S:
            _exit_now(128 + number)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal, number)
    return stop


def _exit_now(code: int) -> None:
    # The next worker confirms or repeats the running steps, as after a crash.
    log.warning("worker.cut_short")
    os._exit(code)


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--platforms",
        type=lambda text: [part.strip() for part in text.split(",") if part.strip()],
        help="serve only these platforms' queues, comma-separated; all by default",
    )
    arguments = parser.parse_args()
    if unknown := set(arguments.platforms or ()) - set(platforms()):
        parser.error(f"unknown platforms: {', '.join(sorted(unknown))}; there are {', '.join(platforms())}")
    tune_gc()
    allow_open_files(MANY_FILES)
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        try:
            runner.run(run(arguments.platforms))
        except (SettingsError, SchemaError, PoolerError, ForeignNamespaceError, CopiedDatabaseError) as error:
            parser.exit(1, f"Error: {error}\n")
    # The SDK's runtime must be gone before the interpreter is, or some exits crash.
    gc.collect()


if __name__ == "__main__":
    main()
