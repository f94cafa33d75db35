"""Run workflows and activities: `python worker.py [--platforms twitter,instagram]`."""

import argparse
import asyncio
import gc
import signal

import structlog

from platforms.registry import networks
from runtime import worker
from runtime.health import serving_health
from runtime.logging import configure
from runtime.loop import fast_loop
from runtime.settings import Settings
from runtime.temporal import connect
from store.database import Database

log = structlog.get_logger(__name__)


async def run(platforms: list[str] | None) -> None:
    """Work until SIGTERM or SIGINT, then finish what has begun."""
    settings = Settings()
    configure(settings.log_level, settings.log_format)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    client = await connect(attempts=60)
    database = Database(settings.database_url.get_secret_value(), pool_size=20)
    try:
        async with (
            worker.desk(settings, database) as desk,
            worker.running(client, desk, platforms) as started,
            serving_health(settings, database, client, started),
        ):
            log.info("worker.started", platforms=platforms or list(networks()))
            await stop.wait()
            log.info("worker.stopping", grace_s=worker.GRACE.total_seconds())
    finally:
        await database.close()
    log.info("worker.stopped")


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--platforms",
        type=lambda text: [part.strip() for part in text.split(",") if part.strip()],
        help="serve only these networks' queues, comma-separated; all by default",
    )
    arguments = parser.parse_args()
    if unknown := set(arguments.platforms or ()) - set(networks()):
        parser.error(f"unknown platforms: {', '.join(sorted(unknown))}; there are {', '.join(networks())}")
    with asyncio.Runner(loop_factory=fast_loop) as runner:
        runner.run(run(arguments.platforms))
    # The SDK's runtime must be gone before the interpreter is, or some exits crash.
    gc.collect()


if __name__ == "__main__":
    main()
