"""Measure how one workspace's slow media delay another's posts: `uv run python -m benchmarks.abuse.slow_media`.

One workspace publishes more posts than a platform's queue has slots. Each has a video that its server sends slowly, or
in a form that is expensive to read. Meanwhile another workspace publishes texts and pictures on the same platform. The
output says how late those became public.
"""

import argparse
import asyncio
import gc
import json
import os
import statistics
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from benchmarks.stack import command, stack
from cli.stack.ports import HOST, free_port

PLATFORM = "mastodon"
GOAL_S = 2.0
"""Seconds after its due time within which a text of the other workspace must be public."""
BYSTANDERS = 20
LEAD_S = 5
"""Seconds between the creation of a bystander's post and its due time."""
_PICTURE = "https://example.com/bystander.jpg"
_VIDEO = b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isommp41"

Send = Callable[[asyncio.StreamWriter], Awaitable[None]]


async def _drip(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + _VIDEO)
    while not writer.is_closing():
        writer.write(bytes(8 * 1024))
        await writer.drain()
        await asyncio.sleep(0.1)


async def _keep_silent(_: asyncio.StreamWriter) -> None:
    await asyncio.sleep(3600)


async def _send_tiny_chunks(writer: asyncio.StreamWriter) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    writer.write(head + b"%x\r\n%s\r\n" % (len(_VIDEO), _VIDEO))
    while not writer.is_closing():
        writer.write(b"1\r\nx\r\n" * 10_000)
        await writer.drain()


async def _send_without_end(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + _VIDEO)
    while not writer.is_closing():
        writer.write(bytes(256 * 1024))
        await writer.drain()


KINDS: dict[str, Send] = {
    "drip": _drip,
    "silence": _keep_silent,
    "tiny-chunks": _send_tiny_chunks,
    "endless": _send_without_end,
}


@asynccontextmanager
async def hostile_server(send: Send, port: int) -> AsyncIterator[None]:
    """Serve one kind of slow answer on a port of this machine."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            await send(writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            # The last of these ends the program: asyncio's streams would otherwise print a trace for each connection.
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(answer, HOST, port)
    try:
        yield
    finally:
        # Endless answers are cut off.
        server.close()


async def workspace_with_account(dev: dict[str, Any], name: str) -> tuple[str, str]:
    """Make a workspace with one account; return its key and the account's id."""
    key = await command(dev, "keys", "create", "--workspace", name)
    words = ("accounts", "add", PLATFORM, "--workspace", name)
    account = await command(dev, *words, stdin=json.dumps({"accessToken": uuid.uuid4().hex}))
    return key, json.loads(account)["accountId"]


async def _post(
    http: httpx.AsyncClient, key: str, account_id: str, text: str, media: list[dict[str, str]], due: datetime
) -> None:
    body = {
        "content": text,
        "mediaItems": media,
        "platforms": [{"platform": PLATFORM, "accountId": account_id}],
        "scheduledFor": due.isoformat(),
    }
    (await http.post("/v1/posts", headers={"Authorization": f"Bearer {key}"}, json=body)).raise_for_status()


async def _lateness(sandbox: httpx.AsyncClient, due: dict[str, datetime]) -> dict[str, float]:
    """Return how many seconds after its due time each text became public, at most 60."""
    end = max(due.values()) + timedelta(minutes=1)
    while True:
        posts = (await sandbox.get("/_/posts")).json()["posts"]
        public = {post["text"]: datetime.fromisoformat(post["createdAt"]) for post in posts if post["text"] in due}
        if len(public) == len(due) or datetime.now(UTC) > end:
            return {
                text: (public.get(text, at + timedelta(minutes=1)) - at).total_seconds() for text, at in due.items()
            }
        await asyncio.sleep(0.5)


async def measure(kind: str, count: int) -> bool:
    """Measure one kind on a fresh stack; return whether the goal is met."""
    port = free_port()
    os.environ["SOCIALSYNCER_PRIVATE_MEDIA_HOSTS"] = f"{HOST}:{port}"
    async with (
        hostile_server(KINDS[kind], port),
        stack() as dev,
        httpx.AsyncClient(base_url=dev["apiUrl"], timeout=60) as http,
        httpx.AsyncClient(base_url=dev["sandboxUrl"], timeout=60) as sandbox,
    ):
        hostile, other = await workspace_with_account(dev, "hostile"), await workspace_with_account(dev, "bystander")
        gate = asyncio.Semaphore(8)

        async def slow_post(number: int) -> None:
            video = {"type": "video", "url": f"http://{HOST}:{port}/{number}.mp4"}
            async with gate:
                due = datetime.now(UTC) + timedelta(seconds=LEAD_S)
                await _post(http, *hostile, f"{kind} {number}", [video], due)

        await asyncio.gather(*(slow_post(number) for number in range(count)))
        await asyncio.sleep(2 * LEAD_S)
        due: dict[str, datetime] = {}
        for number in range(BYSTANDERS):
            at = datetime.now(UTC) + timedelta(seconds=LEAD_S)
            for text, media in (("text", []), ("picture", [{"type": "image", "url": _PICTURE}])):
                due[f"{text} {number}"] = at
                await _post(http, *other, f"{text} {number}", media, at)
            await asyncio.sleep(0.5)
        late = await _lateness(sandbox, due)
    texts, pictures = (sorted(late[text] for text in late if text.startswith(what)) for what in ("text", "picture"))
    met = texts[-1] <= GOAL_S
    print(
        f"{kind:<12} {count} posts: texts of another workspace {statistics.median(texts):.2f} s after their time, at "
        f"most {texts[-1]:.2f} s; pictures {statistics.median(pictures):.2f} s, at most {pictures[-1]:.2f} s; "
        f"{'ok' if met else 'MISSED'}",
        flush=True,
    )
    return met


async def run(kinds: list[str], count: int) -> bool:
    """Measure every kind; return whether the goal is met by all."""
    print(f"load {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores; goal for texts {GOAL_S:.0f} s")
    return all([await measure(kind, count) for kind in kinds])


def main() -> None:
    """Parse the command line, run, and exit with 1 if the goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--count", type=int, default=110, help="how many posts have slow media")
    parser.add_argument(
        "--kind", action="append", choices=list(KINDS), help="how they are slow; by default in all ways"
    )
    arguments = parser.parse_args()
    met = asyncio.run(run(arguments.kind or list(KINDS), arguments.count))
    gc.collect()
    raise SystemExit(0 if met else 1)


if __name__ == "__main__":
    main()
