"""Compare our speed with two floors on the same machine: `uv run python -m benchmarks.speed`.

The floors are bare Temporal, which does the least that a post needs there, and a plain app, which does the same job
without our guarantees. All run beside one development stack: the same PostgreSQL, Temporal and sandbox. Rounds of all
sides alternate. Each figure is a median, with the processor time of each process for a call and the share of the
machine that was idle or used by others meanwhile. The exit code is 1 if a goal is missed.
"""

import argparse
import asyncio
import gc
import math
import os
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, Self
from urllib.parse import urlsplit

import httpx

from benchmarks.processes import answer, part_pids, program
from benchmarks.speed.accounts import NextTarget, in_turn, our_accounts, plain_accounts
from benchmarks.speed.measure import OURS, Comparison, Measured, Side, call_all, run
from benchmarks.speed.plain_app import prepare
from benchmarks.stack import stack
from cli.stack.parts import WORKER_NICE
from cli.stack.ports import HOST, free_port

TEXT = ("twitter", "bluesky")
PICTURE = ("instagram", "twitter")
CREATES_PER_S = 25
"""A cautious estimate of how fast posts are created on two cores; their due time is after that."""
_PUBLIC_WITHIN_S = 180.0
_POLL_S = 0.5


class Api(Protocol):
    """An API that publishes posts."""

    http: httpx.AsyncClient
    next_target: NextTarget

    async def post(self, text: str, platforms: Sequence[str], due: datetime | None = None) -> str:
        """Create a post that is due, or publish it and wait for that; return its id. PICTURE means with a picture."""

    def paths(self, post_id: str) -> tuple[str, str]:
        """Return the paths of one post, and of a list of 20."""


class OurApi:
    """This service."""

    def __init__(self, http: httpx.AsyncClient, next_target: NextTarget) -> None:
        self.http, self.next_target = http, next_target

    async def post(self, text: str, platforms: Sequence[str], due: datetime | None = None) -> str:
        """Create or publish a post with an Idempotency-Key."""
        body: dict[str, Any] = {"content": text, "platforms": [self.next_target(platform) for platform in platforms]}
        if platforms == PICTURE:
            body["mediaItems"] = [{"type": "image", "url": "https://example.com/photo.jpg"}]
        body |= {"scheduledFor": due.isoformat()} if due else {"publishNow": True}
        response = await self.http.post("/v1/posts", json=body, headers={"Idempotency-Key": str(uuid.uuid4())})
        post = response.raise_for_status().json()
        if not due and post["status"] != "published":
            raise SystemExit(f"a post is {post['status']}: {post}")
        return str(post["id"])

    def paths(self, post_id: str) -> tuple[str, str]:
        """Return the paths of one post, and of a list of 20."""
        return f"/v1/posts/{post_id}", "/v1/posts?limit=20"


class PlainApi:
    """The plain app."""

    def __init__(self, http: httpx.AsyncClient, next_target: NextTarget) -> None:
        self.http, self.next_target = http, next_target

    async def post(self, text: str, platforms: Sequence[str], due: datetime | None = None) -> str:
        """Create or publish a post."""
        accounts = [self.next_target(platform)["accountId"] for platform in platforms]
        body = {"content": text, "accounts": accounts, "picture": platforms == PICTURE}
        body |= {"scheduled_for": due.isoformat()} if due else {}
        post = (await self.http.post("/posts", json=body)).raise_for_status().json()
        if not due and any(target["status"] != "published" for target in post["targets"]):
            raise SystemExit(f"a post is not published: {post}")
        return str(post["id"])

    def paths(self, post_id: str) -> tuple[str, str]:
        """Return the paths of one post, and of a list of 20."""
        return f"/posts/{post_id}", "/posts?limit=20"


def posting(api: Api, platforms: Sequence[str], callers: int, due_in: timedelta | None = None) -> Measured:
    """Return calls that publish posts, or create posts that are due much later."""

    async def call() -> None:
        due = datetime.now(UTC) + due_in if due_in else None
        await api.post(f"fast {uuid.uuid4()}", platforms, due)

    async def calls(count: int) -> float:
        began = time.perf_counter()
        await call_all(call, count, callers)
        return time.perf_counter() - began

    return calls


Public = Callable[[], Awaitable[Sequence[datetime]]]
"""Returns the times at which targets of a crowd became public."""


class Crowd:
    """Posts that are due in the same second: `arrange` creates them, `calls` waits until all are public."""

    def __init__(self, create: Callable[[int, datetime], Awaitable[None]], public: Public) -> None:
        self._create, self._public = create, public
        self._due = datetime.now(UTC)
        self._delays: list[float] = []

    def lateness(self) -> float:
        """Return after how many seconds 99 of 100 targets were public."""
        return self._delays[math.ceil(len(self._delays) * 0.99) - 1]

    async def arrange(self, count: int) -> None:
        """Create the posts, and wait until they are due."""
        self._due = datetime.now(UTC) + timedelta(seconds=5 + count / CREATES_PER_S)
        await self._create(count, self._due)
        spare = (self._due - datetime.now(UTC)).total_seconds()
        if spare < 0:
            raise SystemExit(f"the posts were not created in time: {-spare:.0f} s after they were due")
        await asyncio.sleep(spare)

    async def calls(self, count: int) -> float:
        """Wait until all are public; return the seconds from the time at which they were due to the last one."""
        async with asyncio.timeout(_PUBLIC_WITHIN_S):
            while True:
                await asyncio.sleep(_POLL_S)
                times = await self._public()
                if len(times) == len(TEXT) * count:
                    self._delays = sorted((time - self._due).total_seconds() for time in times)
                    return self._delays[-1]


def crowd(api: Api, sandbox: httpx.AsyncClient, callers: int) -> Crowd:
    """Return posts of an API that are due in the same second, counted at the platforms."""
    mark = ""

    async def create(count: int, due: datetime) -> None:
        nonlocal mark
        mark = f"crowd {uuid.uuid4()}"

        async def call() -> None:
            await api.post(f"{mark} {uuid.uuid4()}", TEXT, due)

        await call_all(call, count, callers)

    async def public() -> list[datetime]:
        posts = (await sandbox.get("/_/posts", params={"limit": 2000})).json()["posts"]
        return [datetime.fromisoformat(post["createdAt"]) for post in posts if post["text"].startswith(mark)]

    return Crowd(create, public)


class Reader:
    """Reads of one path on open connections of our own, which cost less than the server's work."""

    def __init__(self, http: httpx.AsyncClient, path: str, callers: int) -> None:
        self._url = urlsplit(str(http.base_url))
        key = http.headers.get("Authorization", "")
        self._head = f"GET {path} HTTP/1.1\r\nHost: {self._url.netloc}\r\nAuthorization: {key}\r\n\r\n".encode()
        self._path, self._callers = path, callers
        self._streams: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def __aenter__(self) -> Self:
        """Open the connections."""
        host, port = self._url.hostname, self._url.port
        self._streams = [await asyncio.open_connection(host, port) for _ in range(self._callers)]
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the connections."""
        for _reader, writer in self._streams:
            writer.close()

    async def read(self, count: int) -> float:
        """Make `count` calls, on each connection one after the other; return the seconds that they took."""
        began = time.perf_counter()
        share = count // self._callers
        await asyncio.gather(*(self._read(reader, writer, share) for reader, writer in self._streams))
        return time.perf_counter() - began

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, count: int) -> None:
        for _ in range(count):
            writer.write(self._head)
            status, *headers = (await reader.readuntil(b"\r\n\r\n")).decode().lower().splitlines()
            if " 200 " not in f"{status} ":
                raise SystemExit(f"{self._path} is answered {status}")
            (length,) = (int(header[15:]) for header in headers if header.startswith("content-length:"))
            await reader.readexactly(length)


def reading(http: httpx.AsyncClient, path: str, callers: int) -> Measured:
    """Return reads of one path, on new connections for each round."""

    async def calls(count: int) -> float:
        async with Reader(http, path, callers) as reader:
            return await reader.read(count)

    return calls


BARE, PLAIN = "bare Temporal", "plain app"
CALLERS = 16
_LATER = timedelta(days=1)

COMPARISONS = {
    "create": Comparison("scheduled create", 400, CALLERS, {BARE: 1.0}),
    "text": Comparison("publishNow, text to two platforms", 100, CALLERS, {PLAIN: 1.4, BARE: 0.85}),
    "picture": Comparison("publishNow, picture to two platforms", 100, CALLERS, {BARE: 0.7}),
    "latency": Comparison("one publishNow of text at a time", 40, 1, {BARE: 2.5}),
    "due": Comparison("posts due in one second", 240, CALLERS, {PLAIN: 1.0, BARE: 0.6}, lateness={PLAIN: 1.0}),
    "read": Comparison("GET of one post, the API's time", 2000, CALLERS, processes=("api",)),
    "list": Comparison("GET of 20 posts, the API's time", 2000, CALLERS, processes=("api",)),
}
"""The jobs. A ratio says how many times as fast as the floor we are."""
SHORT = 10
"""The share of the calls that a short run makes: one in ten."""


class Bare:
    """The bare side of each comparison."""

    def __init__(self, worker: asyncio.subprocess.Process, client: asyncio.subprocess.Process, temporal: int) -> None:
        self._worker, self._client = worker, client
        self._pids = {"temporal": temporal, "worker": worker.pid, "client": client.pid}

    def side(self, name: str, comparison: Comparison) -> Side | None:
        """Return the side of a comparison; Temporal alone reads no post."""
        if comparison.processes:
            return None
        if name == "due":
            posts = Crowd(self._create, self._public)
            return Side(BARE, posts.calls, self._pids, posts.arrange, posts.lateness)
        line = f"schedule {{}} {comparison.callers} {(datetime.now(UTC) + _LATER).isoformat()}"
        if name != "create":
            line = f"publish {{}} {comparison.callers}"

        async def calls(count: int) -> float:
            return float(await answer(self._client, line.format(count)))

        return Side(BARE, calls, self._pids)

    async def _create(self, count: int, due: datetime) -> None:
        await answer(self._worker, "reset")
        await answer(self._client, f"schedule {count} {CALLERS} {due.isoformat()}")

    async def _public(self) -> list[datetime]:
        return [datetime.fromisoformat(time) for time in (await answer(self._worker, "times")).split()]


class HttpSides:
    """The sides of an API."""

    def __init__(self, name: str, api: Api, sandbox: httpx.AsyncClient, pids: dict[str, int]) -> None:
        self._name, self._api, self._sandbox, self._pids = name, api, sandbox, pids

    async def side(self, name: str, comparison: Comparison) -> Side:
        """Return the side of a comparison."""
        callers, arrange, lateness = comparison.callers, None, None
        match name:
            case "create":
                calls = posting(self._api, TEXT[:1], callers, _LATER)
            case "picture":
                calls = posting(self._api, PICTURE, callers)
            case "due":
                posts = crowd(self._api, self._sandbox, callers)
                calls, arrange, lateness = posts.calls, posts.arrange, posts.lateness
            case "read" | "list":
                due = datetime.now(UTC) + _LATER
                ids = [await self._api.post(f"read {number}", TEXT, due) for number in range(25)]
                calls = reading(self._api.http, self._api.paths(ids[0])[name == "list"], callers)
            case _:
                calls = posting(self._api, TEXT, callers)
        return Side(self._name, calls, self._pids, arrange, lateness)


@asynccontextmanager
async def sides(dev: dict[str, Any]) -> AsyncIterator[tuple[HttpSides, HttpSides, Bare]]:
    """Start the floors beside a stack; yield our side, the plain app's, and the bare one."""
    parts, temporal, port = part_pids(dev), dev["temporalAddress"], str(free_port())
    database = dev["databaseUrl"].replace("postgresql://", "postgresql+asyncpg://")
    accounts = await plain_accounts(dev)
    ids = in_turn({p: [row.id for row in accounts if row.platform == p] for p in {row.platform for row in accounts}})
    await prepare(database, accounts)
    plain = ("benchmarks.speed.plain_app", "{}", database, temporal, dev["sandboxUrl"], port)
    async with AsyncExitStack() as running:
        start = running.enter_async_context
        plain_api = await start(program(*(word.format("api") for word in plain)))
        plain_worker = await start(program(*(word.format("worker") for word in plain), niceness=WORKER_NICE))
        bare_worker = await start(program("benchmarks.speed.bare", "worker", temporal, niceness=WORKER_NICE))
        bare_client = await start(program("benchmarks.speed.bare", "client", temporal))
        limits = httpx.Limits(max_connections=CALLERS, max_keepalive_connections=CALLERS)
        options: dict[str, Any] = {"limits": limits, "timeout": 60, "trust_env": False}
        headers = {"Authorization": f"Bearer {dev['apiKey']}"}
        ours = await start(httpx.AsyncClient(base_url=dev["apiUrl"], headers=headers, **options))
        theirs = await start(httpx.AsyncClient(base_url=f"http://{HOST}:{port}", **options))
        sandbox = await start(httpx.AsyncClient(base_url=dev["sandboxUrl"], **options))
        shared = {"temporal": parts["temporal"], "postgres": parts["postgres"], "sandbox": parts["sandbox"]}
        shared |= {"callers": os.getpid()}
        yield (
            HttpSides(
                OURS,
                OurApi(ours, await our_accounts(dev)),
                sandbox,
                {"api": parts["api"], "worker": parts["worker"], **shared},
            ),
            HttpSides(
                PLAIN, PlainApi(theirs, ids), sandbox, {"api": plain_api.pid, "worker": plain_worker.pid, **shared}
            ),
            Bare(bare_worker, bare_client, parts["temporal"]),
        )


async def compare(names: list[str], rounds: int, *, short: bool, limited: bool) -> bool:
    """Run some comparisons on a fresh stack; return whether all goals are met."""
    print(
        f"{rounds} rounds, rate limits {'on' if limited else 'off'}; load {os.getloadavg()[0]:.1f}, "
        f"{os.cpu_count()} cores; medians"
    )
    print("| job | side | figure | we are so many times as fast | ms of a core for a call | machine |")
    print("|---|---|---|---|---|---|", flush=True)
    are_met = True
    async with stack({"SOCIALSYNCER_PLATFORM_RATE_LIMITS": str(limited).lower()}) as dev, sides(dev) as all_sides:
        ours, plain, bare = all_sides
        for name in names:
            comparison = COMPARISONS[name]
            if short:
                comparison = replace(comparison, count=max(comparison.count // SHORT, comparison.callers))
            measured = [
                await ours.side(name, comparison),
                await plain.side(name, comparison),
                bare.side(name, comparison),
            ]
            are_met &= await run(comparison, [side for side in measured if side], rounds)
    return are_met


def main() -> None:
    """Parse the command line, run, and exit with 1 if a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=COMPARISONS, default=list(COMPARISONS), help="some comparisons")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--short", action="store_true", help="a tenth of the calls, to see that it works")
    parser.add_argument("--rate-limits", action="store_true", help="keep to the platforms' rate limits, as production")
    arguments = parser.parse_args()
    are_met = asyncio.run(
        compare(arguments.only, arguments.rounds, short=arguments.short, limited=arguments.rate_limits)
    )
    gc.collect()
    raise SystemExit(0 if are_met else 1)


if __name__ == "__main__":
    main()
