"""Compare a post's own upload with the same file behind HTTP: `uv run python -m benchmarks.uploads`.

A step of X opens a video, has it examined and reads it to the end, as an upload to X does: once from the storage's
directory, once from an HTTP server on loopback. Exits with 1 if the bar is missed.
"""

import argparse
import asyncio
import contextlib
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

from domain.ids import new_id
from domain.post import Media, MediaType
from media.admission import Admission
from media.bandwidth import Bandwidth
from media.change_record import NoChangeRecord
from media.decoder_pool import DecoderPool
from media.disk import MediaDisk
from media.fetch import MediaFetcher
from media.own_uploads import OwnUploads
from media.shared_files import SharedFiles
from media.step_media import MediaTools, StepMedia
from platforms.registry import platforms
from storage.directory import DirectoryStorage
from store.database import Database
from store.workspaces.queries import create_workspace
from tests.databases import new_database
from tests.media import files
from tests.postgres import postgres_server
from tests.uploads import add_upload, address

BAR = 0.8
"""The time of an own upload, as a part of that of the same file by HTTP."""
_PIECE = 4 * 2**20
"""Bytes that are read at a time; X takes a video in pieces of that size."""

_UNLIMITED = 2**40
"""Bytes a second of a workspace: its share of the bandwidth is not what is measured."""


def make_video(folder: Path, megabytes: int) -> bytes:
    """Return a video that a decoder reads, with this many megabytes behind it."""
    padding = megabytes * 10**6
    return files.video(folder) + (8 + padding).to_bytes(4, "big") + b"free" + bytes(padding)


@contextlib.asynccontextmanager
async def served(content: bytes) -> AsyncIterator[str]:
    """Serve a file on loopback; yield host and port."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(content))
        view = memoryview(content)
        for start in range(0, len(content), _PIECE):
            writer.write(view[start : start + _PIECE])
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


class Bench:
    """The media of one worker, and the time and room that a step takes."""

    def __init__(self, workspace_id: str, fetcher: MediaFetcher, uploads: OwnUploads) -> None:
        self._workspace_id = workspace_id
        self._admission = Admission(MediaDisk())
        files = SharedFiles(fetcher, self._admission, uploads)
        self._tools = MediaTools(files, DecoderPool(), admission=self._admission)

    async def close(self) -> None:
        """Close connections and processes."""
        await self._tools.close()

    async def step(self, url: str) -> tuple[float, int]:
        """Return the seconds of a step with a new post, and the bytes that it takes on the disk."""
        post_id, twitter = new_id("post"), platforms()["twitter"]
        source = StepMedia(
            *(self._tools, self._workspace_id, post_id, twitter, twitter.rules.files),
            *(NoChangeRecord(), lambda _: None),
        )
        began = time.perf_counter()
        async with source.open(Media(type=MediaType.VIDEO, url=url)) as file:
            async for _ in file.chunks(_PIECE):
                pass
            taken = self._admission.disk.held_by(self._workspace_id)
        seconds = time.perf_counter() - began
        self._tools.files.forget(post_id)
        return seconds, taken


async def measure(megabytes: int, rounds: int) -> bool:
    """Print the figures; return whether the bar is met."""
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="socialsyncer-bench-")))
        database = Database(await new_database(stack.enter_context(postgres_server())))
        stack.push_async_callback(database.close)
        storage = DirectoryStorage(folder, least_free=0)
        stack.push_async_callback(storage.close)
        await storage.prepare()
        async with database.transaction() as session:
            workspace_id = await create_workspace(session, "bench")
        content = make_video(folder, megabytes)
        upload = await add_upload(database, workspace_id, content, storage=storage, content_type="video/mp4")
        host = await stack.enter_async_context(served(content))
        bench = Bench(
            workspace_id,
            MediaFetcher(private_hosts=[host], bandwidth=Bandwidth(_UNLIMITED)),
            OwnUploads(database, storage),
        )
        stack.push_async_callback(bench.close)
        urls = {"own upload": address(upload), "HTTP": f"http://{host}/video.mp4"}
        times: dict[str, list[float]] = {name: [] for name in urls}
        room: dict[str, int] = {}
        for url in urls.values():
            await bench.step(url)
        for number in range(rounds):
            for name in list(urls)[:: 1 if number % 2 else -1]:
                seconds, room[name] = await bench.step(urls[name])
                times[name].append(seconds)
    ratio = statistics.median(own / http for own, http in zip(times["own upload"], times["HTTP"], strict=True))
    for name, rounds_s in times.items():
        print(f"{name}: {statistics.median(rounds_s) * 1000:,.0f} ms, {room[name] / 10**6:,.1f} MB of temporary disk")
    is_met = ratio <= BAR and room["own upload"] == 0
    print(f"ratio {ratio:.2f}, bar {BAR}{'' if is_met else ': missed'}")
    return is_met


def main() -> int:
    """Run the benchmark, and return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    return 0 if asyncio.run(measure(options.megabytes, options.rounds)) else 1


if __name__ == "__main__":
    sys.exit(main())
