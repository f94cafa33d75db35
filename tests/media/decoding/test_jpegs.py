import io
import random
from pathlib import Path

import pytest
from PIL import Image, ImageCms, ImageOps

from media.decoding.facts import Conversion, ImageDemand, TooManyBytes, Undecodable
from media.decoding.images import QUALITIES, to_jpeg
from tests.media import files

JPEG_ONLY = ImageDemand()


def result(content: bytes, content_type: str, demand: ImageDemand) -> tuple[Image.Image, Conversion]:
    out = files.stored_file(b"", "image/jpeg").spool
    conversion = to_jpeg(files.stored_file(content, content_type).spool, content_type, demand, out)
    data = out.read_at(0, out.size)
    assert not [secret for secret in files.SECRETS if secret in data]
    image = Image.open(io.BytesIO(data))
    assert image.format == "JPEG"
    assert image.size == (conversion.width, conversion.height)
    image.load()
    return image, conversion


def close(image: Image.Image, at: tuple[int, int], colour: tuple[int, int, int], within: int = 12) -> bool:
    pixel = image.convert("RGB").getpixel(at)
    assert isinstance(pixel, tuple)
    return all(abs(a - b) <= within for a, b in zip(pixel, colour, strict=True))


def test_sides_are_limited_as_the_picture_is_seen() -> None:
    image, _ = result(files.jpeg(6), "image/jpeg", ImageDemand(max_width=39))
    assert image.size == (39, 58)
    assert image.getexif().get(0x0112) is None


@pytest.mark.parametrize(
    ("kind", "content_type"),
    [
        ("PNG", "image/png"),
        ("WEBP", "image/webp"),
        ("AVIF", "image/avif"),
        ("BMP", "image/bmp"),
        ("TIFF", "image/tiff"),
    ],
)
def test_other_types_become_jpeg(kind: str, content_type: str) -> None:
    picture = Image.new("RGB", (64, 48), (200, 30, 60))
    image, _ = result(files.saved(picture, kind), content_type, JPEG_ONLY)
    assert (image.size, image.mode) == ((64, 48), "RGB")
    assert close(image, (10, 10), (200, 30, 60))


def test_heic_becomes_jpeg(tmp_path: Path) -> None:
    image, _ = result(files.heic(tmp_path), "image/heic", JPEG_ONLY)
    expected = files.photo(64, 48)
    assert image.size == (64, 48)
    for at in ((5, 5), (58, 5), (5, 42), (58, 42)):
        colour = expected.getpixel(at)
        assert isinstance(colour, tuple)
        assert close(image, at, (int(colour[0]), int(colour[1]), int(colour[2])), within=40)


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_a_turned_picture_is_set_upright(kind: str) -> None:
    picture = Image.new("RGB", (64, 48), "blue")
    picture.paste((255, 0, 0), (0, 0, 16, 48))
    image, _ = result(files.saved(picture, kind, exif=files.exif(6)), f"image/{kind.lower()}", JPEG_ONLY)
    assert image.size == (48, 64)
    assert close(image, (24, 4), (255, 0, 0), within=40)
    assert close(image, (24, 60), (0, 0, 255), within=40)


def test_transparency_becomes_white() -> None:
    clear = Image.new("RGBA", (64, 48), (0, 0, 0, 0))
    half = Image.new("RGBA", (64, 48), (255, 0, 0, 128))
    palette = Image.new("RGB", (64, 48), "green").quantize(2)
    for picture, options, colour in (
        (clear, {}, (255, 255, 255)),
        (half, {}, (255, 127, 127)),
        (palette, {"transparency": 0}, (255, 255, 255)),
        (Image.new("LA", (64, 48), (0, 0)), {}, (255, 255, 255)),
    ):
        image, _ = result(files.saved(picture, "PNG", **options), "image/png", JPEG_ONLY)
        assert close(image, (10, 10), colour)


def test_deep_grey_and_cmyk_pictures_keep_their_appearance() -> None:
    deep = Image.new("I;16", (64, 48), 40_000)
    image, _ = result(files.saved(deep, "PNG"), "image/png", JPEG_ONLY)
    assert close(image, (10, 10), (156, 156, 156))
    grey = files.saved(Image.new("L", (64, 48), 100), "PNG")
    image, _ = result(grey, "image/png", JPEG_ONLY)
    assert close(image, (10, 10), (100, 100, 100))
    printed = files.saved(Image.new("CMYK", (64, 48), (0, 255, 255, 0)), "JPEG")
    image, _ = result(printed, "image/jpeg", ImageDemand(max_width=32))
    assert close(image, (10, 10), (255, 0, 0), within=30)


def test_other_colour_spaces_are_turned_into_srgb() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    wrong = files.saved(Image.new("RGB", (64, 48), (10, 200, 30)), "PNG", icc_profile=profile)
    image, _ = result(wrong, "image/png", JPEG_ONLY)
    assert close(image, (10, 10), (10, 200, 30))
    broken = files.saved(Image.new("RGB", (64, 48), (10, 200, 30)), "PNG", icc_profile=b"nonsense")
    image, _ = result(broken, "image/png", JPEG_ONLY)
    assert close(image, (10, 10), (10, 200, 30))
    same = files.saved(Image.new("RGB", (64, 48), (10, 200, 30)), "PNG", icc_profile=files.SRGB)
    image, _ = result(same, "image/png", JPEG_ONLY)
    assert close(image, (10, 10), (10, 200, 30))
    assert "icc_profile" not in image.info


def test_of_an_animation_the_first_picture_is_kept() -> None:
    image, _ = result(files.gif(3), "image/gif", JPEG_ONLY)
    assert image.size == (60, 40)


def noise(side: int) -> bytes:
    return files.saved(Image.frombytes("RGB", (side, side), random.Random(1).randbytes(side * side * 3)), "PNG")


def test_bytes_are_limited_by_quality_and_then_by_size() -> None:
    content = noise(256)
    best, conversion = result(content, "image/png", JPEG_ONLY)
    assert conversion.quality == QUALITIES[0]
    image, conversion = result(content, "image/png", ImageDemand(max_bytes=40_000))
    assert image.size == best.size == (256, 256)
    assert QUALITIES[-1] <= conversion.quality < QUALITIES[0]
    image, conversion = result(content, "image/png", ImageDemand(max_bytes=15_000))
    assert image.size < (256, 256)
    out = files.stored_file(b"", "image/jpeg").spool
    to_jpeg(files.stored_file(content, "image/png").spool, "image/png", ImageDemand(max_bytes=15_000), out)
    assert 0 < out.size <= 15_000


def test_pictures_that_cannot_shrink_enough_are_refused() -> None:
    with pytest.raises(TooManyBytes, match="200"):
        result(noise(128), "image/png", ImageDemand(max_bytes=200))


def test_a_cut_off_picture_is_refused() -> None:
    content = noise(128)
    with pytest.raises(Undecodable):
        result(content[:20_000], "image/png", JPEG_ONLY)


@pytest.mark.parametrize("turned", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_every_orientation_is_set_upright(turned: int, kind: str) -> None:
    content = files.saved(files.photo(), kind, exif=files.exif(turned))
    with Image.open(io.BytesIO(content)) as source:
        expected = ImageOps.exif_transpose(source)
    image, _ = result(content, f"image/{kind.lower()}", ImageDemand(content_types=("image/webp",)))
    assert image.size == expected.size
    for at in ((4, 4), (image.width - 5, 4), (4, image.height - 5)):
        colour = expected.getpixel(at)
        assert isinstance(colour, tuple)
        assert close(image, at, (int(colour[0]), int(colour[1]), int(colour[2])))
