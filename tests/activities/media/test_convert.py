import io
import random
from pathlib import Path

import pytest
from PIL import Image, ImageCms

from activities.media.changes import Change
from activities.media.convert import ImageDemand, fitted
from platforms.errors import Kind, NetworkError
from tests.activities.media import files

JPEG_ONLY = ImageDemand()


async def result(content: bytes, content_type: str, demand: ImageDemand) -> tuple[Image.Image, tuple[Change, ...]]:
    async with fitted(files.file_of(content, content_type), demand) as (file, changes):
        data = await file.read()
        assert file.content_type == "image/jpeg"
        assert file.size == len(data)
        image = Image.open(io.BytesIO(data))
        assert image.format == "JPEG"
        assert not [secret for secret in files.SECRETS if secret in data]
        image.load()
        return image, changes


def close(image: Image.Image, at: tuple[int, int], colour: tuple[int, int, int], within: int = 12) -> bool:
    found = image.convert("RGB").getpixel(at)
    assert isinstance(found, tuple)
    return all(abs(a - b) <= within for a, b in zip(found, colour, strict=True))


async def test_what_meets_the_demand_is_not_touched() -> None:
    content = files.jpeg()
    file = files.file_of(content, "image/jpeg")
    demand = ImageDemand(max_bytes=len(content), max_width=40, max_height=60)
    async with fitted(file, demand) as (same, changes):
        assert same is file
        assert changes == ()


async def test_sides_are_limited_as_the_picture_is_seen() -> None:
    image, changes = await result(files.jpeg(6), "image/jpeg", ImageDemand(max_width=39))
    assert image.size == (39, 58)
    assert image.getexif().get(0x0112) is None
    assert [change.what for change in changes] == ["scaled", "recompressed"]
    assert changes[0].detail == "Scaled from 40 x 60 to 39 x 58"


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
async def test_other_types_become_jpeg(kind: str, content_type: str) -> None:
    picture = Image.new("RGB", (64, 48), (200, 30, 60))
    image, changes = await result(files.saved(picture, kind), content_type, JPEG_ONLY)
    assert (image.size, image.mode) == ((64, 48), "RGB")
    assert close(image, (10, 10), (200, 30, 60))
    assert changes == (Change("converted", f"Converted from {content_type} to image/jpeg"),)


async def test_heic_becomes_jpeg(tmp_path: Path) -> None:
    image, changes = await result(files.heic(tmp_path), "image/heic", JPEG_ONLY)
    expected = files.photo(64, 48)
    assert image.size == (64, 48)
    for at in ((5, 5), (58, 5), (5, 42), (58, 42)):
        colour = expected.getpixel(at)
        assert isinstance(colour, tuple)
        assert close(image, at, (int(colour[0]), int(colour[1]), int(colour[2])), within=40)
    assert changes[0].what == "converted"


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
async def test_a_turned_picture_is_set_upright(kind: str) -> None:
    picture = Image.new("RGB", (64, 48), "blue")
    picture.paste((255, 0, 0), (0, 0, 16, 48))
    image, _ = await result(files.saved(picture, kind, exif=files.exif(6)), f"image/{kind.lower()}", JPEG_ONLY)
    assert image.size == (48, 64)
    assert close(image, (24, 4), (255, 0, 0), within=40)
    assert close(image, (24, 60), (0, 0, 255), within=40)


async def test_white_shines_through() -> None:
    clear = Image.new("RGBA", (64, 48), (0, 0, 0, 0))
    half = Image.new("RGBA", (64, 48), (255, 0, 0, 128))
    palette = Image.new("RGB", (64, 48), "green").quantize(2)
    for picture, options, colour in (
        (clear, {}, (255, 255, 255)),
        (half, {}, (255, 127, 127)),
        (palette, {"transparency": 0}, (255, 255, 255)),
        (Image.new("LA", (64, 48), (0, 0)), {}, (255, 255, 255)),
    ):
        image, _ = await result(files.saved(picture, "PNG", **options), "image/png", JPEG_ONLY)
        assert close(image, (10, 10), colour)


async def test_deep_and_grey_and_printed_pictures_keep_their_looks() -> None:
    deep = Image.new("I;16", (64, 48), 40_000)
    image, _ = await result(files.saved(deep, "PNG"), "image/png", JPEG_ONLY)
    assert close(image, (10, 10), (156, 156, 156))
    grey = files.saved(Image.new("L", (64, 48), 100), "PNG")
    image, _ = await result(grey, "image/png", JPEG_ONLY)
    assert close(image, (10, 10), (100, 100, 100))
    printed = files.saved(Image.new("CMYK", (64, 48), (0, 255, 255, 0)), "JPEG")
    image, changes = await result(printed, "image/jpeg", ImageDemand(max_width=32))
    assert close(image, (10, 10), (255, 0, 0), within=30)
    assert changes[0].what == "scaled"


async def test_other_colour_spaces_are_turned_into_srgb() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    wrong = files.saved(Image.new("RGB", (64, 48), (10, 200, 30)), "PNG", icc_profile=profile)
    image, _ = await result(wrong, "image/png", JPEG_ONLY)
    assert close(image, (10, 10), (10, 200, 30))
    broken = files.saved(Image.new("RGB", (64, 48), (10, 200, 30)), "PNG", icc_profile=b"nonsense")
    image, _ = await result(broken, "image/png", JPEG_ONLY)
    assert close(image, (10, 10), (10, 200, 30))
    same = files.saved(Image.new("RGB", (64, 48), (10, 200, 30)), "PNG", icc_profile=files.SRGB)
    image, _ = await result(same, "image/png", JPEG_ONLY)
    assert close(image, (10, 10), (10, 200, 30))
    assert "icc_profile" not in image.info


async def test_of_an_animation_the_first_picture_is_kept_and_that_is_told() -> None:
    image, changes = await result(files.gif(3), "image/gif", JPEG_ONLY)
    assert image.size == (60, 40)
    assert [change.detail for change in changes] == [
        "Converted from image/gif to image/jpeg",
        "Kept the first of 3 pictures",
    ]


def noise(side: int) -> bytes:
    return files.saved(Image.frombytes("RGB", (side, side), random.Random(1).randbytes(side * side * 3)), "PNG")


async def test_bytes_are_limited_by_quality_and_then_by_size() -> None:
    content = noise(256)
    best, _ = await result(content, "image/png", JPEG_ONLY)
    first, changes = await result(content, "image/png", ImageDemand(max_bytes=40_000))
    assert first.size == best.size == (256, 256)
    assert [change.what for change in changes] == ["converted", "recompressed"]
    second, changes = await result(content, "image/png", ImageDemand(max_bytes=15_000))
    assert second.size < (256, 256)
    assert [change.what for change in changes] == ["converted", "scaled", "recompressed"]
    async with fitted(files.file_of(content, "image/png"), ImageDemand(max_bytes=15_000)) as (file, _):
        assert file.size <= 15_000


async def test_what_cannot_be_made_small_enough_is_refused() -> None:
    with pytest.raises(NetworkError) as caught:
        await result(noise(128), "image/png", ImageDemand(max_bytes=200))
    assert (caught.value.kind, caught.value.code) == (Kind.REJECTED, "media_too_large")


async def test_a_cut_off_picture_is_refused() -> None:
    content = noise(128)
    with pytest.raises(NetworkError) as caught:
        await result(content[:20_000], "image/png", JPEG_ONLY)
    assert (caught.value.kind, caught.value.code) == (Kind.REJECTED, "media_damaged")
