"""A workspace's own Mastodon server whose answers cost the most to read, and all end at the same moment."""

import asyncio
import gzip
import json
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from benchmarks.abuse.target import PLATFORM, Tally, Target, repeat, workspace_with_account
from benchmarks.stack import command
from cli.stack.ports import HOST
from platforms.http.answers import MOST_BYTES, MOST_BYTES_OF_STRANGERS, MOST_VALUES

MOST_LATE_S = 2.0
"""Seconds after its request within which a bystander's text must be public."""
_TOGETHER = 40
"""As many requests as the worker makes to the servers of one workspace (`platforms.http.shared_transport`)."""
_HELD_AT_MOST_S = 3.0
_EVERY_S = 0.25
_SILENT_S = 15
"""How long a bystander's platform withholds an answer: longer than the timeout of a heartbeat."""


def _answer(size: int, piece: bytes, values: int) -> bytes:
    """Return a packed list of so many bytes and values; the NUL makes a reader look at each of its values."""
    count = min((size - 11) // (len(piece) + 1), (values - 1) // 2)
    body = b'["\\u0000"' + (b"," + piece) * count + b"]"
    return gzip.compress(body.ljust(size))


_BEYOND, _WITHIN = (MOST_BYTES, MOST_BYTES), (MOST_BYTES_OF_STRANGERS, MOST_VALUES)
"""Bytes and values as only a platform's answer may have, and the most that are read from a stranger's server."""
_ANSWERS = [
    _answer(size, piece, values)
    for (size, values), piece in (
        (_BEYOND, b"[]"),
        (_BEYOND, b"{}"),
        (_WITHIN, b"[]"),
        (_WITHIN, b'{"\\u0000":"\\u0000"}'),
    )
]


@dataclass
class HostileMastodon:
    """A server that knows its one account, and withholds the last byte of all other answers until many wait for it."""

    is_hostile: bool = False
    answers: int = 0
    _waiting: int = 0
    _release: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request."""
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            if not self.is_hostile:
                known = b"verify_credentials" in head
                self._write(writer, b'{"id": "1", "username": "hostile"}' if known else b"{}")
            else:
                body = _ANSWERS[self.answers // _TOGETHER % len(_ANSWERS)]
                self.answers += 1
                self._write(writer, body[:-1], "Content-Encoding: gzip\r\n", len(body))
                await self._wait()
                writer.write(body[-1:])
            await writer.drain()
        writer.close()

    def _write(self, writer: asyncio.StreamWriter, body: bytes, headers: str = "", length: int | None = None) -> None:
        size = len(body) if length is None else length
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {size}\r\n{headers}"
        writer.write(f"{head}Connection: close\r\n\r\n".encode() + body)

    async def _wait(self) -> None:
        release, self._waiting = self._release, self._waiting + 1
        with suppress(TimeoutError):
            if self._waiting < _TOGETHER:
                async with asyncio.timeout(_HELD_AT_MOST_S):
                    await release.wait()
        if not release.is_set():
            release.set()
            self._release, self._waiting = asyncio.Event(), 0


@dataclass
class _Bystander:
    http: httpx.AsyncClient
    sandbox: httpx.AsyncClient
    key: str
    account_id: str
    sent: dict[str, datetime] = field(default_factory=dict)

    async def post(self, text: str) -> str:
        body = {
            "content": text,
            "platforms": [{"platform": PLATFORM, "accountId": self.account_id}],
            "publishNow": True,
        }
        headers = {"Authorization": f"Bearer {self.key}", "Prefer": "wait=0"}
        self.sent[text] = datetime.now(UTC)
        answer = (await self.http.post("/v1/posts", headers=headers, json=body)).raise_for_status()
        return str(answer.json()["id"])

    async def post_silently(self) -> str:
        """Publish a post whose platform takes longer to answer than a heartbeat may be late; return its id."""
        fault: dict[str, Any] = {"platform": PLATFORM, "fault": "accept_then_delay", "operation": "publish"}
        fault |= {"seconds": _SILENT_S, "accountId": self.account_id}
        (await self.sandbox.post("/_/faults", json=fault)).raise_for_status()
        return await self.post("silent")

    async def lateness(self) -> dict[str, float]:
        """Return how many seconds after its request each text became public, at most 60."""
        end = max(self.sent.values()) + timedelta(minutes=1)
        while True:
            asked = {"platform": PLATFORM, "accountId": self.account_id, "limit": "1000"}
            posts = (await self.sandbox.get("/_/posts", params=asked)).json()["posts"]
            public = {post["text"]: datetime.fromisoformat(post["createdAt"]) for post in posts}
            if len(public) >= len(self.sent) or datetime.now(UTC) > end:
                return {
                    text: (public.get(text, at + timedelta(minutes=1)) - at).total_seconds()
                    for text, at in self.sent.items()
                }
            await asyncio.sleep(0.5)

    async def attempts(self, post_id: str) -> list[dict[str, Any]]:
        answer = await self.http.get(f"/v1/posts/{post_id}/attempts", headers={"Authorization": f"Bearer {self.key}"})
        return list(answer.raise_for_status().json()["attempts"])


async def hostile_answers(target: Target, number: int, tally: Tally) -> None:
    """Publish many posts to a hostile server, and meanwhile a bystander's; tally what it noticed."""
    server = HostileMastodon()
    listening = await asyncio.start_server(server.serve, HOST, target.account_port)
    hostile = await command(target.dev, "keys", "create", "--workspace", "answers")
    credentials = {"instance": f"http://{HOST}:{target.account_port}", "accessToken": "hostile"}
    words = ("accounts", "add", PLATFORM, "--workspace", "answers")
    account = json.loads(await command(target.dev, *words, stdin=json.dumps(credentials)))
    server.is_hostile = True
    async with (
        listening,
        httpx.AsyncClient(base_url=target.dev["apiUrl"], timeout=120, trust_env=False) as http,
        httpx.AsyncClient(base_url=target.dev["sandboxUrl"], timeout=60, trust_env=False) as sandbox,
    ):
        bystander = _Bystander(http, sandbox, *await workspace_with_account(target.dev, "beside"))
        silent = await bystander.post_silently()
        places = [{"platform": PLATFORM, "accountId": account["accountId"]}]
        headers = {"Authorization": f"Bearer {hostile.split()[-1]}", "Prefer": "wait=0"}

        async def attack(post: int) -> None:
            body = {"content": f"hostile {post}", "platforms": places, "publishNow": True}
            tally.statuses[str((await http.post("/v1/posts", headers=headers, json=body)).status_code)] += 1

        await repeat(number, attack)
        end = asyncio.get_running_loop().time() + 15 + number / 10
        while asyncio.get_running_loop().time() < end:
            await bystander.post(f"beside {len(bystander.sent)}")
            await asyncio.sleep(_EVERY_S)
        late = await bystander.lateness()
        outcomes = [str(attempt["state"]) for attempt in await bystander.attempts(silent)]
    tally.statuses[f"hostile answers: {server.answers}; a text at worst {max(late.values()):.1f} s late"] += 1
    if max(late.values()) > MOST_LATE_S:
        tally.missed.append(f"a bystander's text was {max(late.values()):.1f} s late")
    if len(outcomes) != 1:
        tally.missed.append(f"a bystander's post lost its heartbeat: {', '.join(outcomes)}")
    if server.answers < _TOGETHER:
        tally.missed.append("the hostile server was hardly asked")
