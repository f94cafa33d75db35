"""Measure how one workspace's many posts delay another's single post: `uv run python -m benchmarks.fairness`.

A thousand posts of one workspace and one of another are due in the same second; the single one is created last. The
output says when each became public, by the clock of the fake platform.
"""

import argparse
import asyncio
import gc
import json
import os
import statistics
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from benchmarks.stack import command, stack

CALLERS = 16
GOAL_S = 5.0
"""Seconds after its due time within which the single post must be public."""
CREATES_PER_S = 60
"""A cautious estimate of how fast the posts are created; the due time is after that."""
PLATFORM = "twitter"


async def newcomer(dev: dict[str, Any]) -> tuple[str, str]:
    """Create a second workspace with one account; return its key and the account's id."""
    key = await command(dev, "keys", "create", "--workspace", "single")
    words = ("accounts", "add", PLATFORM, "--workspace", "single")
    account = json.loads(await command(dev, *words, stdin=json.dumps({"accessToken": uuid.uuid4().hex})))
    return key, account["accountId"]


class ScheduledLoad:
    """A load of scheduled posts, all due at one time."""

    def __init__(self, http: httpx.AsyncClient, due: datetime) -> None:
        self._http = http
        self._due = due

    async def post(self, key: str, account_id: str, text: str) -> None:
        """Schedule one post."""
        answer = await self._http.post(
            "/v1/posts",
            headers={"Authorization": f"Bearer {key}", "Idempotency-Key": str(uuid.uuid4())},
            json={
                "content": text,
                "platforms": [{"platform": PLATFORM, "accountId": account_id}],
                "scheduledFor": self._due.isoformat(),
            },
        )
        answer.raise_for_status()

    async def crowd(self, key: str, account_id: str, count: int) -> None:
        """Schedule many posts, CALLERS at a time."""
        numbers = iter(range(count))

        async def caller() -> None:
            for number in numbers:
                await self.post(key, account_id, f"crowd {number}")

        await asyncio.gather(*(caller() for _ in range(CALLERS)))


async def lateness(sandbox: httpx.AsyncClient, due: datetime, count: int) -> dict[str, float]:
    """Wait until `count` posts are public; return for each text how many seconds after `due` it became public."""
    while True:
        posts = (await sandbox.get("/_/posts", params={"limit": count})).json()["posts"]
        if len(posts) >= count:
            return {post["text"]: (datetime.fromisoformat(post["createdAt"]) - due).total_seconds() for post in posts}
        if datetime.now(UTC) > due + timedelta(minutes=5):
            raise SystemExit(f"only {len(posts)} of {count} posts became public")
        await asyncio.sleep(1)


async def run(count: int) -> bool:
    """Measure once on a fresh stack; return whether the goal is met."""
    async with stack() as dev, httpx.AsyncClient(base_url=dev["apiUrl"], timeout=60) as http:
        account = next(each["accountId"] for each in dev["accounts"] if each["platform"] == PLATFORM)
        key, single_account = await newcomer(dev)
        due = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=15 + count / CREATES_PER_S)
        schedule = ScheduledLoad(http, due)
        await schedule.crowd(dev["apiKey"], account, count)
        await schedule.post(key, single_account, "single")
        spare = (due - datetime.now(UTC)).total_seconds()
        if spare < 1:
            raise SystemExit(f"the posts were not created in time: {-spare:.0f} s after they were due")
        print(f"{count} posts and one due in {spare:.0f} s; load {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores")
        async with httpx.AsyncClient(base_url=dev["sandboxUrl"], timeout=60) as sandbox:
            late = await lateness(sandbox, due, count + 1)
    single = late.pop("single")
    crowd = sorted(late.values())
    print(
        f"the crowd: first {crowd[0]:.1f} s, median {statistics.median(crowd):.1f} s, last {crowd[-1]:.1f} s after due"
    )
    print(f"the single one: {single:.1f} s after due, goal {GOAL_S:.0f} s: {'ok' if single <= GOAL_S else 'MISSED'}")
    return single <= GOAL_S


def main() -> None:
    """Parse the command line, run, and exit with 1 if the goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--count", type=int, default=1000, help="how many posts of the other workspace are due")
    arguments = parser.parse_args()
    reached = asyncio.run(run(arguments.count))
    gc.collect()
    raise SystemExit(0 if reached else 1)


if __name__ == "__main__":
    main()
