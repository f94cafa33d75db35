from pathlib import Path

import av
import pytest
from PIL import Image

from media.decoding import videos
from media.decoding.facts import MAX_PIXELS, MediaFacts, TooManyPixels, Undecodable
from media.decoding.images import image_facts
from media.decoding.videos import video_facts
from tests.media import files


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
