import io

import av
import pytest
from PIL import Image

from sandbox import media
from sandbox.fetching import probe
from tests.sandbox.conftest import Sandbox


@pytest.mark.parametrize(
    ("extension", "kind", "smallest"), [("jpg", "JPEG", 1080), ("png", "PNG", 1080), ("gif", "GIF", 100)]
)
async def test_sample_images_are_valid(shared: Sandbox, extension: str, kind: str, smallest: int) -> None:
    answer = await shared.control.get(f"/_/media/holiday-2.{extension}")
    assert answer.headers["content-type"] == media.CONTENT_TYPES[extension]
    image = Image.open(io.BytesIO(answer.content))
    image.load()
    assert image.format == kind
    assert min(image.size) >= smallest
    assert getattr(image, "n_frames", 1) == (10 if kind == "GIF" else 1)
    file_format = probe(answer.content)
    assert file_format is not None
    assert (file_format.content_type, file_format.width, file_format.height) == (
        media.CONTENT_TYPES[extension],
        *image.size,
    )


async def test_sample_documents_are_pdfs_that_differ_by_name(shared: Sandbox) -> None:
    first, second = [await shared.control.get(f"/_/media/{name}.pdf") for name in ("plan", "report")]
    assert first.headers["content-type"] == "application/pdf"
    assert first.content.startswith(b"%PDF-")
    assert first.content != second.content


async def test_sample_videos_are_valid(shared: Sandbox) -> None:
    answer = await shared.control.get("/_/media/film.mp4")
    assert answer.headers["content-type"] == "video/mp4"
    with av.open(io.BytesIO(answer.content), "r") as container:
        stream = container.streams.video[0]
        frames = sum(1 for _ in container.decode(stream))
        assert stream.codec_context.name in ("h264", "mpeg4")
        assert stream.codec_context.height >= stream.codec_context.width >= 360
        assert frames / float(stream.average_rate or 0) >= 3
    assert answer.content.index(b"moov") < answer.content.index(b"mdat")
    file_format = probe(answer.content)
    assert file_format is not None
    assert file_format.seconds == 4
    assert len(answer.content) < 500_000


@pytest.mark.parametrize("extension", list(media.CONTENT_TYPES))
def test_samples_differ_by_name_and_stay_the_same(extension: str) -> None:
    assert media.sample("one", extension) != media.sample("two", extension)
    first = media.sample("one", extension)
    assert media.origin(first) == f"/_/media/one.{extension}"


async def test_other_samples_do_not_exist(shared: Sandbox) -> None:
    for name in ("a.exe", "a", ".jpg"):
        assert (await shared.control.get(f"/_/media/{name}")).status_code == 404, name


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://example.com/photo.jpg", ("photo", "jpg")),
        ("https://cdn.example.com/a/b/clip.MP4?x=1.png", ("clip", "mp4")),
        ("http://EXAMPLE.org/picture.jpeg", ("picture", "jpg")),
        ("https://a.b.example.net/thing.webp", ("thing.webp", "jpg")),
        ("https://example.com/", ("sample", "jpg")),
        ("https://example.com/with%20space.png", ("with space", "png")),
        ("https://notexample.com/photo.jpg", None),
        ("https://example.com.evil.org/photo.jpg", None),
        ("ftp://example.com/photo.jpg", None),
        ("photo.jpg", None),
    ],
)
def test_reserved_addresses_stand_for_samples(url: str, expected: tuple[str, str] | None) -> None:
    sample = media.resolve(url)
    assert (tuple(sample) if sample else None) == expected


@pytest.mark.parametrize("content", [b"", b"\xff\xd8\xff", b"<html>", b"GIF8", b"\x89PNG", b"\x00" * 40])
def test_probing_survives_invalid_files(content: bytes) -> None:
    file_format = probe(content)
    assert file_format is None or (file_format.width, file_format.height) == (0, 0)
