import contextlib
import functools
import io
import struct
import tempfile
from collections.abc import Callable
from pathlib import Path

import av
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from media.decoding import work as module
from media.decoding.work import strip
from media.metadata.source import Damaged
from tests.media import files


def seen(content: bytes) -> list[tuple[bytes, object]]:
    """Return every picture's pixels and time, as stored."""
    with Image.open(io.BytesIO(content)) as image:
        frames = []
        for number in range(getattr(image, "n_frames", 1)):
            image.seek(number)
            frames.append((image.convert("RGBA").tobytes(), image.info.get("duration")))
        return frames


def packets(content: bytes) -> list[tuple[int | None, bytes]]:
    with av.open(io.BytesIO(content), "r") as container:
        streams = [stream for stream in container.streams if stream.type in {"video", "audio"}]
        return [(packet.pts, bytes(packet)) for packet in container.demux(streams) if packet.size]


def stripped(content: bytes, content_type: str) -> tuple[bytes, str]:
    room, again = files.room(), files.room()
    removed = strip(files.stored_file(content, content_type).spool, content_type, room)
    after = room.read_at(0, len(content) + 1)
    assert removed
    assert len(after) == room.size
    assert not [secret for secret in files.SECRETS if secret in after]
    assert strip(room, content_type, again) == ()
    assert again.size == 0
    return after, ", ".join(removed)


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("turned", [1, 3, 6, 8])
def test_jpeg(turned: int, progressive: bool) -> None:
    before = files.jpeg(turned, progressive=progressive)
    after, removed = stripped(before, "image/jpeg")
    assert seen(after) == seen(before)
    with Image.open(io.BytesIO(after)) as image:
        assert dict(image.getexif()) == ({0x0112: turned} if turned != 1 else {})
        assert image.info["icc_profile"] == files.SRGB
    assert removed == "EXIF, IPTC, XMP, appended data, application data, comment"


def test_jpeg_in_cmyk_keeps_what_its_colours_need() -> None:
    before = files.saved(files.photo().convert("CMYK"), "JPEG", comment=b"GPS")
    after, _ = stripped(before, "image/jpeg")
    assert b"Adobe" in after
    assert seen(after) == seen(before)


def test_jpeg_of_two_pictures_keeps_the_first() -> None:
    pair = files.saved(files.photo(), "MPO", save_all=True, append_images=[files.photo(32, 32)], exif=files.exif(1))
    assert pair.count(b"\xff\xd8\xff") == 2
    after, _ = stripped(pair, "image/jpeg")
    assert seen(after) == seen(pair)[:1]


def test_a_jpeg_with_a_damaged_scan_keeps_what_viewers_still_show() -> None:
    whole = files.saved(files.photo(320, 240), "JPEG", exif=files.exif(1), restart_marker_rows=1)
    at = whole.index(b"\xff\xd1", whole.index(b"\xff\xda")) + 8
    before = whole[:at] + b"\xff\x9f\0\4" + whole[at + 4 :]
    after, removed = stripped(before, "image/jpeg")
    assert removed == "EXIF"
    assert seen(after) == seen(before)


def test_jpeg_thumbnail_goes() -> None:
    plain = files.saved(files.photo(), "JPEG")
    assert plain[2:4] == b"\xff\xe0"
    thumbnail = b"JFIF\0\1\1\0\0\1\0\1\2\2" + b"GPS" * 4
    before = plain[:2] + b"\xff\xe0" + (len(thumbnail) + 2).to_bytes(2, "big") + thumbnail + plain[20:]
    after, removed = stripped(before, "image/jpeg")
    assert after == plain[:7] + plain[7:13] + after[13:18] + plain[18:]
    assert seen(after) == seen(plain)
    assert removed == "thumbnail"


@pytest.mark.parametrize("turned", [1, 6])
def test_png(turned: int) -> None:
    before = files.png(turned)
    after, removed = stripped(before, "image/png")
    assert seen(after) == seen(before)
    with Image.open(io.BytesIO(after)) as image:
        image.load()
        assert dict(image.getexif()) == ({0x0112: turned} if turned != 1 else {})
        assert image.info["icc_profile"] == files.SRGB
        assert set(image.info) <= {"icc_profile", "dpi", "exif"}
    assert "EXIF" in removed
    assert "text" in removed


def test_animated_png_stays_animated() -> None:
    frames = [files.photo().rotate(90 * n) for n in range(3)]
    before = files.saved(frames[0], "PNG", save_all=True, append_images=frames[1:], duration=100, exif=files.exif(1))
    after, _ = stripped(before, "image/png")
    assert len(seen(after)) == 3
    assert seen(after) == seen(before)


@pytest.mark.parametrize("turned", [1, 6])
def test_webp(turned: int) -> None:
    before = files.webp(turned)
    after, removed = stripped(before, "image/webp")
    assert seen(after) == seen(before)
    assert int.from_bytes(after[4:8], "little") == len(after) - 8
    with Image.open(io.BytesIO(after)) as image:
        assert dict(image.getexif()) == ({0x0112: turned} if turned != 1 else {})
        assert image.info["icc_profile"] == files.SRGB
        assert "xmp" not in image.info
    assert removed == "EXIF, XMP, appended data"


def test_gif() -> None:
    before = files.gif()
    after, removed = stripped(before, "image/gif")
    assert len(seen(after)) == 3
    assert seen(after) == seen(before)
    with Image.open(io.BytesIO(after)) as image:
        assert image.info["loop"] == 0
    assert removed == "XMP, appended data, comment"


def test_heic(tmp_path: Path) -> None:
    before = files.heic(tmp_path)
    after, removed = stripped(before, "image/heic")
    assert len(after) == len(before)
    assert seen(after) == seen(before)
    with Image.open(io.BytesIO(after)) as image:
        assert image.size == (64, 48)
        assert set(image.getexif()) <= {0x0112}
    assert removed == "EXIF, XMP, private box"


def test_avif() -> None:
    before = files.saved(files.photo(), "AVIF", exif=files.exif(1), xmp=files.XMP)
    after, removed = stripped(before, "image/avif")
    assert seen(after) == seen(before)
    assert removed == "EXIF, XMP"


@pytest.mark.parametrize(
    ("handler", "name"), [(b"meta", b"GoPro MET"), (b"camm", b""), (b"text", b"x"), (b"sbtl", b"DJI.Subtitle")]
)
def test_mp4(tmp_path: Path, handler: bytes, name: bytes) -> None:
    before = files.phone_video(tmp_path, handler, name)
    after, removed = stripped(before, "video/mp4")
    assert len(after) == len(before)
    assert packets(after) == packets(before)
    assert len(packets(after)) > 20
    with av.open(io.BytesIO(after)) as container:
        assert {stream.type for stream in container.streams} == {"video", "audio"}
        assert not {"location", "make", "com.apple.quicktime.location.ISO6709"} & set(container.metadata)
        assert "creation_time" not in container.metadata
    assert removed == "creation time, metadata, position or metadata track, private box, unused space, user data"


def test_mov_with_key_list_and_the_header_in_front(tmp_path: Path) -> None:
    before = files.video(tmp_path, kind="mov", movflags="use_metadata_tags+faststart")
    assert before.index(b"moov") < before.index(b"mdat")
    assert files.PLACE.encode() in before
    after, _ = stripped(before, "video/quicktime")
    assert packets(after) == packets(before)


def test_fragmented_mp4(tmp_path: Path) -> None:
    plain = files.video(tmp_path, movflags="frag_keyframe+empty_moov+default_base_moof", write_prft="wallclock")
    assert b"prft" in plain
    about = files.box(b"udta", b"GPS")
    before, at = b"", 0
    while at < len(plain):
        end = at + int.from_bytes(plain[at : at + 4], "big")
        part = plain[at:end]
        if part[4:8] == b"moof":
            # A fragment's data begin at the offset in its trun, counted from the fragment's start.
            part = files.box(b"moof", part[8:], about)
            run = part.index(b"trun")
            while run > 0:
                where = run + 12
                part = (
                    part[:where]
                    + struct.pack(">i", struct.unpack_from(">i", part, where)[0] + len(about))
                    + part[where + 4 :]
                )
                run = part.find(b"trun", run + 4)
        before += part
        at = end
    assert packets(before) == packets(plain)
    after, removed = stripped(before, "video/mp4")
    assert packets(after) == packets(before)
    assert b"prft" not in after
    assert removed == "creation time, user data"


def test_subtitles_and_the_mark_of_spherical_videos_stay() -> None:
    sphere = files.box(b"uuid", bytes.fromhex("ffcc8263f8554a938814587a02521fdd"), b"<rdf/>")
    track = files._position_track(0, [0], b"sbtl", b"English")
    track = files.box(b"trak", track[8:], sphere)
    before = files.box(b"moov", track, files.box(b"udta", b"GPS"))
    after, _ = stripped(before, "video/mp4")
    assert after.startswith(before[: 8 + len(track)])


@pytest.mark.parametrize("live", [False, True])
def test_webm(tmp_path: Path, live: bool) -> None:
    before = files.video(tmp_path, kind="webm", codec="libvpx-vp9", live="1" if live else "0")
    assert files.PLACE.encode() in before
    after, removed = stripped(before, "video/webm")
    assert len(after) == len(before)
    assert packets(after) == packets(before)
    with av.open(io.BytesIO(after)) as container:
        assert not {"location", "make", "title", "creation_time"} & {name.lower() for name in container.metadata}
    assert removed == "tags, title and date"


def test_matroska_with_attachments_and_checksums(tmp_path: Path) -> None:
    before = files.video(tmp_path, kind="matroska", write_crc32="1")
    after, removed = stripped(before, "video/x-matroska")
    assert len(after) == len(before)
    # The cover is a packet without a time.
    assert packets(after) == [packet for packet in packets(before) if packet[0] is not None]
    with av.open(io.BytesIO(after), options={"err_detect": "crccheck+explode"}) as container:
        assert {stream.type for stream in container.streams} == {"video", "audio"}
        assert "creation_time" not in container.metadata
    assert removed == "attachments, tags, title and date"


def test_stray_bytes_between_segments_are_removed(tmp_path: Path) -> None:
    photo = files.saved(files.photo(), "JPEG", comment=b"GPS")
    after, removed = stripped(photo[:20] + b"GPS\xff" + photo[20:], "image/jpeg")
    assert seen(after) == seen(photo)
    assert removed == "comment, stray bytes"
    after, _ = stripped(photo[:20] + b"\xff\0GPS\xff\xf0\0\5GPS" + photo[20:], "image/jpeg")
    assert seen(after) == seen(photo)
    moving = files.gif()
    after, _ = stripped(moving.removesuffix(b";GPS") + b"\0\0;", "image/gif")
    assert len(seen(after)) == 3
    recording = files.video(tmp_path, kind="webm", codec="libvpx-vp9")
    after, _ = stripped(recording + bytes(100), "video/webm")
    assert packets(after) == packets(recording)


def test_a_clean_file_is_not_copied() -> None:
    for content, kind in (
        (files.saved(files.photo(), "JPEG"), "image/jpeg"),
        (files.saved(files.photo(), "BMP"), "image/bmp"),
    ):
        file, room = files.stored_file(content, kind), files.room()
        assert strip(file.spool, kind, room) == ()
        assert room.size == 0
        assert files.file_content(file) == content


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        (b"\xff\xd8\xff\xe0\xff\xff", "image/jpeg"),
        (b"\xff\xd8\xff\xe1\0\0", "image/jpeg"),
        (b"\xff\xd8\xff\0\xff\xff", "image/jpeg"),
        (b"\xff\xd8\0\0\0\0", "image/jpeg"),
        (b"\x89PNG\r\n\x1a\n\0\0", "image/png"),
        (b"RIFF", "image/webp"),
        (b"GIF89a", "image/gif"),
        (b"GIF89a" + bytes(7) + b"\x21\xfe\x05ab", "image/gif"),
        (b"GIF89a" + bytes(7) + b"\x99", "image/gif"),
        (files.box(b"moov", b"\0\0\0\3udta"), "video/mp4"),
        (files.box(b"moov", files.box(b"cmov")), "video/mp4"),
        (
            files.box(b"moov", files.box(b"trak", files.box(b"mdia", files.full(b"hdlr", bytes(5 * 2**20))))),
            "video/mp4",
        ),
        (files.full(b"meta", files.full(b"iloc", b"\x44\0\xff\xff")), "image/heic"),
        (b"\x1a\x45\xdf\xa3", "video/webm"),
        (b"\x1a\x45\xdf\xa3\0", "video/webm"),
        (b"\x1a\x45\xdf\xa3\x80\x12\x54\xc3\x67\xff", "video/webm"),
    ],
)
def test_damaged_files_are_refused(content: bytes, content_type: str) -> None:
    with pytest.raises(Damaged):
        strip(files.stored_file(content, content_type).spool, content_type, files.room())


def test_contradicting_sample_tables_are_refused() -> None:
    runs = files.full(b"stsc", struct.pack(">IIIIIII", 2, 3, 1, 1, 1, 1, 1))
    stbl = files.box(b"stbl", runs, files.full(b"stco", struct.pack(">II", 1, 0)))
    hdlr = files.full(b"hdlr", bytes(4), b"meta", bytes(12))
    content = files.box(b"moov", files.box(b"trak", files.box(b"mdia", hdlr, files.box(b"minf", stbl))))
    with pytest.raises(Damaged):
        strip(files.stored_file(content, "video/mp4").spool, "video/mp4", files.room())


def test_endless_structures_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_PATCHES", 100)
    content = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\0tEXt\0\0\0\0" * 101
    with pytest.raises(Damaged):
        strip(files.stored_file(content, "image/png").spool, "image/png", files.room())


@functools.cache
def whole(content_type: str) -> bytes:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        makers: dict[str, Callable[[], bytes]] = {
            "image/jpeg": files.jpeg,
            "image/png": files.png,
            "image/webp": files.webp,
            "image/gif": files.gif,
            "image/heic": lambda: files.heic(folder),
            "video/mp4": lambda: files.phone_video(folder),
            "video/webm": lambda: files.video(folder, kind="webm", codec="libvpx-vp9"),
            "video/x-matroska": lambda: files.video(folder, kind="matroska"),
        }
        return makers[content_type]()


KINDS = [
    "image/jpeg",
    "image/png",
    "image/webp",
    "image/gif",
    "image/heic",
    "video/mp4",
    "video/webm",
    "video/x-matroska",
]


@given(st.sampled_from(KINDS), st.integers(0, 8000), st.binary(max_size=8))
@settings(deadline=None)
def test_broken_files_are_refused(content_type: str, at: int, noise: bytes) -> None:
    plain = whole(content_type)
    at %= len(plain)
    content = plain[:at] + noise + plain[at + len(noise) :]
    with files.stored_file(content, content_type).spool as spool, files.room() as room, contextlib.suppress(Damaged):
        strip(spool, content_type, room)
        assert room.size <= len(content)
