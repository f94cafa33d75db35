import asyncio
import io
import os
import tracemalloc
from pathlib import Path

import pytest
from PIL import Image

from media import decoders as module
from media.decoder_pool import MAX_THUMBNAIL, DecoderPool
from media.decoding.facts import ImageDemand, MediaFacts
from media.decoding.jobs import IMAGES, VIDEOS
from media.decoding.work import strip
from media.sniff import sniff
from media.spool import Spool
from platforms.errors import ErrorKind, PlatformError
from tests.media import files
from tests.media.decoder_jobs import bitmap, fitting, measured, refused
from tests.media.descriptors import open_files, wait_for_open_files


async def thumbnail(pool: DecoderPool, content: bytes) -> Image.Image:
    small = await pool.thumbnail("workspace", files.stored_file(content, sniff(content) or ""))
    assert len(small) <= MAX_THUMBNAIL
    assert files.CAMERA.encode() not in small
    picture = Image.open(io.BytesIO(small), formats=["JPEG"])
    picture.load()
    return picture


def colours(picture: Image.Image) -> list[tuple[bool, ...]]:
    """Return which colours are strong in the middle of each quarter of a picture."""
    small = picture.convert("RGB").resize((2, 2), Image.Resampling.BOX).tobytes()
    return [tuple(value > 127 for value in small[start : start + 3]) for start in range(0, 12, 3)]


def quarters(width: int, height: int) -> Image.Image:
    """Return a picture with another colour in each quarter."""
    picture = Image.new("RGB", (width, height), "red")
    picture.paste("lime", (width // 2, 0, width, height // 2))
    picture.paste("blue", (0, height // 2, width // 2, height))
    picture.paste("white", (width // 2, height // 2, width, height))
    return picture


async def test_pictures_become_small_and_upright(pool: DecoderPool, tmp_path: Path) -> None:
    wide = quarters(400, 300)
    turned = wide.transpose(Image.Transpose.ROTATE_90)
    cases = {
        "png": (files.saved(wide, "PNG"), (96, 72), colours(wide)),
        "webp": (files.saved(wide, "WEBP"), (96, 72), colours(wide)),
        # Stored on its side, with a mark that says so.
        "jpeg": (files.saved(turned, "JPEG", exif=files.exif(6)), (96, 72), colours(wide)),
        "small": (files.saved(quarters(40, 20), "BMP"), (40, 20), colours(wide)),
        "narrow": (files.saved(Image.new("RGB", (4000, 3)), "PNG"), (96, 1), None),
        "animated": (files.gif(), (60, 40), None),
        "heic": (files.heic(tmp_path), None, None),
        "noise": (files.saved(Image.effect_noise((900, 900), 120).convert("RGB"), "PNG"), (96, 96), None),
    }
    for name, (content, size, corners) in cases.items():
        picture = await thumbnail(pool, content)
        assert max(picture.size) <= 96, name
        assert size is None or picture.size == size, name
        assert corners is None or colours(picture) == corners, name


async def test_videos_show_their_first_picture_upright(
    pool: DecoderPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "photo", quarters)
    upright = colours(quarters(64, 48))
    turns = {90: Image.Transpose.ROTATE_90, 180: Image.Transpose.ROTATE_180, -90: Image.Transpose.ROTATE_270}
    for rotation in (0, *turns):
        picture = await thumbnail(pool, files.video(tmp_path, rotation=rotation))
        shown = quarters(64, 48).transpose(turns[rotation]) if rotation else quarters(64, 48)
        assert picture.size == shown.size, rotation
        assert colours(picture) == colours(shown), rotation
    for kind, codec in (("webm", "libvpx-vp9"), ("matroska", "libx264"), ("mov", "mpeg4"), ("avi", "mpeg4")):
        audio = kind != "avi"
        assert colours(await thumbnail(pool, files.video(tmp_path, kind=kind, codec=codec, audio=audio))) == upright, (
            kind
        )


async def test_hostile_files_have_no_thumbnail(pool: DecoderPool, tmp_path: Path) -> None:
    for content in (files.bomb(30_000, 30_000), files.jpeg()[:200], files.video(tmp_path)[:900]):
        with pytest.raises(PlatformError) as caught:
            await thumbnail(pool, content)
        assert caught.value.kind is ErrorKind.REJECTED


async def test_images_and_videos_are_examined(pool: DecoderPool, tmp_path: Path) -> None:
    photo = files.jpeg(6)
    facts = await measured(pool, files.stored_file(photo, "image/jpeg"))
    assert (facts.width, facts.height, facts.size) == (40, 60, len(photo))
    facts = await measured(pool, files.stored_file(files.video(tmp_path), "video/mp4"))
    assert (facts.width, facts.height, facts.video_codec) == (64, 48, "h264")


async def test_metadata_are_removed_from_a_copy(pool: DecoderPool) -> None:
    file, room = files.stored_file(files.jpeg(), "image/jpeg"), files.room()
    clean, facts, changes = await pool.examine("workspace", file, room)
    assert clean.spool is room
    assert clean.size == facts.size == room.size < file.size
    assert not [secret for secret in files.SECRETS if secret in await clean.read()]
    assert [change.what for change in changes] == ["metadata_removed"]
    assert files.file_content(file) == files.jpeg()
    again, _, changes = await pool.examine("workspace", clean, files.room())
    assert (again, changes) == (clean, ())


@pytest.mark.parametrize(
    "content_type",
    ["image/jpeg", "image/png", "image/webp", "image/gif", "image/heic", "image/avif", "image/bmp", "image/tiff"],
)
async def test_every_type_of_image_is_converted(pool: DecoderPool, tmp_path: Path, content_type: str) -> None:
    kinds_of_change = {
        "image/jpeg": lambda: files.saved(files.photo(64, 48).convert("CMYK"), "JPEG"),
        "image/png": lambda: files.saved(files.photo(64, 48), "PNG", icc_profile=files.SRGB),
        "image/webp": lambda: files.saved(files.photo(64, 48), "WEBP"),
        "image/gif": lambda: files.saved(files.photo(64, 48), "GIF"),
        "image/heic": lambda: files.heic(tmp_path),
        "image/avif": lambda: files.saved(files.photo(64, 48), "AVIF"),
        "image/bmp": lambda: files.saved(files.photo(64, 48), "BMP"),
        "image/tiff": lambda: files.saved(files.photo(64, 48), "TIFF", compression="tiff_lzw"),
    }[content_type]()
    file = files.stored_file(kinds_of_change, content_type)
    facts = await measured(pool, file)
    assert (facts.content_type, facts.width, facts.height, facts.size) == (content_type, 64, 48, len(kinds_of_change))
    async with pool.converted("workspace", file, facts, ImageDemand(max_width=32)) as (new, new_facts, changes):
        assert (await new.read())[:3] == b"\xff\xd8\xff"
        assert await measured(pool, new) == new_facts
        assert (new_facts.content_type, new_facts.width, new_facts.height) == ("image/jpeg", 32, 24)
        assert {"scaled", "compressed"} <= {change.what for change in changes}


@pytest.mark.parametrize(
    ("kind", "codec", "content_type"),
    [
        ("mp4", "libx264", "video/mp4"),
        ("mp4", "libx265", "video/mp4"),
        ("mp4", "libsvtav1", "video/mp4"),
        ("mov", "libx264", "video/quicktime"),
        ("webm", "libvpx-vp9", "video/webm"),
        ("webm", "libvpx", "video/webm"),
        ("matroska", "libx264", "video/x-matroska"),
        ("avi", "mpeg4", "video/x-msvideo"),
    ],
)
async def test_every_type_of_video_is_measured(
    pool: DecoderPool, tmp_path: Path, kind: str, codec: str, content_type: str
) -> None:
    file = files.stored_file(files.video(tmp_path, kind=kind, codec=codec), content_type)
    _, facts, _ = await pool.examine("workspace", file, files.room())
    assert (facts.width, facts.height) == (64, 48)
    assert facts.duration == pytest.approx(1, abs=0.2)
    assert facts.audio_codec in {"aac", "opus"}


@pytest.mark.parametrize(
    ("content", "content_type", "code"),
    [
        (b"nonsense", "image/png", "media_invalid"),
        (b"nonsense", "image/heic", "media_invalid"),
        (b"nonsense", "video/mp4", "media_invalid"),
        (files.bomb(20_000, 20_000), "image/png", "media_too_large"),
    ],
)
async def test_unusable_files_are_refused(pool: DecoderPool, content: bytes, content_type: str, code: str) -> None:
    error = await refused(pool, files.stored_file(content, content_type))
    assert (error.kind, error.code) == (ErrorKind.REJECTED, code)


async def test_a_picture_that_no_jpeg_can_hold_is_refused(pool: DecoderPool) -> None:
    file = files.stored_file(files.saved(files.photo(), "PNG"), "image/png")
    facts = await measured(pool, file)
    with pytest.raises(PlatformError) as caught:
        async with pool.converted("workspace", file, facts, ImageDemand(max_bytes=10)):
            pass
    assert (caught.value.kind, caught.value.code) == (ErrorKind.REJECTED, "media_too_large")


async def test_a_picture_that_takes_too_much_memory_is_refused() -> None:
    pool = DecoderPool(memory=400 * 2**20)
    file = files.stored_file(files.bomb(10_000, 10_000), "image/png")
    with pytest.raises(PlatformError) as caught:
        async with pool.converted("workspace", file, MediaFacts("image/png", 1, 10, 10), ImageDemand(max_width=5)):
            pass
    assert (caught.value.kind, caught.value.code) == (ErrorKind.REJECTED, "media_too_large")
    await pool.close()


async def test_processes_end_with_the_pool() -> None:
    pool = DecoderPool()
    pool.start(VIDEOS)
    await measured(pool, files.stored_file(files.jpeg(), "image/jpeg"))
    servers = [decoders._server for decoders in pool._decoders.values()]
    assert all(server is not None and server.runs for server in servers)
    await pool.close()
    assert [server._process.returncode for server in servers if server is not None] == [0, 0]


async def test_a_server_that_ended_is_started_again(pool: DecoderPool) -> None:
    photo = files.stored_file(files.jpeg(), "image/jpeg")
    await measured(pool, photo)
    server = pool._decoders[IMAGES]._server
    assert server is not None
    server._process.kill()
    server._process.wait()
    assert (await measured(pool, photo)).width == 40


async def test_a_server_is_replaced_after_many_processes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A crash reveals something about the memory of all processes of a server; a job that runs then is not lost."""
    monkeypatch.setattr(module, "_MOST_PROCESSES", 4)
    go = tmp_path / "go"
    os.mkfifo(go)
    answer = "dict(facts=dict(content_type='', size=7, width=1, height=1, frames=1, duration=None, fps=None, "
    answer += "video_codec=None, audio_codec=None), removed=[])"
    # The pipe is opened before the process may open no more files.
    program = fitting(f"import os; os.read(7, 1)\nreturn dict(examined={answer})")
    program = program.replace("server.main(", f"import os; os.dup2(os.open({str(go)!r}, os.O_RDWR), 7)\nserver.main(")
    program = program.replace(
        "server.answer = answer", "server.answer = answer; server.os.closerange = lambda *_: None"
    )
    monkeypatch.setattr(module, "_START", program)
    pool, photo = DecoderPool(seconds=60), files.stored_file(files.jpeg(), "image/jpeg")
    first = asyncio.create_task(measured(pool, bitmap()))
    servers = []
    for _ in range(10):
        assert (await measured(pool, photo)).width == 40
        servers.append(pool._decoders[IMAGES]._server)
    assert len(set(servers)) >= 3
    assert not first.done()
    go.write_bytes(b"x")
    assert (await first).width == 1
    async with asyncio.timeout(60):
        while pool._decoders[IMAGES]._replaced:
            await measured(pool, photo)
    assert {server._process.returncode for server in servers[:1] if server} == {0}
    await pool.close()


@pytest.mark.parametrize("ends_early", [False, True])
async def test_without_a_server_it_is_tried_again_later(monkeypatch: pytest.MonkeyPatch, ends_early: bool) -> None:
    monkeypatch.setattr(module, "_START", "raise SystemExit(1)")
    start = module._Server.__init__

    def start_and_end(server: module._Server, kind: str) -> None:
        start(server, kind)
        server._process.wait(10)

    if ends_early:
        monkeypatch.setattr(module._Server, "__init__", start_and_end)
    pool = DecoderPool()
    error = await refused(pool, bitmap())
    assert (error.kind, error.code) == (ErrorKind.TRANSIENT, "decoder_unavailable")
    await pool.close()


async def test_a_cancelled_caller_leaves_nothing_open(pool: DecoderPool) -> None:
    await measured(pool, files.stored_file(files.jpeg(), "image/jpeg"))
    before = open_files()
    cancelled = False
    while not cancelled:
        # If a decoder responds before its response is awaited, there is nothing to cancel.
        file = files.stored_file(files.jpeg(), "image/jpeg")
        task = asyncio.create_task(pool.examine("workspace", file))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        cancelled = task.cancelled()
        file.spool.close()
    assert (await measured(pool, files.stored_file(files.jpeg(), "image/jpeg"))).width == 40
    while files.MADE:
        files.MADE.pop().close()
    await wait_for_open_files(before)


async def test_metadata_at_the_front_is_cut_out() -> None:
    with Spool() as spool:
        plain = files.saved(files.photo(), "PNG")
        text = b"GPS" * 1000
        spool.append(plain[:33] + len(text).to_bytes(4, "big") + b"tEXt" + text + bytes(4))
        for _ in range(20):
            spool.append((2**20).to_bytes(4, "big") + b"IDAT" + bytes(2**20 + 4))
        spool.append(plain[-12:])
        tracemalloc.start()
        try:
            room = files.room()
            assert strip(spool, "image/png", room) == ("text",)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert room.size == 33 + 20 * (2**20 + 12) + 12
        assert room.read_at(0, 33) == plain[:33]
        assert room.read_at(room.size - 12, 100) == plain[-12:]
        assert peak < 8 * 2**20
