"""The speed and the cost of receiving files: `uv run python -m benchmarks.receiving [MIB]`, 1,024 by default.

A program sends a file to the API of a development stack, beside its floor, a program that writes the same bytes to a
file in the same folder and waits until they are on the disk. Meanwhile another client reads posts. The exit code is 1
if a goal is missed. The file of 5 GB that is read is sparse.
"""

import asyncio
import hashlib
import os
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import httpx
import psutil

from benchmarks.campaigns.measure import HEAD, Bar, Figure, IdleShare, p99
from benchmarks.processes import part_pids
from benchmarks.stack import stack

MIB = 2**20
HUGE = 5 * 10**9
PIECE = b"\xff\xd8\xff\xe0" + os.urandom(MIB - 4)
_TO_DISK = """
import os, sys
with open(sys.argv[1], "wb") as file:
    while piece := sys.stdin.buffer.read(1048576):
        file.write(piece)
    file.flush()
    os.fsync(file.fileno())
"""
_TO_API = """
import socket, sys
host, port, head = sys.argv[1:]
with socket.create_connection((host, int(port))) as connection:
    connection.sendall(head.encode())
    while piece := sys.stdin.buffer.read(1048576):
        connection.sendall(piece)
    assert b" 200 " in connection.recv(1024)
"""
REPEATS = 50


async def pieces(size_mib: int) -> AsyncIterator[bytes]:
    """Yield the bytes of a file."""
    for _ in range(size_mib):
        yield PIECE


async def run(program: str, size_mib: int, *arguments: str) -> float:
    """Return the seconds in which a program takes the bytes of a file and ends."""
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program, *arguments), stdin=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None
    async for piece in pieces(size_mib):
        process.stdin.write(piece)
        await process.stdin.drain()
    process.stdin.close()
    if await process.wait():
        raise SystemExit("a file was not taken")
    return time.perf_counter() - began


def cpu_s(pid: int) -> float:
    """Return the seconds of processor time that a process has used."""
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


async def presign(client: httpx.AsyncClient, **body: Any) -> dict[str, Any]:
    """Return the addresses of a new upload."""
    answer = await client.post("/v1/media/presign", json={"filename": "a.jpg", "contentType": "image/jpeg"} | body)
    answer.raise_for_status()
    upload: dict[str, Any] = answer.json()
    return upload


async def send(client: httpx.AsyncClient, size_mib: int) -> tuple[float, dict[str, Any]]:
    """Upload a file; return the seconds that it took, and its addresses."""
    upload = await presign(client, size=size_mib * MIB)
    address = urlsplit(upload["uploadUrl"])
    headers = {"Host": address.netloc, "Content-Length": str(size_mib * MIB), **upload["headers"]}
    lines = (f"PUT {address.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", "")
    seconds = await run(_TO_API, size_mib, str(address.hostname), str(address.port), "\r\n".join(lines))
    return seconds, upload


class Bystander:
    """A client that reads posts, one after the other."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        self._times: list[float] = []

    async def read(self) -> None:
        """Read until this is cancelled."""
        while True:
            began = time.perf_counter()
            (await self._client.get("/v1/posts?limit=1")).raise_for_status()
            self._times.append(time.perf_counter() - began)
            await asyncio.sleep(0.002)

    def take(self) -> float:
        """Return the 99th percentile of the milliseconds since the last call."""
        times, self._times = self._times, []
        return p99(times)


async def largest_memory(pid: int, until: asyncio.Event) -> float:
    """Return the largest resident memory of a process until something ends, in MiB."""
    process, most = psutil.Process(pid), 0
    while not until.is_set():
        most = max(most, process.memory_info().rss)
        await asyncio.sleep(0.02)
    return most / MIB


async def measure_upload(dev: dict[str, Any], client: httpx.AsyncClient, size_mib: int) -> list[Figure]:
    """Send a file beside the floor, and see what it costs others."""
    async with httpx.AsyncClient(base_url=dev["apiUrl"], headers=client.headers, trust_env=False) as other:
        bystander = Bystander(other)
        reading = asyncio.create_task(bystander.read())
        await send(client, 1)
        bystander.take()
        copy = Path(dev["dataDir"]) / "floor"
        floor_s = await run(_TO_DISK, size_mib, str(copy))
        copy.unlink()
        alone_ms = bystander.take()
        pid, end = part_pids(dev)["api"], asyncio.Event()
        before, cpu_before_s = psutil.Process(pid).memory_info().rss / MIB, cpu_s(pid)
        memory = asyncio.create_task(largest_memory(pid, end))
        upload_s, upload = await send(client, size_mib)
        end.set()
        cpu_gib_s = (cpu_s(pid) - cpu_before_s) * 1024 / size_mib
        beside_ms = bystander.take()
        reading.cancel()
    public = await client.get(upload["publicUrl"], headers={"Range": f"bytes=0-{MIB - 1}"})
    assert hashlib.sha256(public.content).digest() == hashlib.sha256(PIECE).digest()
    return [
        Figure(f"upload of {size_mib:,} MiB", size_mib / upload_s, "MiB/s", size_mib / floor_s, Bar(least_ratio=0.5)),
        Figure("processor time of the API for each GiB", cpu_gib_s, "s"),
        Figure("more memory of the API meanwhile", await memory - before, "MiB", bar=Bar(most=64)),
        Figure("p99 of GET of others, beside it and without", beside_ms, "ms", alone_ms, Bar(most_ratio=1.5)),
    ]


async def measure_reading(dev: dict[str, Any], client: httpx.AsyncClient) -> list[Figure]:
    """Ask for the head of a file of 5 GB, and for one MiB of it."""
    _, upload = await send(client, 1)
    connection = await asyncpg.connect(dev["databaseUrl"].replace("+asyncpg", ""))
    key = await connection.fetchval("UPDATE uploads SET size = $1 WHERE id = $2 RETURNING key", HUGE, upload["id"])
    await connection.close()
    path = Path(dev["dataDir"]) / "media" / "objects" / key[:2] / key
    os.truncate(path, HUGE)
    figures = []
    for work, method, headers, most in (
        ("HEAD of a file of 5 GB", "HEAD", {}, 5),
        ("a range of 1 MiB of it", "GET", {"Range": f"bytes={HUGE // 2}-{HUGE // 2 + MIB - 1}"}, 20),
    ):
        times = []
        for _ in range(REPEATS):
            began = time.perf_counter()
            answer = await client.request(method, upload["publicUrl"], headers=headers)
            times.append(time.perf_counter() - began)
            assert answer.headers["Content-Length"] == str(HUGE if method == "HEAD" else MIB)
        figures.append(Figure(f"{work}, median of {REPEATS}", sorted(times)[REPEATS // 2] * 1000, "ms", bar=Bar(most)))
    return figures


async def main(size_mib: int) -> int:
    """Measure, print a line for each figure, and return the exit code."""
    idle = IdleShare()
    async with stack() as dev:
        headers = {"Authorization": f"Bearer {dev['apiKey']}"}
        async with httpx.AsyncClient(base_url=dev["apiUrl"], headers=headers, trust_env=False, timeout=600) as client:
            print(HEAD)
            figures: list[Figure] = []
            for part in (measure_upload(dev, client, size_mib), measure_reading(dev, client)):
                measured = await part
                share = idle.take()
                for figure in measured:
                    print(figure.row(share), flush=True)
                figures += measured
    return 0 if all(figure.is_right for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1024)))
