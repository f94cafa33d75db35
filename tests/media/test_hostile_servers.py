"""The cost of a hostile server for a worker: bounded in time, memory and disk, and all of it is released."""

import asyncio
import os
import ssl
import tracemalloc
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from domain.post import Media, MediaType
from domain.shares import Exhausted
from media.admission import MOST_FETCHES, Admission, MediaDisk
from media.fetch import MediaFetcher, MinimumSpeed
from media.shared_files import SharedFiles
from platforms.errors import ErrorKind, PlatformError
from tests.media.descriptors import open_files, wait_for_open_files
from tests.media.hostile import (
    JPEG,
    MP4_HEAD,
    PUBLIC,
    Answer,
    HostileServer,
    Internet,
    answer,
    bomb,
    drops,
    endless,
    hangs,
    redirect,
    self_signed,
)

Fetch = Callable[[str], "asyncio.Task[PlatformError]"]

SPEED = MinimumSpeed(grace=1, slowest=2**20)
PATIENT = MinimumSpeed(grace=20, slowest=2**20)
"""For fetches that must not end by the clock, however slow the machine is."""
LONGEST_S = 20
"""A hundred times the time of each on an idle machine, and far less than an unbounded one would take."""
DISK = 8 * 2**20
MEMORY = 12 * 2**20


def drips_head(piece: bytes) -> Answer:
    """Send the head byte by byte, without end."""

    async def write(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while not writer.is_closing():
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.05)

    return write


def tiny_chunks(piece: bytes = b"1\r\nx\r\n" * 10_000) -> Answer:
    """Send chunks of one byte as fast as they are taken."""

    async def write(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n")
        writer.write(b"%x\r\n%s\r\n" % (len(MP4_HEAD), MP4_HEAD))
        while not writer.is_closing():
            writer.write(piece)
            await writer.drain()

    return write


def promises(length: int) -> Answer:
    """Announce a length and send almost nothing of it."""

    async def write(writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n".encode() + MP4_HEAD)
        await writer.drain()
        await hangs(writer)

    return write


@pytest.fixture
def speed() -> MinimumSpeed:
    return SPEED


@pytest.fixture
async def worker(server: HostileServer, speed: MinimumSpeed) -> AsyncIterator[tuple[SharedFiles, Admission]]:
    """Fetch as a worker does, with a disk of 8 MiB."""
    admission = Admission(MediaDisk(DISK))
    fetcher = MediaFetcher(private_hosts=[f"127.0.0.1:{server.port}"], speed=speed, max_bytes=DISK // 4)
    files = SharedFiles(fetcher, admission)
    yield files, admission
    await files.close()
    assert (admission.disk.free, admission.fetches.free) == (admission.disk.total, admission.fetches.total)
    assert admission.files.free == admission.files.total
    assert spools() == 0


def spools() -> int:
    """Return how many unnamed files this process has open, if the system lists them."""
    folder = Path("/proc/self/fd")
    names = [str(path.readlink()) for path in folder.iterdir() if path.is_symlink()] if folder.exists() else []
    return sum("socialsyncer-" in name for name in names)


async def refusal(files: SharedFiles, url: str, workspace: str = "a") -> PlatformError:
    with pytest.raises(PlatformError) as caught:
        async with files.open(workspace, url, Media(type=MediaType.VIDEO, url=url), lambda _: None):
            pass
    return caught.value


@pytest.mark.parametrize(
    ("sent", "speed", "kind", "code"),
    [
        (hangs, SPEED, ErrorKind.TRANSIENT, "media_timeout"),
        (drops, PATIENT, ErrorKind.TRANSIENT, "media_truncated"),
        (drips_head(b"x"), SPEED, ErrorKind.TRANSIENT, "media_timeout"),
        (drips_head(b"X-A: b\r\n"), SPEED, ErrorKind.TRANSIENT, "media_timeout"),
        (endless(MP4_HEAD, b"\0", pause=0.02), SPEED, ErrorKind.TRANSIENT, "media_timeout"),
        (tiny_chunks(), PATIENT, ErrorKind.TRANSIENT, "media_truncated"),
        (tiny_chunks(b"HTTP/1.1 103 Early Hints\r\n\r\n"), PATIENT, ErrorKind.TRANSIENT, "media_truncated"),
        (endless(MP4_HEAD), PATIENT, ErrorKind.REJECTED, "media_too_large"),
        (promises(DISK // 4), SPEED, ErrorKind.TRANSIENT, "media_timeout"),
        (promises(DISK), PATIENT, ErrorKind.REJECTED, "media_too_large"),
        (promises(10**18), PATIENT, ErrorKind.REJECTED, "media_too_large"),
        (answer(MP4_HEAD, length=1_000_000), PATIENT, ErrorKind.TRANSIENT, "media_truncated"),
        (answer(MP4_HEAD, length=3), PATIENT, ErrorKind.REJECTED, "media_unsupported"),
        (bomb(300), PATIENT, ErrorKind.REJECTED, "media_type_mismatch"),
        (bomb(300, MP4_HEAD), PATIENT, ErrorKind.REJECTED, "media_too_large"),
        (redirect("/loop"), PATIENT, ErrorKind.REJECTED, "media_unreachable"),
        (redirect("http://10.0.0.1/"), PATIENT, ErrorKind.REJECTED, "media_address_forbidden"),
        (redirect("http://127.0.0.1:1/"), PATIENT, ErrorKind.REJECTED, "media_address_forbidden"),
    ],
    ids=lambda value: "" if callable(value) else None,
)
async def test_a_hostile_answer_costs_little(
    sent: Answer, kind: ErrorKind, code: str, server: HostileServer, worker: tuple[SharedFiles, Admission]
) -> None:
    files, admission = worker
    server.routes |= {"/a": sent, "/loop": redirect("/loop")}
    free: list[int] = []

    async def watch() -> None:
        while True:
            free.append(admission.disk.free)
            await asyncio.sleep(0.01)

    watching = asyncio.create_task(watch())
    tracemalloc.start()
    try:
        async with asyncio.timeout(LONGEST_S):
            error = await refusal(files, f"http://127.0.0.1:{server.port}/a")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        watching.cancel()
    assert (error.kind, error.code) == (kind, code)
    assert peak < MEMORY
    assert min(free) >= DISK - DISK // 4
    assert len(server.requests) <= 6


async def test_an_endless_handshake_is_given_up(tmp_path: Path) -> None:
    hung_up: list[asyncio.Event] = []

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        hung_up.append(ended := asyncio.Event())
        await reader.read()
        ended.set()
        writer.close()

    listening = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    fetcher = MediaFetcher(private_hosts=[f"127.0.0.1:{port}"], speed=SPEED)
    files = SharedFiles(fetcher)
    before = open_files()
    async with asyncio.timeout(LONGEST_S / 2):
        error = await refusal(files, f"https://127.0.0.1:{port}/a")
        assert (error.kind, error.code) == (ErrorKind.TRANSIENT, "media_timeout")
        # No connection is left for the garbage collector, which seldom runs.
        for ended in hung_up:
            await ended.wait()
        await wait_for_open_files(before)
    await files.close()
    listening.close()


async def test_handshake_with_a_foreign_certificate_fails(tmp_path: Path) -> None:
    server = HostileServer({"/a": answer(JPEG)})
    context: ssl.SSLContext = self_signed(tmp_path, "elsewhere.test")
    async with server.running(context):
        files = SharedFiles(MediaFetcher(private_hosts=[f"127.0.0.1:{server.port}"], speed=SPEED))
        error = await refusal(files, f"https://127.0.0.1:{server.port}/a")
        await files.close()
    assert (error.kind, error.code) == (ErrorKind.REJECTED, "media_unreachable")
    assert server.requests == []


@pytest.mark.parametrize("speed", [PATIENT], ids=["patient"])
async def test_many_small_files_leave_file_descriptors_for_others(
    server: HostileServer, worker: tuple[SharedFiles, Admission]
) -> None:
    files, _ = worker
    server.routes |= {f"/{number}": answer(JPEG) for number in range(400)}
    before = open_files()

    async def fetch(number: int) -> None:
        media = Media(type=MediaType.IMAGE, url=f"http://127.0.0.1:{server.port}/{number}")
        async with files.open("a", f"post {number}", media, lambda _: None):
            pass

    for start in range(0, 400, 10):
        await asyncio.gather(*(fetch(number) for number in range(start, start + 10)))
    assert len(server.requests) == 400
    assert open_files() - before <= 256 + 20


@pytest.mark.parametrize("speed", [PATIENT], ids=["patient"])
async def test_fast_large_download_delays_nothing_else(
    server: HostileServer, worker: tuple[SharedFiles, Admission]
) -> None:
    files, _ = worker
    server.routes |= {"/fast": endless(MP4_HEAD, os.urandom(64 * 1024)), "/b": answer(JPEG)}
    url = f"http://127.0.0.1:{server.port}"
    fast = [asyncio.create_task(refusal(files, f"{url}/fast?{number}")) for number in range(2)]
    picture = Media(type=MediaType.IMAGE, url=f"{url}/b")
    async with asyncio.timeout(LONGEST_S), files.open("b", "post", picture, lambda _: None) as file:
        assert file.stored.size == len(JPEG)
    assert {error.code for error in await asyncio.gather(*fast)} == {"media_too_large"}


async def test_a_slow_host_that_many_workspaces_use_leaves_room_for_other_hosts(
    server: HostileServer, internet: Internet, fetcher_with: Callable[..., MediaFetcher]
) -> None:
    internet.knows("slow.test", [PUBLIC])
    server.routes |= {"/slow": hangs, "/b": answer(JPEG)}
    files = SharedFiles(fetcher_with())

    async def fetch(workspace: str, url: str) -> None:
        media = Media(type=MediaType.IMAGE, url=url)
        async with files.open(workspace, workspace, media, lambda _: None):
            pass

    crowd = [asyncio.create_task(fetch(f"workspace {number}", "http://slow.test/slow")) for number in range(40)]
    async with asyncio.timeout(60):
        while sum("/slow" in request for request in server.requests) < MOST_FETCHES // 2:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        await fetch("another", "http://cdn.test/b")
    refused = [fetching.exception() for fetching in crowd if fetching.done()]
    assert [type(fetching) for fetching in refused] == [Exhausted] * (40 - MOST_FETCHES // 2)
    for fetching in crowd:
        fetching.cancel()
    await asyncio.gather(*crowd, return_exceptions=True)
    assert sum("/slow" in request for request in server.requests) == MOST_FETCHES // 2
    await files.close()
