"""Requests and connections that cost a server the most: bodies, reads, heads, unread answers and repeats."""

import asyncio
import base64
import json
import os
import re
import secrets
import socket
import uuid
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from benchmarks.abuse.target import PLATFORM, Tally, Target, repeat
from benchmarks.abuse.texts import NAMES, text
from store.database import Database
from store.media import keep_file

_JSON = {"Content-Type": "application/json"}
_MIB = 1024 * 1024
_PLATFORMS = ("twitter", "mastodon", "telegram", "bluesky", "threads", "instagram")

_RAW = (
    b"[" * (_MIB - 1),
    b'{"a":' * (_MIB // 5),
    b'{"a":' + b"1" * (_MIB - 6) + b"}",
    b'{"a":1e' + b"9" * (_MIB - 8) + b"}",
    b"{" + b",".join(b'"%d":0' % number for number in range(90_000)) + b"}",
    b"{" + b'"a":0,' * 150_000 + b'"a":0}',
    b'{"tags":["' + b'\\ud800","' * 15_000 + b'"]}',
    b"\xff" * _MIB,
    b'{"content":"' + b"x" * _MIB + b'"}',
    json.dumps({f"conten{number}": 0 for number in range(15_000)}).encode(),
    json.dumps({"mediaItems": [{"type": f"i{number}", "url": "htp:/"} for number in range(9_000)]}).encode(),
)


async def hostile_texts(target: Target, number: int, tally: Tally) -> None:
    """Send the most expensive texts for 100 targets: one text that all share, and texts of single targets."""

    async def attack(call_number: int) -> None:
        name, platform = NAMES[call_number % len(NAMES)], _PLATFORMS[call_number // len(NAMES) % len(_PLATFORMS)]
        own = call_number % 2
        size = 9_000 if own else (100_000, 25_000, 5_000)[call_number % 3]
        targets: list[dict[str, Any]] = [
            {"platform": platform, "accountId": f"a{place}"}
            | ({"customContent": f"{place} {text(name, size)}"} if own else {})
            for place in range(25 if own else 100)
        ]
        body = {"content": text(name, size), "platforms": targets, "publishNow": True}
        path = "/v1/posts/validate" if call_number % 5 else "/v1/posts"
        await target.call(tally, "POST", path, content=json.dumps(body, ensure_ascii=False).encode(), headers=_JSON)

    await repeat(number, attack)


async def hostile_json(target: Target, number: int, tally: Tally) -> None:
    """Send JSON that costs the most to read or to refuse."""

    async def attack(call_number: int) -> None:
        await target.call(tally, "POST", "/v1/posts", content=_RAW[call_number % len(_RAW)], headers=_JSON)

    await repeat(number, attack)


_CURSORS = (
    "a" * 60_000,
    "eyJpZCI6MX0",
    base64.urlsafe_b64encode(b"[" * 3_000).decode(),
    base64.urlsafe_b64encode(json.dumps({"id": "post_" + "z" * 64}).encode()).decode(),
    "\u0000",
    "' OR 1=1 --",
)
_QUERIES = (
    "limit=100&tag=none-has-it",
    "limit=100&accountId=none-has-it",
    "fromDate=0001-01-01&toDate=9999-12-31",
    "status=draft&platform=twitter&limit=100",
    "limit=99999999999999999999",
    "&".join(f"a{number}=b" for number in range(5_000)),
    "fromDate=" + "9" * 30_000,
)


async def wrong_keys(target: Target, number: int, tally: Tally) -> None:
    """Send wrong keys, of the right form and of other forms."""

    async def attack(call_number: int) -> None:
        keys = ("sk_" + secrets.token_urlsafe(32), "sk_" + "a" * 60_000, "sk_\u00e9", "?", secrets.token_hex(16))
        headers = {b"Authorization": f"Bearer {keys[call_number % len(keys)]}".encode()}
        answer = await target.strangers.get("/v1/posts", headers=headers)
        tally.statuses[str(answer.status_code)] += 1

    await repeat(number, attack, together=16)


async def large_pages(target: Target, number: int, tally: Tally) -> None:
    """Save the largest posts that the API accepts, and read them in pages of 100."""
    body = {"content": "x" * 90_000, "isDraft": True}
    body |= {"platforms": [{"platform": "twitter", "accountId": f"a{place}"} for place in range(30)]}
    for _ in range(min(10, number // 10 + 1)):
        await target.call(tally, "POST", "/v1/posts", json=body)

    async def attack(call_number: int) -> None:
        path = "/v1/posts?limit=100" if call_number % 4 == 0 else f"/v1/posts?{_QUERIES[call_number % len(_QUERIES)]}"
        await target.call(tally, "GET", path)

    await repeat(number, attack)


async def hostile_cursors(target: Target, number: int, tally: Tally) -> None:
    """Send cursors at which no page ends, to the list and to the attempts of posts that do not exist."""

    async def attack(call_number: int) -> None:
        path = "/v1/posts" if call_number % 2 else f"/v1/posts/post_{'0' * 32}/attempts"
        await target.call(tally, "GET", path, params={"cursor": _CURSORS[call_number % len(_CURSORS)]})

    await repeat(number, attack)


_HEADS: tuple[tuple[bytes, ...], ...] = (
    (b"GET / HTTP/1.1\r\n", *([b"X: " + b"a" * 8_000 + b"\r\n"] * 20)),
    (b"GET / HTTP/1.1\r\nX: ", *([b"a" * 65_536] * 20)),
    (b"GET /?", *([b"a" * 65_536] * 20)),
    (b"GET / HTTP/1.1\r\n" + b"a" * 1_000_000,),
    (b"\x00\x01\x02 / HTTP/9.9\r\n\r\n",),
    (b"POST /v1/posts HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999\r\n\r\n",),
    (b"POST /v1/posts HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n", b"1;" + b"x" * 300_000),
    (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",),
    (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: " + b"a" * 60_000 + b"\r\n\r\n",),
)
_HALVES = (
    b"",
    b"G",
    b"GET / HTTP/1.1\r\nX: a",
    b"POST /v1/posts HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{",
)


async def hostile_heads(target: Target, number: int, tally: Tally) -> None:
    """Send heads that are too large or not HTTP."""

    async def attack(call_number: int) -> None:
        await target.raw(tally, *_HEADS[call_number % len(_HEADS)])

    await repeat(number, attack, together=16)


async def half_requests(target: Target, number: int, tally: Tally) -> None:
    """Begin requests and abandon them, many at the same time; the API drops an unfinished head after 10 seconds."""

    async def attack(call_number: int) -> None:
        await target.raw(tally, _HALVES[call_number % len(_HALVES)], within_s=20)

    await repeat(number, attack, together=number)


_HELD_S = 8.0
"""Seconds for which clients keep their connections without reading."""
_FILE = 20 * 2**20
_OUTCOME_S = 5.0


async def unread_media(target: Target, number: int, tally: Tally) -> None:
    """Ask for a file of 20 MB on many connections, and read nothing."""
    database = Database(target.database_url, pool_size=1, max_overflow=0)
    row = await database.row("SELECT id FROM workspaces ORDER BY id LIMIT 1")
    async with database.transaction() as session:
        end = datetime.now(UTC) + timedelta(hours=1)
        token = await keep_file(session, row["id"] if row else "", "image/jpeg", os.urandom(_FILE), end)
    await database.close()
    await _ask_and_wait(target, number, tally, f"/media/{token}.jpg")


async def unread_pages(target: Target, number: int, tally: Tally) -> None:
    """Ask for a page of more than 2 MB on many connections with one key, and read nothing."""
    body = {"content": "x" * 90_000, "isDraft": True}
    body |= {"platforms": [{"platform": "twitter", "accountId": f"a{place}"} for place in range(25)]}
    await target.call(tally, "POST", "/v1/posts", json=body)
    await _ask_and_wait(target, number, tally, "/v1/posts?limit=1&status=draft")


async def openapi_flood(target: Target, number: int, tally: Tally) -> None:
    """Ask for the document on eight connections without a pause."""
    limits = httpx.Limits(max_connections=8)
    async with httpx.AsyncClient(base_url=target.url, limits=limits, timeout=60, trust_env=False) as client:

        async def attack(_: int) -> None:
            async with client.stream("GET", "/openapi.json") as answer:
                async for _piece in answer.aiter_raw():
                    pass
            tally.statuses[str(answer.status_code)] += 1

        await repeat(number, attack, together=8)


async def repeats(target: Target, number: int, tally: Tally) -> None:
    """Publish a post whose platform answers late, and repeat the request many times meanwhile."""
    account = next(account["accountId"] for account in target.accounts if account["platform"] == PLATFORM)
    fault = {"platform": PLATFORM, "fault": "accept_then_delay", "operation": "publish", "accountId": account}
    async with httpx.AsyncClient(base_url=target.sandbox_url, trust_env=False) as sandbox:
        (await sandbox.post("/_/faults", json={**fault, "seconds": _OUTCOME_S})).raise_for_status()
    name = uuid.uuid4().hex
    body = {"content": f"repeated {name}", "publishNow": True}
    body |= {"platforms": [{"platform": PLATFORM, "accountId": account}]}
    limits = httpx.Limits(max_connections=number, max_keepalive_connections=0)
    headers = {**target.client.headers, "Idempotency-Key": name}
    async with httpx.AsyncClient(base_url=target.url, headers=headers, limits=limits, timeout=60) as client:

        async def attack(_: int) -> None:
            try:
                answer = await client.post("/v1/posts", json=body)
                tally.statuses[str(answer.status_code)] += 1
            except httpx.TransportError as error:
                tally.statuses[type(error).__name__] += 1

        await repeat(number, attack, together=number)


async def _ask_and_wait(target: Target, number: int, tally: Tally, path: str) -> None:
    loop = asyncio.get_running_loop()
    key = target.client.headers["Authorization"]
    head = f"GET {path} HTTP/1.1\r\nHost: {target.host}\r\nAuthorization: {key}\r\n\r\n".encode()
    with ExitStack() as stack:
        clients = []
        for _ in range(number):
            client = stack.enter_context(socket.socket())
            # The bytes on the side of the client should not count.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.setblocking(False)
            await loop.sock_connect(client, (target.host, target.port))
            await loop.sock_sendall(client, head)
            clients.append(client)
        await asyncio.sleep(_HELD_S)
        for client in clients:
            status = "closed"
            with suppress(OSError, TimeoutError):
                async with asyncio.timeout(1):
                    first = await loop.sock_recv(client, 64)
                if line := re.match(rb"HTTP/1.1 (\d{3}) ", first):
                    status = line[1].decode()
            tally.statuses[status] += 1
