"""A rolling upgrade, taken back and done again, beside clients: `uv run python -m tests.releases.rolling [SECONDS]`.

Processes of the last release and of the present code share a database and a Temporal, and each is replaced in turn
while posts are published now and at set times: some 400 in all. Exits with 1 if a request was refused, if a post was
late, doubled or not published, or if a workflow is stuck. The seconds are how long each composition of the fleet
serves.
"""

import asyncio
import itertools
import secrets
import sys
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import update

from domain.post import PostStatus
from domain.schedule import parse_date_time, rfc3339
from store.models import ApiKey
from store.roles import Component
from store.workspaces.keys import digest
from tests.postgres import postgres_server
from tests.releases.trees import ROOT, Fleet, Tree, released_tree, releases
from tests.running import running_stack
from tests.stack import Stack
from tests.temporal import temporal_server
from workflows.client.runs import Runs

MOST_LATE_S = 5.0
_EVERY_S = 0.7
_AHEAD_S = (4, 12, 25)
_SERVES_S = 55.0
"""How long each composition of the fleet serves by default. With the starts of processes, 400 posts take so long."""
_WITHOUT_PROGRESS_S = 180.0
"""The time without progress after which the rest counts as lost. Nothing waits so long by itself: steps are repeated
after a minute at most, and the recovery comes every minute, later if its own round took long."""


@dataclass(slots=True)
class Figures:
    """The answers that clients got, and the posts that became public."""

    statuses: Counter[str] = field(default_factory=Counter)
    latest_s: float = 0
    doubled: list[str] = field(default_factory=list)
    unpublished: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    """The posts whose workflows wait for something at the end, other than the end of the time for edits."""
    slowest_s: float = 0

    @property
    def refused(self) -> int:
        """Return the number of requests that were not answered by a success."""
        return sum(count for status, count in self.statuses.items() if not status.startswith("2"))

    @property
    def faults(self) -> dict[str, int]:
        """Return the numbers that must be 0 on any machine, however busy it is."""
        return {
            "refused": self.refused,
            "doubled": len(self.doubled),
            "not published": len(self.unpublished),
            "stuck": len(self.stuck),
        }

    def __str__(self) -> str:
        """Return the figures in a sentence."""
        return (
            f"requests by status {dict(self.statuses)}, slowest {self.slowest_s:.1f} s; "
            f"latest post {self.latest_s:.1f} s after its time; "
            + ", ".join(f"{count} {fault}" for fault, count in self.faults.items())
        )


class Clients:
    """Clients that send each post to the next of the addresses that are in use, each by a new connection."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._number = itertools.count()
        self.urls: list[str] = []
        self.figures = Figures()
        self.due: dict[str, datetime] = {}
        self.texts: dict[str, str] = {}
        self._bodies: dict[str, dict[str, Any]] = {}

    async def send(self) -> None:
        """Create a post, every second one to be published now."""
        number = next(self._number)
        text, account = f"rolling {number}", self._stack.accounts["plain"]
        due = datetime.now(UTC)
        body: dict[str, Any] = {
            "content": text,
            "platforms": [{"platform": account.platform, "accountId": account.id}],
        }
        if number % 2:
            due += timedelta(seconds=_AHEAD_S[number % len(_AHEAD_S)])
            body["scheduledFor"] = rfc3339(due)
        else:
            body["publishNow"] = True
        self._bodies[text] = body
        self.due[text] = due
        await self.request(text)

    async def request(self, text: str) -> None:
        """Send the request for a post, or send it again: it has the text as its key."""
        body, url = self._bodies[text], self.urls[len(self._bodies) % len(self.urls)]
        headers = {"Authorization": f"Bearer {self._stack.api_key}", "Idempotency-Key": text}
        began = asyncio.get_running_loop().time()
        try:
            async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
                response = await client.post(f"{url}/v1/posts", json=body, headers=headers)
            status, post_id = str(response.status_code), response.json().get("id")
        except httpx.HTTPError as error:
            status, post_id = type(error).__name__, None
        self.figures.statuses[status] += 1
        self.figures.slowest_s = max(self.figures.slowest_s, asyncio.get_running_loop().time() - began)
        if post_id:
            self.texts[post_id] = text

    async def send_for_ever(self) -> None:
        """Create posts at an even pace, until it is cancelled; requests that have begun are answered."""
        async with asyncio.TaskGroup() as requests:
            try:
                while True:
                    requests.create_task(self.send())
                    await asyncio.sleep(_EVERY_S)
            except asyncio.CancelledError:
                return

    async def count(self) -> Figures:
        """Wait for all posts and workflows as long as there is progress, and return the figures."""
        figures = self.figures
        figures.unpublished = await _remaining(self._unpublished)
        public = (await self._stack.control("GET", "posts"))["posts"]
        counts = Counter(post["text"] for post in public)
        figures.doubled = [text for text, number in counts.items() if number > 1]
        late = [
            (parse_date_time(post["createdAt"]) - self.due[post["text"]]).total_seconds()
            for post in public
            if post["text"] in self.due
        ]
        figures.latest_s = max(late, default=0)
        figures.stuck = await _remaining(self._unsettled)
        return figures

    async def _unpublished(self) -> list[str]:
        public = {post["text"] for post in (await self._stack.control("GET", "posts"))["posts"]}
        return [text for text in self.texts.values() if text not in public]

    async def _unsettled(self) -> list[str]:
        """Return the posts whose rows say that there is more to do, or whose workflows have a pending task or step."""
        runs = Runs(self._stack.client)
        unsettled = []
        for post_id, text in self.texts.items():
            post = await self._stack.read(post_id)
            run = await runs.latest(post.workflow_id)
            if post.status != PostStatus.PUBLISHED or run is None or run.stuck or run.task_pending or run.steps:
                unsettled.append(text)
        return unsettled


async def _remaining(find: Callable[[], Awaitable[list[str]]]) -> list[str]:
    """Return what remains: nothing as soon as nothing does, else what does after a time without progress."""
    loop = asyncio.get_running_loop()
    remaining = await find()
    progress_at = loop.time()
    while remaining and loop.time() < progress_at + _WITHOUT_PROGRESS_S:
        await asyncio.sleep(0.5)
        former, remaining = remaining, await find()
        if len(remaining) < len(former):
            progress_at = loop.time()
    return remaining


async def roll(stack: Stack, old: Tree, new: Tree, seconds: float, log: Path) -> Figures:
    """Replace the processes of one tree by those of the other, back, and again; return the figures of the clients."""
    fleet, clients = Fleet(stack, log), Clients(stack)
    try:
        await fleet.migrate(old)
        await _use_a_key_of_the_release(stack)
        await _replace(fleet, clients, old)
        sending = asyncio.create_task(clients.send_for_ever())
        await asyncio.sleep(seconds)
        await fleet.migrate(new)
        for tree in (new, old, new):
            await _replace(fleet, clients, tree)
            await asyncio.sleep(seconds)
        sending.cancel()
        await sending
        return await clients.count()
    finally:
        await fleet.close()


async def _use_a_key_of_the_release(stack: Stack) -> None:
    """Give the workspace's key the form that keys had: processes of version 0.1 refuse longer ones."""
    stack.api_key = "sk_" + secrets.token_urlsafe(32)
    async with stack.database.transaction() as session:
        own = ApiKey.workspace_id == stack.workspace_id
        await session.execute(update(ApiKey).where(own).values(sha256=digest(stack.api_key)))


async def _replace(fleet: Fleet, clients: Clients, tree: Tree) -> None:
    """Replace the worker and then the API, each after the new process is ready, as docs/upgrade.md says."""
    for component in (Component.WORKER, Component.API):
        former = [part for part in fleet.parts if part.component is component and part.process.returncode is None]
        part = await fleet.start(tree, component)
        if component is Component.API:
            clients.urls.append(part.url)
            # Both serve for a while, and then the former gets no new requests.
            await asyncio.sleep(2 * _EVERY_S)
            clients.urls = [part.url]
        for process in former:
            await process.stop()


async def main(seconds: float) -> int:
    """Run it with servers of its own, and print the figures."""
    with tempfile.TemporaryDirectory() as folder, postgres_server() as url:
        path = Path(folder)
        old, new = released_tree(releases()[-1].version, path / "released"), Tree("the present code", ROOT)
        print(f"From {old.name} to {new.name}.", flush=True)  # noqa: T201
        async with temporal_server() as temporal, running_stack(url, temporal) as stack:
            figures = await roll(stack, old, new, seconds, path / "log")
    print(figures)  # noqa: T201
    return int(any(figures.faults.values()) or figures.latest_s > MOST_LATE_S)


if __name__ == "__main__":
    sys.exit(asyncio.run(main(float(sys.argv[1]) if sys.argv[1:] else _SERVES_S)))
