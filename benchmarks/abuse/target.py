"""The API under abuse: one hostile workspace that calls it, and a count of the answers."""

import asyncio
import json
import os
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil

from benchmarks.stack import command


@dataclass(slots=True)
class Memory:
    """The memory of the API and of the kernel's TCP sockets, in MiB, and how much it grew at most."""

    api: psutil.Process
    grown: float = 0.0

    async def watch(self) -> None:
        """Measure until cancelled."""
        before = self._now()
        while True:
            self.grown = max(self.grown, self._now() - before)
            await asyncio.sleep(0.2)

    def _now(self) -> float:
        words = next((line.split() for line in _sockets() if line.startswith("TCP:")), ["0"])
        return float((self.api.memory_info().rss + int(words[-1]) * os.sysconf("SC_PAGE_SIZE")) / 2**20)


def _sockets() -> list[str]:
    try:
        return Path("/proc/net/sockstat").read_text(encoding="ascii").splitlines()
    except OSError:
        return []


def listener(port: int) -> psutil.Process:
    """Return the process of this user that listens at a port."""
    for process in psutil.process_iter():
        try:
            if any(
                connection.laddr.port == port and connection.status == "LISTEN"
                for connection in process.net_connections("tcp")
            ):
                return process
        except psutil.Error:
            continue
    raise SystemExit(f"nothing listens at port {port}")


PLATFORM = "mastodon"
"""The platform of the bystanders, and of what should disturb them."""
TOGETHER = 4
"""How many hostile calls run at the same time."""


@dataclass(slots=True)
class Tally:
    """The responses to one kind of abuse."""

    statuses: Counter[str] = field(default_factory=Counter)
    missed: list[str] = field(default_factory=list)
    """The goals of the kind itself that were missed, each as a sentence."""

    @property
    def calls(self) -> int:
        """Return how many calls were made."""
        return self.statuses.total()

    @property
    def broken(self) -> int:
        """Return how many answers were server errors, apart from 503, which says that the API is busy."""
        return sum(count for status, count in self.statuses.items() if status.isdecimal() and 500 <= int(status) != 503)


class Target:
    """The API of a stack, called with the key of a hostile workspace.

    Accounts may name a server of their own on this machine at `account_port`.
    """

    def __init__(self, dev: dict[str, Any], account_port: int) -> None:
        url, key = dev["apiUrl"], dev["apiKey"]
        self.dev, self.account_port = dev, account_port
        self.host, self.port = urlsplit(url).hostname or "", urlsplit(url).port or 80
        self.accounts: list[dict[str, Any]] = dev["accounts"]
        self.url = url
        self.database_url: str = dev["databaseUrl"].replace("postgresql://", "postgresql+asyncpg://")
        self.sandbox_url: str = dev["sandboxUrl"]
        limits = httpx.Limits(max_connections=TOGETHER, max_keepalive_connections=TOGETHER)
        headers = {"Authorization": f"Bearer {key}"}
        self.client = httpx.AsyncClient(base_url=url, headers=headers, limits=limits, timeout=60, trust_env=False)
        self.strangers = httpx.AsyncClient(base_url=url, limits=limits, timeout=60, trust_env=False)

    async def close(self) -> None:
        """Close the connections."""
        await self.client.aclose()
        await self.strangers.aclose()

    async def call(self, tally: Tally, method: str, path: str, **request: Any) -> httpx.Response | None:
        """Make one call and count its answer; None if the connection was closed on it."""
        try:
            answer = await self.client.request(method, path, **request)
        except httpx.TransportError as error:
            tally.statuses[type(error).__name__] += 1
            return None
        tally.statuses[str(answer.status_code)] += 1
        return answer

    async def raw(self, tally: Tally, *pieces: bytes, within_s: float = 20) -> None:
        """Send pieces over a connection of their own, and count the status of the answer, or that there was none."""
        try:
            reader, writer = await asyncio.open_connection(self.host, self.port)
        except OSError:
            tally.statuses["refused"] += 1
            return
        try:
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
            async with asyncio.timeout(within_s):
                line = await reader.readline()
            tally.statuses[line.split()[1].decode() if line.startswith(b"HTTP/") else "closed"] += 1
        except (OSError, TimeoutError):
            tally.statuses["closed"] += 1
        finally:
            writer.transport.abort()


async def workspace_with_account(dev: dict[str, Any], name: str) -> tuple[str, str]:
    """Make a workspace with one account; return its key and the account's id."""
    key = await command(dev, "keys", "create", "--workspace", name)
    words = ("accounts", "add", PLATFORM, "--workspace", name)
    account = await command(dev, *words, stdin=json.dumps({"accessToken": uuid.uuid4().hex}))
    return key, json.loads(account)["accountId"]


async def repeat(number: int, attack: Callable[[int], Awaitable[object]], together: int = TOGETHER) -> None:
    """Make `number` attacks, several at the same time."""
    numbers = iter(range(number))

    async def one_after_another() -> None:
        for call_number in numbers:
            await attack(call_number)

    await asyncio.gather(*(one_after_another() for _ in range(together)))
