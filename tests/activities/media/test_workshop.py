import asyncio
import contextlib
import os
import stat
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from activities.media import workshop as module
from activities.media.decoding.facts import ImageDemand
from activities.media.fetch import MediaFetcher
from activities.media.spool import Spool
from activities.media.stored import stored
from activities.media.strip import strip
from activities.media.workshop import Workshop
from domain.post import Media, MediaType
from platforms.errors import Kind, NetworkError
from tests.activities.media import files
from tests.activities.media.hostile import HostileServer, generated


def open_files() -> int:
    """Count what is open and no socket: connections of the services beside us come and go."""
    found = 0
    for entry in Path("/dev/fd").iterdir():
        with contextlib.suppress(OSError):
            found += not stat.S_ISSOCK(os.fstat(int(entry.name)).st_mode)
    return found


def environment_of(pid: int) -> bytes | None:
    """Return a process's environment where the system shows it."""
    file = Path(f"/proc/{pid}/environ")
    return file.read_bytes() if file.exists() else None


@pytest.fixture(scope="module")
async def workshop() -> AsyncIterator[Workshop]:
    workshop = Workshop()
    yield workshop
    await workshop.close()


async def test_images_and_videos_are_inspected(workshop: Workshop, tmp_path: Path) -> None:
    photo = files.jpeg(6)
    facts = await workshop.inspect(files.file_of(photo, "image/jpeg"))
    assert (facts.width, facts.height, facts.size) == (40, 60, len(photo))
    facts = await workshop.inspect(files.file_of(files.video(tmp_path), "video/mp4"))
    assert (facts.width, facts.height, facts.video_codec) == (64, 48, "h264")


async def test_what_meets_the_demand_is_not_touched(workshop: Workshop) -> None:
    content = files.jpeg()
    file = files.file_of(content, "image/jpeg")
    demand = ImageDemand(max_bytes=len(content), max_width=40, max_height=60)
    async with workshop.fitted(file, demand) as (same, changes):
        assert same is file
        assert changes == ()


async def test_what_does_not_is_converted_and_that_is_told(workshop: Workshop) -> None:
    demand = ImageDemand(max_width=39)
    async with workshop.fitted(files.file_of(files.png(6), "image/png"), demand) as (file, changes):
        assert file.content_type == "image/jpeg"
        assert (await file.read())[:3] == b"\xff\xd8\xff"
        facts = await workshop.inspect(file)
        assert (facts.width, facts.height) == (39, 58)
    assert [change.what for change in changes] == ["converted", "scaled", "compressed"]


@pytest.mark.parametrize(
    ("content", "content_type", "demand", "code"),
    [
        (b"nonsense", "image/png", ImageDemand(), "media_damaged"),
        (b"nonsense", "video/mp4", ImageDemand(), "media_damaged"),
        (files.bomb(20_000, 20_000), "image/png", ImageDemand(), "media_too_large"),
        (files.saved(files.photo(), "PNG"), "image/png", ImageDemand(max_bytes=10), "media_too_large"),
    ],
)
async def test_what_cannot_be_used_is_refused(
    workshop: Workshop, content: bytes, content_type: str, demand: ImageDemand, code: str
) -> None:
    with pytest.raises(NetworkError) as caught:
        async with workshop.fitted(files.file_of(content, content_type), demand):
            pass
    assert (caught.value.kind, caught.value.code) == (Kind.REJECTED, code)


@pytest.mark.parametrize(
    "program", ["import os; os.kill(os.getpid(), 11)", "import time; time.sleep(60)"], ids=["crashes", "never ends"]
)
async def test_a_file_that_kills_its_decoder_is_refused_and_the_next_is_not(
    program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    workshop = Workshop(patience=5)
    real = module._START
    monkeypatch.setattr(module, "_START", f"{real.rpartition(';')[0]}; import socket, sys; {program}")
    if "sleep" in program:
        workshop._patience = 0.3
    file = files.file_of(files.jpeg(), "image/jpeg")
    with pytest.raises(NetworkError) as caught:
        await workshop.inspect(file)
    assert (caught.value.kind, caught.value.code) == (Kind.REJECTED, "media_damaged")
    monkeypatch.setattr(module, "_START", real)
    workshop._patience = 60
    assert (await workshop.inspect(file)).width == 40
    await workshop.close()


async def test_decoders_know_no_secret_and_end_with_the_workshop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOCIALSYNCER_ENCRYPTION_KEYS", "hush")
    workshop = Workshop()
    await workshop.inspect(files.file_of(files.jpeg(), "image/jpeg"))
    process = workshop._idle[0]._process
    assert process.poll() is None
    assert environment_of(process.pid) in {b"", None}
    await workshop.close()
    assert process.returncode == 0


async def test_who_stops_waiting_leaves_nothing_open(workshop: Workshop) -> None:
    await workshop.inspect(files.file_of(files.jpeg(), "image/jpeg"))
    before = open_files()
    file = files.file_of(files.jpeg(), "image/jpeg")
    task = asyncio.create_task(workshop.inspect(file))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    file.spool.close()
    assert (await workshop.inspect(files.file_of(files.jpeg(), "image/jpeg"))).width == 40
    while files.MADE:
        files.MADE.pop().close()
    assert open_files() <= before


async def test_a_large_video_takes_little_memory(workshop: Workshop, server: HostileServer, tmp_path: Path) -> None:
    video, padding = files.phone_video(tmp_path), 48
    box = (1).to_bytes(4, "big") + b"mdat" + (16 + padding * 2**20).to_bytes(8, "big")
    server.routes["/v"] = generated([video + box, *[os.urandom(2**20)] * padding])
    fetcher = MediaFetcher(private_hosts=[f"127.0.0.1:{server.port}"])
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        media = Media(type=MediaType.VIDEO, url=f"http://127.0.0.1:{server.port}/v")
        async with fetcher.open(media) as file:
            assert file.size > padding * 2**20
            facts = await workshop.inspect(file)
            clean, changes = await strip(file, files.room())
            assert facts.duration == pytest.approx(1, abs=0.1)
            assert changes
            assert sum([len(chunk) async for chunk in clean.chunks(4 * 2**20)]) == clean.size == file.size
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        await fetcher.close()
    assert peak - before < 20 * 2**20


async def test_metadata_in_front_of_much_is_cut_out() -> None:
    with Spool() as spool:
        plain = files.saved(files.photo(), "PNG")
        text = b"GPS" * 1000
        spool.append(plain[:33] + len(text).to_bytes(4, "big") + b"tEXt" + text + bytes(4))
        for _ in range(20):
            spool.append((2**20).to_bytes(4, "big") + b"IDAT" + bytes(2**20 + 4))
        spool.append(plain[-12:])
        tracemalloc.start()
        try:
            file, _ = await strip(stored(spool, "image/png"), files.room())
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert file.size == 33 + 20 * (2**20 + 12) + 12
        assert file.spool.read_at(0, 33) == plain[:33]
        assert file.spool.read_at(file.size - 12, 100) == plain[-12:]
        assert peak < 8 * 2**20
