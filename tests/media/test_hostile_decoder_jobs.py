"""Files that take over a decoder, hang it or cost much: they are refused, and no other job suffers."""

import asyncio
import os
from pathlib import Path

import pytest

from domain.shares import TooManyWaiting
from media import decoders as module
from media.decoder_pool import WAITING, DecoderPool
from platforms.errors import ErrorKind, PlatformError
from tests.media import files
from tests.media.decoder_jobs import bitmap, fitting, measured, refused
from tests.media.hostile_files import FILES, decompression_bomb


@pytest.mark.parametrize(
    "program",
    [
        "import os; os.kill(os.getpid(), 11)",
        "raise RuntimeError",
        "while True: pass",
        "import sys; return dict(examined=dict(facts=dict(width='wide')))",
        "return dict(examined=dict(facts=dict(content_type='', size=1, width=0, height=9)))",
        "return ['['] * 10",
        "return dict(refused=[1], limit={})",
        "import os\nwhile True: os.write(3, b'x' * 1000)",
        "import os\nos.write(3, b'[' * 50000 + bytes(1) + chr(10).encode())",
        "import os\nos.write(3, b'{\"signal\": {}}' + chr(10).encode())",
    ],
    ids=[
        "crashes",
        "fails",
        "never ends",
        "wrong types",
        "no sides",
        "no object",
        "no refusal",
        "floods",
        "nests",
        "reports",
    ],
)
async def test_a_file_that_takes_over_its_decoder_is_refused_and_the_next_is_not(
    program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_START", fitting(program))
    pool = DecoderPool(cpu_seconds=1, seconds=60)
    error = await refused(pool, bitmap())
    assert (error.kind, error.code) == (ErrorKind.REJECTED, "media_invalid")
    assert (await measured(pool, files.stored_file(files.jpeg(), "image/jpeg"))).width == 40
    await pool.close()


async def test_hanging_decoder_is_retried_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_START", fitting("import time; time.sleep(60)"))
    pool = DecoderPool(seconds=1)
    error = await refused(pool, bitmap())
    assert (error.kind, error.code) == (ErrorKind.TRANSIENT, "decoder_unavailable")
    await pool.close()


async def test_type_and_size_from_a_decoder_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = "dict(content_type='text/html', size=7, width=1, height=1, frames=1, duration=None, fps=None, "
    facts += "video_codec=None, audio_codec=None)"
    monkeypatch.setattr(module, "_START", fitting(f"return dict(examined=dict(facts={facts}, removed=[]))"))
    pool = DecoderPool()
    file = bitmap()
    facts_now = await measured(pool, file)
    assert (facts_now.content_type, facts_now.size, facts_now.width) == ("image/bmp", file.size, 1)
    await pool.close()


@pytest.mark.thorough
async def test_slow_files_delay_no_other_workspace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_START", fitting("while True: pass"))
    pool = DecoderPool(cpu_seconds=1000, seconds=1000)
    hostile = [asyncio.create_task(pool.examine(f"hostile {n % 3}", bitmap())) for n in range(6)]
    photo = files.stored_file(files.jpeg(), "image/jpeg")
    # Each hostile file gets the second that a valid file may take; then two of them continue, and all others wait.
    async with asyncio.timeout(60):
        for _ in range(5):
            _, facts, _ = await pool.examine("another", photo)
            assert facts.width == 40
            await asyncio.sleep(0.2)
    assert not any(task.done() for task in hostile)
    for task in hostile:
        task.cancel()
    await asyncio.gather(*hostile, return_exceptions=True)
    await pool.close()


async def test_waiting_jobs_of_a_workspace_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_START", fitting("import time; time.sleep(60)"))
    pool = DecoderPool()
    waiting = [asyncio.create_task(pool.examine("hostile", bitmap())) for _ in range(WAITING + 2)]
    await asyncio.sleep(0)
    with pytest.raises(TooManyWaiting):
        await pool.examine("hostile", bitmap())
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert (await measured(pool, files.stored_file(files.jpeg(), "image/jpeg"))).width == 40
    await pool.close()


@pytest.mark.parametrize("name", FILES)
async def test_hostile_files_end_within_their_second(pool: DecoderPool, name: str) -> None:
    hostile = FILES[name]
    file = files.stored_file(hostile.make(), hostile.content_type)
    before = cpu_seconds_of_processes(pool)
    error: PlatformError | None = None
    try:
        await pool.examine("workspace", file, files.room())
    except PlatformError as caught:
        error = caught
    if hostile.accepted:
        assert error is None
    elif error is not None:
        assert error.kind is ErrorKind.REJECTED
        assert error.code in {"media_invalid", "media_too_large"}
    await asyncio.sleep(0.05)
    assert cpu_seconds_of_processes(pool) - before < 1


async def test_many_pixels_are_decoded_within_some_seconds_of_their_own(pool: DecoderPool) -> None:
    before = cpu_seconds_of_processes(pool)
    facts = await measured(pool, files.stored_file(decompression_bomb(10_500, whole=False), "image/png"))
    assert (facts.width, facts.height) == (10_500, 10_500)
    await asyncio.sleep(0.05)
    assert cpu_seconds_of_processes(pool) - before < 20


def cpu_seconds_of_processes(pool: DecoderPool) -> float:
    """Return the processor time of the ended processes of a pool, as the kernel counts it."""
    ticks = 0
    for decoders in pool._decoders.values():
        if decoders._server is not None:
            fields = Path(f"/proc/{decoders._server._process.pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[13]) + int(fields[14])
    return ticks / os.sysconf("SC_CLK_TCK")
