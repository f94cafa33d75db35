"""Unread answers, the OpenAPI document asked for without end, and repeats of one request."""

import asyncio
import os
import re
import socket
import uuid
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta

import httpx

from benchmarks.abuse.target import Tally, Target, repeat
from store.database import Database
from store.media.files import keep_file

_HELD_S = 8.0
"""Seconds for which clients keep their connections without reading."""
_FILE = 20 * 2**20
_PLATFORM = "mastodon"
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
    account = next(account["accountId"] for account in target.accounts if account["platform"] == _PLATFORM)
    fault = {"platform": _PLATFORM, "fault": "accept_then_delay", "operation": "publish", "accountId": account}
    async with httpx.AsyncClient(base_url=target.sandbox_url, trust_env=False) as sandbox:
        (await sandbox.post("/_/faults", json={**fault, "seconds": _OUTCOME_S})).raise_for_status()
    name = uuid.uuid4().hex
    body = {"content": f"repeated {name}", "publishNow": True}
    body |= {"platforms": [{"platform": _PLATFORM, "accountId": account}]}
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
