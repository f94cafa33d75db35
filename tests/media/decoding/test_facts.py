import io
from pathlib import Path

import av
import pytest
from PIL import Image

from media.decoding import videos
from media.decoding.facts import MAX_PIXELS, MediaFacts, TooManyPixels, Undecodable
from media.decoding.headers import facts_by_headers
from media.decoding.images import image_facts
from media.decoding.videos import video_facts
from media.metadata.source import Damaged
from media.spool import Spool
from tests.media import files


def moving_webp() -> bytes:
    out = io.BytesIO()
    first, second = files.photo(), files.photo().rotate(90)
    first.save(out, "WEBP", save_all=True, append_images=[second], duration=[100, 300])
    return out.getvalue()


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        *((files.jpeg(turned), "image/jpeg") for turned in range(1, 9)),
        (files.jpeg(progressive=True), "image/jpeg"),
        (files.saved(files.photo(61, 7), "JPEG"), "image/jpeg"),
        *((files.png(turned), "image/png") for turned in (1, 6)),
        (files.saved(files.photo().quantize(), "PNG", transparency=0), "image/png"),
        (files.saved(files.photo(), "PNG"), "image/png"),
        *((files.webp(turned), "image/webp") for turned in (1, 8)),
        (files.saved(files.photo(61, 7), "WEBP", quality=50), "image/webp"),
        (files.saved(files.photo(61, 7), "WEBP", lossless=True), "image/webp"),
        (files.saved(files.photo().convert("RGBA"), "WEBP", lossless=True), "image/webp"),
        (moving_webp(), "image/webp"),
    ],
)
def test_headers_and_decoder_agree(content: bytes, content_type: str) -> None:
    spool = files.stored_file(content, content_type).spool
    from_headers, decoded = facts_by_headers(spool, content_type), image_facts(spool, content_type)
    assert from_headers is not None
    assert (from_headers.width, from_headers.height, from_headers.frames, from_headers.duration) == (
        decoded.width,
        decoded.height,
        decoded.frames,
        decoded.duration,
    )
    assert (from_headers.content_type, from_headers.size) == (content_type, len(content))


def test_other_types_need_a_decoder(tmp_path: Path) -> None:
    assert facts_by_headers(files.stored_file(files.gif(), "image/gif").spool, "image/gif") is None
    assert facts_by_headers(files.stored_file(files.video(tmp_path), "video/mp4").spool, "video/mp4") is None
    assert facts_by_headers(files.stored_file(b"\x89PNG\r\n\x1a\nnonsense", "image/png").spool, "image/png") is None


@pytest.mark.parametrize(("kind", "content_type"), [("JPEG", "image/jpeg"), ("PNG", "image/png")])
def test_truncated_files_are_refused_by_the_decoder(kind: str, content_type: str) -> None:
    content = files.saved(files.photo(600, 400), kind)
    spool = files.stored_file(content[: len(content) // 2], content_type).spool
    assert facts_by_headers(spool, content_type) is None
    with pytest.raises(Undecodable):
        image_facts(spool, content_type)


def test_gigantic_picture_is_refused_without_decoding() -> None:
    with pytest.raises(TooManyPixels):
        facts_by_headers(files.stored_file(files.bomb(20_000, 20_000), "image/png").spool, "image/png")


@pytest.mark.parametrize("length", [2, 3, 4, 20, 100])
def test_truncated_headers_are_damaged_or_left_to_the_decoder(length: int) -> None:
    spool = files.stored_file(files.jpeg()[:length], "image/jpeg").spool
    try:
        facts = facts_by_headers(spool, "image/jpeg")
    except Damaged:
        facts = None
    assert facts is None


class Counting(Spool):
    """A spool that counts the bytes read from it."""

    read = 0

    def read_at(self, start: int, length: int) -> bytes:
        data = super().read_at(start, length)
        self.read += len(data)
        return data


def test_a_large_picture_is_not_read_from_beginning_to_end() -> None:
    content = files.saved(Image.effect_noise((1500, 1500), 90).convert("RGB"), "JPEG", quality=95)
    with Counting() as spool:
        spool.append(content)
        facts = facts_by_headers(spool, "image/jpeg")
        assert spool.read < len(content) / 10
    assert facts is not None
    assert (facts.width, facts.height) == (1500, 1500)


def read_facts(content: bytes, content_type: str) -> MediaFacts:
    spool = files.stored_file(content, content_type).spool
    return (video_facts if content_type.startswith("video") else image_facts)(spool, content_type)


def refused(content: bytes, content_type: str) -> type[Exception]:
    with pytest.raises((Undecodable, TooManyPixels)) as caught:
        read_facts(content, content_type)
    return caught.type


@pytest.mark.parametrize(
    ("kind", "content_type"),
    [
        ("JPEG", "image/jpeg"),
        ("PNG", "image/png"),
        ("WEBP", "image/webp"),
        ("AVIF", "image/avif"),
        ("TIFF", "image/tiff"),
    ],
)
@pytest.mark.parametrize("turned", [1, 3, 6])
def test_images_are_measured_upright(kind: str, content_type: str, turned: int) -> None:
    content = files.saved(files.photo(60, 40), kind, exif=files.exif(turned))
    facts = read_facts(content, content_type)
    assert (facts.width, facts.height) == ((40, 60) if turned == 6 else (60, 40))
    assert (facts.content_type, facts.size, facts.frames) == (content_type, len(content), 1)
    assert (facts.duration, facts.fps, facts.video_codec) == (None, None, None)


@pytest.mark.parametrize(
    ("kind", "content_type"),
    [
        ("JPEG", "image/jpeg"),
        ("PNG", "image/png"),
        ("WEBP", "image/webp"),
        ("GIF", "image/gif"),
        ("AVIF", "image/avif"),
    ],
)
def test_an_image_that_is_cut_off_is_refused(kind: str, content_type: str) -> None:
    content = files.saved(files.photo(600, 400), kind)
    assert refused(content[: len(content) // 2], content_type) is Undecodable


@pytest.mark.parametrize(("kind", "content_type"), [("JPEG", "image/jpeg"), ("PNG", "image/png")])
def test_an_image_with_more_behind_it_is_whole(kind: str, content_type: str) -> None:
    content = files.saved(files.photo(600, 400), kind)
    facts = read_facts(content + b"a moving photo's video", content_type)
    assert (facts.width, facts.height) == (600, 400)


def test_heic_is_measured(tmp_path: Path) -> None:
    facts = read_facts(files.heic(tmp_path), "image/heic")
    assert (facts.width, facts.height) == (64, 48)
    assert facts.ratio == pytest.approx(4 / 3)


def test_heic_on_its_side_is_measured_as_it_is_seen(tmp_path: Path) -> None:
    facts = read_facts(files.heic(tmp_path, quarter_turns=3), "image/heic")
    assert (facts.width, facts.height) == (48, 64)


@pytest.mark.parametrize(("kind", "content_type"), [("GIF", "image/gif"), ("PNG", "image/png"), ("WEBP", "image/webp")])
def test_animations_are_timed(kind: str, content_type: str) -> None:
    first, *rest = [files.photo().rotate(90 * n) for n in range(3)]
    content = files.saved(first, kind, save_all=True, append_images=rest, duration=[100, 200, 300])
    facts = read_facts(content, content_type)
    assert facts.frames == 3
    assert facts.duration == pytest.approx(0.6)
    assert facts.fps == pytest.approx(5)


def test_a_gif_without_delays_is_timed_as_browsers_show_it() -> None:
    frames = [files.photo().rotate(90 * n) for n in range(3)]
    content = files.saved(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=0)
    assert read_facts(content, "image/gif").duration == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("kind", "content_type", "codec", "sound"),
    [
        ("mp4", "video/mp4", "libx264", "aac"),
        ("mov", "video/quicktime", "mpeg4", "aac"),
        ("webm", "video/webm", "libvpx-vp9", "opus"),
        ("matroska", "video/x-matroska", "libx265", "aac"),
        ("avi", "video/x-msvideo", "mpeg4", "aac"),
    ],
)
def test_videos_are_measured(tmp_path: Path, kind: str, content_type: str, codec: str, sound: str) -> None:
    content = files.video(tmp_path, 2, kind=kind, codec=codec)
    facts = read_facts(content, content_type)
    assert (facts.width, facts.height) == (64, 48)
    assert facts.duration == pytest.approx(2, abs=0.15)
    assert facts.fps == pytest.approx(10, abs=0.1)
    names = {"libx264": "h264", "libx265": "hevc", "libvpx-vp9": "vp9"}
    assert (facts.video_codec, facts.audio_codec) == (names.get(codec, codec), sound)


def test_a_video_on_its_side_is_measured_as_it_is_seen(tmp_path: Path) -> None:
    facts = read_facts(files.video(tmp_path, rotation=90, audio=False), "video/mp4")
    assert (facts.width, facts.height, facts.audio_codec) == (48, 64, None)


def test_a_recording_without_a_duration_is_timed_by_its_packets(tmp_path: Path) -> None:
    content = files.video(tmp_path, 2, kind="webm", codec="libvpx-vp9", audio=False, live="1")
    assert read_facts(content, "video/webm").duration == pytest.approx(2, abs=0.15)


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    with av.open(tmp_path / "a.mp4", "w") as out:
        out.add_stream("aac", rate=48000)
        out.start_encoding()
    assert refused((tmp_path / "a.mp4").read_bytes(), "video/mp4") is Undecodable


@pytest.mark.parametrize("side", [10_960, 15_000, 65_000])
def test_a_picture_that_would_fill_the_memory_is_refused(side: int) -> None:
    assert side * side > MAX_PIXELS
    assert refused(files.bomb(side, side), "image/png") is TooManyPixels


def test_a_video_that_would_fill_the_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(videos, "MAX_VIDEO_PIXELS", 64 * 48 - 1)
    assert refused(files.video(tmp_path), "video/mp4") is TooManyPixels


@pytest.mark.parametrize(
    "content_type",
    [
        "image/jpeg",
        "image/png",
        "image/gif",
        "image/webp",
        "image/heic",
        "image/avif",
        "image/bmp",
        "image/tiff",
        "video/mp4",
        "video/webm",
        "video/x-msvideo",
    ],
)
@pytest.mark.parametrize(
    "content",
    [
        b"\0" * 100,
        b"#EXTM3U\n#EXT-X-VERSION:3\n#EXTINF:1,\nhttp://127.0.0.1/secret\n",
        b"ffconcat version 1.0\nfile /etc/passwd\n",
    ],
    ids=["zeros", "playlist", "concat"],
)
def test_files_of_another_type_than_declared_are_refused(content: bytes, content_type: str) -> None:
    assert refused(content, content_type) is Undecodable


def test_a_cut_off_video_is_refused(tmp_path: Path) -> None:
    content = files.video(tmp_path)
    assert refused(content[: len(content) // 2], "video/mp4") is Undecodable


def test_a_decoder_other_than_the_sniffed_types_is_never_tried() -> None:
    assert refused(files.saved(Image.new("RGB", (8, 8)), "PNG"), "image/jpeg") is Undecodable
