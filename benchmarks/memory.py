"""Measure what a large video costs the worker in memory: `uv run python -m benchmarks.memory --megabytes 500`.

A development stack publishes one post with a video to the named platforms; this program serves the video. The output
says the worker's resident memory before and at its highest, as Linux counts it.
"""

import argparse
import asyncio
import json
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from benchmarks.stack import stack
from cli.stack.ports import HOST, free_port

PIECE = bytes(256 * 1024)
SETTINGS: dict[str, dict[str, Any]] = {
    "tiktok": {"privacyLevel": "PUBLIC_TO_EVERYONE", "contentPreviewConfirmed": True, "expressConsentGiven": True},
    "pinterest": {"boardId": "549755885175"},
}


@asynccontextmanager
async def served(sample: bytes, size: int, port: int) -> AsyncIterator[None]:
    """Serve a video of `size` bytes: a small one, then a box that players skip."""
    rest = size - len(sample)
    head = sample + (1).to_bytes(4) + b"free" + rest.to_bytes(8)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(
                f"HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\nContent-Length: {size}\r\n\r\n".encode() + head
            )
            left = size - len(head)
            while left:
                writer.write(PIECE[: min(left, len(PIECE))])
                left -= min(left, len(PIECE))
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(answer, HOST, port):
        yield


def memory(pid: int, name: str) -> float:
    """Return one of the kernel's figures for a process, in MB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024


def forget_highest(pid: int) -> None:
    """Reset the kernel's count of the highest value."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


async def measure(dev: dict[str, Any], worker: int, video: str, platforms: list[str]) -> None:
    """Publish the video to the platforms and print the memory that it cost."""
    by_platform = {account["platform"]: account["accountId"] for account in reversed(dev["accounts"])}
    targets = [
        {"platform": name, "accountId": by_platform[name], "platformSpecificData": SETTINGS.get(name, {})}
        for name in platforms
    ]
    body = {
        "content": f"a large video, {time.time()}",
        "mediaItems": [{"type": "video", "url": video}],
        "platforms": targets,
        "publishNow": True,
    }
    forget_highest(worker)
    before, started = memory(worker, "VmRSS"), time.perf_counter()
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {dev['apiKey']}"}, timeout=120) as http:
        post = (await http.post(f"{dev['apiUrl']}/v1/posts", json=body)).raise_for_status().json()
        while post["status"] == "publishing":
            await asyncio.sleep(0.5)
            post = (await http.get(f"{dev['apiUrl']}/v1/posts/{post.get('_id') or post['id']}")).json()
    took, peak = time.perf_counter() - started, memory(worker, "VmHWM")
    print(
        f"{'+'.join(platforms):<28} {post['status']:<10} {took:6.1f} s   "
        f"before {before:6.1f} MB   at most {peak:6.1f} MB   {peak - before:+7.1f} MB"
    )
    if post["status"] != "published":
        print(json.dumps(post, indent=1)[:2000])


async def run(megabytes: int, groups: list[str]) -> None:
    """Measure every group of platforms on one fresh stack."""
    port = free_port()
    os.environ["SOCIALSYNCER_PRIVATE_MEDIA_HOSTS"] = f"{HOST}:{port}"
    async with stack() as dev:
        worker = json.loads((Path(dev["dataDir"]) / "run.json").read_text())["worker"]["pid"]
        async with httpx.AsyncClient() as http:
            sample = (await http.get(f"{dev['sandboxUrl']}/_/media/a.mp4")).content
        async with served(sample, megabytes * 2**20, port):
            for number, group in enumerate(groups):
                await measure(dev, worker, f"http://{HOST}:{port}/{number}.mp4", group.split("+"))


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--megabytes", type=int, default=500)
    parser.add_argument("groups", nargs="*", default=["twitter+youtube"], help="platforms of one post, joined by +")
    arguments = parser.parse_args()
    asyncio.run(run(arguments.megabytes, arguments.groups))


if __name__ == "__main__":
    main()
