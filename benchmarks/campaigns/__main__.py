"""Measure campaigns, pauses, bulk work and events, each beside its floor: `uv run python -m benchmarks.campaigns`.

All jobs run one after the other on one development stack: real PostgreSQL, Temporal, API, worker and sandbox. Each
figure has its floor, measured in the same run, and the share of the machine that was idle: on a machine that others
use, only ratios count. The exit code is 1 if a bar is missed. With the default of 10,000 posts it ends within ten
minutes.
"""

import argparse
import asyncio
import gc
import os
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.campaigns.bench import Bench, open_bench
from benchmarks.campaigns.delivery import imports, starts
from benchmarks.campaigns.ends import resuming, shifting
from benchmarks.campaigns.event_rows import sends_beside_listeners
from benchmarks.campaigns.events import (
    HANGING_PORT,
    HEALTHY_PORT,
    deliveries_beside_a_hanging_endpoint,
    herd_beside_endpoints,
    pages_of_a_feed,
)
from benchmarks.campaigns.gates import closing, open_gates, sends
from benchmarks.campaigns.measure import HEAD, IdleShare, Job
from benchmarks.campaigns.reading import claims, progress, rounds
from benchmarks.campaigns.series import planning
from benchmarks.proof.report import put_into
from benchmarks.stack import stack

JOBS: dict[str, Callable[[Bench], Job]] = {
    "sends": sends,
    "open": open_gates,
    "close": closing,
    "imports": imports,
    "starts": starts,
    "resume": resuming,
    "shift": shifting,
    "claims": claims,
    "rounds": rounds,
    "progress": progress,
    "events": sends_beside_listeners,
    "feed": pages_of_a_feed,
    "webhooks": deliveries_beside_a_hanging_endpoint,
    "listeners": herd_beside_endpoints,
    "series": planning,
}
_POSTS = 10_000
BEGIN, END = "<!-- campaigns: what follows is written by the benchmark itself -->", "<!-- /campaigns -->"
_ENVIRONMENT = {
    # The platforms' limits would stop a herd that is sent to one account.
    "SOCIALSYNCER_PLATFORM_RATE_LIMITS": "false",
    "SOCIALSYNCER_MAX_OPEN_POSTS": "0",
    "SOCIALSYNCER_PRIVATE_WEBHOOK_HOSTS": f"127.0.0.1:{HEALTHY_PORT},127.0.0.1:{HANGING_PORT}",
}


async def measure(names: Sequence[str], posts: int) -> tuple[list[str], bool]:
    """Run the jobs and print their figures; return the rows of the table, and whether all bars are met."""
    rows, is_right = [HEAD], True
    async with stack(_ENVIRONMENT) as dev, open_bench(dev, posts) as bench:
        print(HEAD, flush=True)
        for name in names:
            idle = IdleShare()
            async for figure in JOBS[name](bench):
                rows.append(figure.row(idle.take()))
                print(rows[-1], flush=True)
                is_right &= figure.is_right
    return rows, is_right


def main() -> None:
    """Parse the command line, measure, and exit with 1 if a bar is missed."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.campaigns", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=JOBS, default=list(JOBS), metavar="JOB", help=", ".join(JOBS))
    parser.add_argument("--posts", type=int, default=_POSTS, help="posts of a bulk operation")
    parser.add_argument(
        "--markdown", type=Path, metavar="FILE", help=f"write the table into FILE, between {BEGIN} and {END}"
    )
    arguments = parser.parse_args()
    began = time.monotonic()
    rows, is_right = asyncio.run(measure(arguments.only, arguments.posts))
    took = time.monotonic() - began
    sys.stdout.write(f"{took:.0f} s\n")
    if arguments.markdown:
        title = f"{datetime.now(UTC):%Y-%m-%d}, {took / 60:.0f} minutes on {os.cpu_count()} cores:"
        document = put_into(arguments.markdown.read_text(), "\n\n".join([title, "\n".join(rows)]), BEGIN, END)
        arguments.markdown.write_text(document)
    gc.collect()
    raise SystemExit(0 if is_right else 1)


if __name__ == "__main__":
    main()
