"""A standby promoted under a fleet: `uv run python -m benchmarks.fleet.failover [--asynchronous [--restored]]`.

2 APIs and 4 workers publish posts while all processes of the primary are killed and its standby is promoted. Their
addresses of the database name both servers. With a synchronous standby, exits with 1 if a post was lost or public
twice, or if a request got another error than 503. An asynchronous standby has lost the commits of some seconds: no send
may begin until the program has run `socialsyncer restored`. Then clients repeat the requests of lost posts. It exits
with 1 if a post is public twice, or if one was published before. With `--restored` the processes are stopped before the
promotion and started after `socialsyncer restored`, as docs/backup.md says.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import text

from benchmarks.fleet.processes import SETTINGS, Balancer, Event, FleetProcesses
from domain.schedule import rfc3339
from tests.databases import new_database
from tests.releases.rolling import Clients
from tests.releases.trees import Fleet
from tests.running import new_owner, stack_on
from tests.stack import Stack
from tests.standby import Replicated, replicated_server
from tests.temporal import temporal_server

_WITHOUT_PRIMARY_S = 3.0
"""The time between the loss of the primary and the promotion, as a supervisor needs it to be sure."""
_CLIENTS = 5
_LAG_S = 6.0
"""The time whose commits an asynchronous standby lacks."""
_HELD_S = 10.0
"""The time after an asynchronous promotion for which it watches that nothing is published."""
_ENDS_S = 5.0
"""The time within which sends end that had begun before the loss."""
_SETTLES_S = 60.0
"""The time after an asynchronous failover after which posts are counted."""
_STATUSES = text("""
SELECT posts.id, posts.status || CASE WHEN bool_or(targets.status = 'unconfirmed') THEN ', unconfirmed' ELSE '' END
  AS status
FROM posts JOIN targets ON targets.post_id = posts.id GROUP BY posts.id
""")


@dataclass
class Failover:
    """The failover, and when it happened."""

    servers: Replicated
    stack: Stack
    processes: FleetProcesses
    asynchronous: bool
    restored: bool
    killed_at: float = 0.0
    promoted_after_s: float = 0.0
    publishes_after_s: float = 0.0
    published_too_early: int = 0

    async def happen(self) -> None:
        """Kill the primary, promote the standby, and wait until a post is public again."""
        lacks_since = datetime.now(UTC)
        if self.asynchronous:
            self.servers.stop_replication()
            await asyncio.sleep(_LAG_S)
        await asyncio.to_thread(self.servers.primary.kill)
        self.killed_at = time.monotonic()
        if self.restored:
            await self.processes.stop()
        else:
            await asyncio.sleep(_WITHOUT_PRIMARY_S)
        before = await self._public()
        await asyncio.to_thread(self.servers.promote)
        self.promoted_after_s = time.monotonic() - self.killed_at
        if self.asynchronous and not self.restored:
            await asyncio.sleep(_ENDS_S)
            before = await self._public()
            await asyncio.sleep(_HELD_S)
            self.published_too_early = len(await self._public() - before)
        if self.asynchronous:
            await self._handle_restore(lacks_since)
        if self.restored:
            await self.processes.start()
        while await self._public() <= before:  # noqa: ASYNC110 the sandbox has no event for it
            await asyncio.sleep(0.1)
        self.publishes_after_s = time.monotonic() - self.killed_at

    async def _handle_restore(self, lacks_since: datetime) -> None:
        command = ["-m", "cli.main", "restored", "--from", rfc3339(lacks_since), "--database"]
        url = self.stack.database_url.replace("+asyncpg", "")
        process = await asyncio.create_subprocess_exec(
            sys.executable, *command, env=os.environ | {"SOCIALSYNCER_DATABASE_URL": url}
        )
        if await process.wait():
            raise SystemExit("`socialsyncer restored` failed")

    async def _public(self) -> set[str]:
        return {post["platformPostId"] for post in (await self.stack.control("GET", "posts"))["posts"]}


async def statuses_and_copies(stack: Stack, clients: Clients) -> Counter[tuple[str, int]]:
    """Return how many posts have a status, "no row" included, and are public so many times."""
    async with stack.database.reading() as session:
        statuses = {row.id: row.status for row in await session.execute(_STATUSES)}
    copies = Counter(post["text"] for post in (await stack.control("GET", "posts"))["posts"])
    return Counter((statuses.get(post_id, "no row"), copies[content]) for post_id, content in clients.texts.items())


async def lost_posts(stack: Stack, clients: Clients) -> dict[str, str]:
    """Return the posts that clients know and the promoted standby does not, by their ids, with their texts."""
    async with stack.database.reading() as session:
        known = set(await session.scalars(text("SELECT id FROM posts")))
    return {post_id: content for post_id, content in clients.texts.items() if post_id not in known}


async def watch_lost_posts(stack: Stack, clients: Clients) -> Counter[tuple[str, int]]:
    """Repeat the requests of posts that an asynchronous standby lacks, and return the states of all posts."""
    lost = await lost_posts(stack, clients)
    print(
        f"right after the failover, posts by their rows and public copies: {await statuses_and_copies(stack, clients)}"
    )
    for post_id in lost:
        del clients.texts[post_id]
    await asyncio.gather(*map(clients.request, lost.values()))
    await asyncio.sleep(_SETTLES_S)
    counts = await statuses_and_copies(stack, clients)
    print(f"{len(lost)} requests repeated; {_SETTLES_S:.0f} s later: {counts}")
    return counts


async def run(servers: Replicated, stack: Stack, balancer: Balancer, log: Path, options: argparse.Namespace) -> bool:
    """Run the fleet through the failover, print the figures, and return whether all is well."""
    fleet, clients = Fleet(stack, log), Clients(stack)
    clients.urls = [balancer.url]
    processes = FleetProcesses(fleet, balancer, stack.api_key)
    failover = Failover(servers, stack, processes, options.asynchronous, options.restored)
    event = Event("the primary is killed and its standby promoted", planned=False)
    try:
        await processes.start()
        sending = [asyncio.create_task(clients.send_for_ever()) for _ in range(_CLIENTS)]
        await asyncio.sleep(options.seconds)
        await processes.observe(event, failover.happen, options.seconds)
        for client in sending:
            client.cancel()
        await asyncio.gather(*sending)
        print(f"answers to new connections: {dict(event.statuses)}; {balancer.without_process} while no API was ready")
        print(f"promoted after {failover.promoted_after_s:.1f} s, publishing after {failover.publishes_after_s:.1f} s")
        if options.asynchronous:
            print(f"published before `socialsyncer restored`: {failover.published_too_early}")
            counts = await watch_lost_posts(stack, clients)
            return not failover.published_too_early and all(copies <= 1 for _, copies in counts)
        lost, figures = await lost_posts(stack, clients), await clients.count()
    finally:
        await fleet.close()
    print(f"posts: {figures}; {len(lost)} lost")
    errors = {status for status in figures.statuses if status.isdigit()} - {"201", "202", "503"}
    without_answer = sum(count for status, count in figures.statuses.items() if not status.isdigit())
    return not (lost or figures.doubled or figures.unpublished or errors or without_answer > balancer.without_process)


async def main(options: argparse.Namespace) -> int:
    """Run it with servers of its own."""
    os.environ.update(SETTINGS)
    with tempfile.TemporaryDirectory() as folder, replicated_server(synchronous=not options.asynchronous) as servers:
        url = servers.url(await new_database(servers.primary.url))
        async with temporal_server() as temporal, stack_on(url, temporal) as stack, Balancer().running() as balancer:
            await new_owner(stack)
            # X, which other programs use, refuses a second equal post.
            stack.accounts["plain"] = await stack.connect("threads")
            return int(not await run(servers, stack, balancer, Path(folder) / "log", options))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--asynchronous", action="store_true")
    parser.add_argument("--restored", action="store_true")
    parser.add_argument("--seconds", type=float, default=15.0, help="before and after the failover")
    sys.exit(asyncio.run(main(parser.parse_args())))
