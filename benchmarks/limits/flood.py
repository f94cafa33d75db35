"""A flood of requests with one key, in a process of its own: `python -m benchmarks.limits.flood KEY SECONDS URL…`.

The program prints `ready`, floods once it gets a line, and prints how many answers of each status came and what it cost
itself. It uses plain sockets, which cost less than the server's work.
"""

import asyncio
import json
import sys
import time
from collections import Counter
from urllib.parse import urlsplit

CONNECTIONS = 200
PER_S = 2_000
"""Requests that all connections send together in a second if each refusal comes at once."""


async def flood(key: str, seconds: float, urls: list[str]) -> Counter[str]:
    """Send requests at a pace on all connections; return how many answers of each status came."""
    statuses = Counter[str]()
    end = time.perf_counter() + seconds
    pause_s = CONNECTIONS / PER_S

    async def caller(url: str) -> None:
        split = urlsplit(url)
        head = f"GET /v1/posts?limit=5 HTTP/1.1\r\nHost: {split.netloc}\r\nAuthorization: Bearer {key}\r\n\r\n".encode()
        reader, writer = await asyncio.open_connection(split.hostname, split.port)
        due = time.perf_counter()
        while due < end:
            writer.write(head)
            status, *headers = (await reader.readuntil(b"\r\n\r\n")).decode().lower().splitlines()
            (length,) = (int(header[15:]) for header in headers if header.startswith("content-length:"))
            await reader.readexactly(length)
            statuses[status.split()[1]] += 1
            # A client that is late does not catch up.
            due = max(due + pause_s, time.perf_counter())
            await asyncio.sleep(due - time.perf_counter())
        writer.close()

    await asyncio.gather(*(caller(urls[number % len(urls)]) for number in range(CONNECTIONS)))
    return statuses


def main(key: str, seconds: str, *urls: str) -> None:
    """Flood once a line comes on the standard input."""
    print("ready", flush=True)
    sys.stdin.readline()
    before = time.process_time()
    statuses = asyncio.run(flood(key, float(seconds), list(urls)))
    print(json.dumps({"statuses": statuses, "cpu_s": time.process_time() - before}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
