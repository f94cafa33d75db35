"""Media of one workspace that a server sends slowly, not at all, in tiny pieces or without end."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from benchmarks.abuse.target import PLATFORM, Tally, Target, repeat
from cli.stack.ports import HOST

LEAD_S = 5
"""Seconds between the creation of a post with such media and its due time."""
_WATCHED_S = 20
"""How long the bystander publishes while the worker fetches them."""
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


def slow_media(kind: str) -> Callable[[Target, int, Tally], Awaitable[None]]:
    """Return an attack with more posts than the platform's queue has slots, each with a video of that kind."""

    async def attack(target: Target, number: int, tally: Tally) -> None:
        account = next(account["accountId"] for account in target.accounts if account["platform"] == PLATFORM)

        async def post(call_number: int) -> None:
            url = f"http://{HOST}:{target.account_port}/{call_number}.mp4"
            body = {
                "content": f"{kind} {call_number}",
                "mediaItems": [{"type": "video", "url": url}],
                "platforms": [{"platform": PLATFORM, "accountId": account}],
                "scheduledFor": (datetime.now(UTC) + timedelta(seconds=LEAD_S)).isoformat(),
            }
            await target.call(tally, "POST", "/v1/posts", json=body)

        async with hostile_server(KINDS[kind], target.account_port):
            await repeat(number, post)
            await asyncio.sleep(LEAD_S + _WATCHED_S)

    return attack
