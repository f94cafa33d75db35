"""Abuse a running API and measure what a bystander notices: `uv run python -m benchmarks.abuse`.

One hostile workspace and clients without a key call a stack of its own, one kind of abuse after the other. Meanwhile
another workspace reads its posts and publishes. The benchmark fails if an answer is a server error, or if the
bystander waits too long.

A full run makes more than 10,000 calls, --short some 1,400 in some four minutes.
"""

import argparse
import asyncio
import gc
import json
import statistics
import time
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from benchmarks.abuse.answers import hostile_answers
from benchmarks.abuse.attacks import (
    half_requests,
    hostile_cursors,
    hostile_heads,
    hostile_json,
    hostile_texts,
    large_pages,
    openapi_flood,
    repeats,
    unread_media,
    unread_pages,
    wrong_keys,
)
from benchmarks.abuse.bystander import Waits
from benchmarks.abuse.slow_media import KINDS as SLOW_MEDIA
from benchmarks.abuse.slow_media import slow_media
from benchmarks.abuse.target import Memory, Tally, Target, listener, workspace_with_account
from benchmarks.processes import answer, program
from benchmarks.stack import stack
from cli.stack.ports import HOST, free_port

Attack = Callable[[Target, int, Tally], Awaitable[None]]
KINDS: dict[str, tuple[Attack, int, int]] = {
    "worst texts": (hostile_texts, 1_500, 100),
    "worst JSON": (hostile_json, 1_000, 60),
    "heads": (hostile_heads, 2_500, 100),
    "half requests": (half_requests, 800, 60),
    "wrong keys": (wrong_keys, 2_500, 100),
    "large pages": (large_pages, 1_000, 60),
    "cursors": (hostile_cursors, 1_500, 120),
    "answers": (hostile_answers, 300, 100),
    "unread media": (unread_media, 300, 60),
    "unread pages": (unread_pages, 300, 60),
    "openapi.json": (openapi_flood, 5_000, 500),
    "repeats": (repeats, 900, 100),
    **{f"slow media, {kind}": (slow_media(kind), 110, 20) for kind in SLOW_MEDIA},
}
"""The kinds of abuse, and how often each is done in the full and in the short form."""

_PRIVATE_HOSTS = ("SOCIALSYNCER_PRIVATE_ACCOUNT_HOSTS", "SOCIALSYNCER_PRIVATE_MEDIA_HOSTS")
MOST_MS = 250.0
"""The limit for 99 of 100 requests of a bystander."""
MOST_S = 2.0
"""The limit for a bystander's publishNow."""
_COLUMNS = (
    "abuse",
    "calls",
    "answers",
    "bystander's reads",
    "median",
    "p99",
    "worst",
    "publishes",
    "memory",
    "seconds",
)


async def abuse(kinds: list[str], *, short: bool) -> bool:
    """Run the kinds of abuse and print the outcome of each; return whether all goals are met."""
    right = True
    port = free_port()
    async with stack(dict.fromkeys(_PRIVATE_HOSTS, f"{HOST}:{port}")) as dev:
        key, account_id = await workspace_with_account(dev, "bystander")
        target, api = Target(dev, port), listener(urlsplit(dev["apiUrl"]).port or 0)
        print(f"| {' | '.join(_COLUMNS)} |\n|{'---|' * len(_COLUMNS)}")
        try:
            for kind in kinds:
                attack, whole, few = KINDS[kind]
                tally, memory, began = Tally(), Memory(api), time.monotonic()
                async with program("benchmarks.abuse.bystander", dev["apiUrl"], key, account_id) as bystander:
                    watching = asyncio.create_task(memory.watch())
                    await asyncio.sleep(0.5)
                    await attack(target, few if short else whole, tally)
                    watching.cancel()
                    waits = Waits(**json.loads(await answer(bystander, "end")))
                answers = ", ".join(f"{count} x {status}" for status, count in sorted(tally.statuses.items()))
                slowest = max(waits.publishes_s, default=0.0)
                middle, worst = statistics.median(waits.reads_ms), max(waits.reads_ms)
                print(
                    f"| {kind} | {tally.calls} | {answers} | {len(waits.reads_ms)} | {middle:.0f} ms "
                    f"| {waits.p99:.0f} ms | {worst:.0f} ms | {len(waits.publishes_s)}, "
                    f"at most {slowest:.1f} s | +{memory.grown:.0f} MiB | {time.monotonic() - began:.0f} |",
                    flush=True,
                )
                for sentence in tally.missed:
                    print(f"MISSED: {sentence}", flush=True)
                right &= not tally.missed and not tally.broken and not waits.failed
                right &= waits.p99 <= MOST_MS and slowest <= MOST_S
        finally:
            await target.close()
    return right


def main() -> None:
    """Parse the command line, run, and exit with 1 if a goal is missed."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.abuse", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--short", action="store_true", help="a few calls of each kind")
    parser.add_argument("--only", choices=KINDS, action="append", help="a kind of abuse; all by default")
    arguments = parser.parse_args()
    right = asyncio.run(abuse(arguments.only or list(KINDS), short=arguments.short))
    gc.collect()
    print("No bystander noticed." if right else "Something is not as it must be.")
    raise SystemExit(0 if right else 1)


if __name__ == "__main__":
    main()
