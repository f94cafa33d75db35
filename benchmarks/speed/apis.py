"""The calls of this service and of the plain app over HTTP: create, publish, wait until all is public, read."""

import asyncio
import math
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, Self
from urllib.parse import urlsplit

import httpx

from benchmarks.speed.accounts import NextTarget
from benchmarks.speed.measure import Measured, call_all

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
