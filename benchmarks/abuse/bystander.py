"""A client of another workspace, which reads its posts and publishes during the abuse, in a process of its own.

In the process of the attack it would wait for the attack's own work. The program prints `ready`, acts until it gets a
line, and prints what it measured.
"""

import asyncio
import json
import statistics
import sys
import time
import uuid
from dataclasses import asdict, dataclass, field

import httpx

from benchmarks.abuse.target import PLATFORM

_EVERY_S = 0.05
"""Seconds between two reads, if the program's caller names no others."""
_PUBLISHES_EVERY_S = 0.5


@dataclass(frozen=True, slots=True)
class Waits:
    """The times that a bystander waited for its reads and publications, and how many of both failed."""

    reads_ms: list[float]
    publishes_s: list[float]
    failed: int

    @property
    def p99(self) -> float:
        """Return the 99th percentile of the reads, in milliseconds."""
        return statistics.quantiles(self.reads_ms, n=100, method="inclusive")[98] if len(self.reads_ms) > 1 else 0.0


@dataclass(slots=True)
class Bystander:
    """The client."""

    url: str
    key: str
    account_id: str
    every_s: float
    took_ms: list[float] = field(default_factory=list)
    published_s: list[float] = field(default_factory=list)
    failed: int = 0

    async def act(self) -> None:
        """Read and publish until cancelled."""
        headers = {"Authorization": f"Bearer {self.key}"}
        async with httpx.AsyncClient(base_url=self.url, headers=headers, timeout=60, trust_env=False) as client:
            await asyncio.gather(self._read(client), self._publish(client))

    async def _read(self, client: httpx.AsyncClient) -> None:
        while True:
            began = time.perf_counter()
            try:
                self.failed += (await client.get("/v1/posts?limit=5")).status_code != 200
            except httpx.TransportError:
                self.failed += 1
            self.took_ms.append((time.perf_counter() - began) * 1000)
            await asyncio.sleep(self.every_s)

    async def _publish(self, client: httpx.AsyncClient) -> None:
        targets = [{"platform": PLATFORM, "accountId": self.account_id}]
        while True:
            body = {"content": f"meanwhile {uuid.uuid4()}", "platforms": targets, "publishNow": True}
            began = time.perf_counter()
            try:
                self.failed += (await client.post("/v1/posts", json=body)).json().get("status") != "published"
            except httpx.TransportError:
                self.failed += 1
            self.published_s.append(time.perf_counter() - began)
            await asyncio.sleep(_PUBLISHES_EVERY_S)


async def run(url: str, key: str, account_id: str, every_s: str = str(_EVERY_S)) -> None:
    """Act until a line comes on the standard input."""
    bystander = Bystander(url, key, account_id, float(every_s))
    acting = asyncio.create_task(bystander.act())
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    acting.cancel()
    await asyncio.gather(acting, return_exceptions=True)
    waits = Waits(bystander.took_ms, bystander.published_s, bystander.failed)
    print(json.dumps(asdict(waits)), flush=True)


if __name__ == "__main__":
    asyncio.run(run(*sys.argv[1:5]))
