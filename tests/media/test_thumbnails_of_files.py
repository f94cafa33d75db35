"""Small pictures of images and videos, made in the decoders' processes."""

import io
from pathlib import Path

import pytest
from PIL import Image

from media.decoder_pool import MAX_THUMBNAIL, DecoderPool
from media.sniff import sniff
from platforms.errors import ErrorKind, PlatformError
from tests.media import files


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
