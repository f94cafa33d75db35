"""Open images with Pillow without being hurt by them, and convert them to JPEGs that fit a platform's limits."""

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from pi_heif import register_heif_opener  # type: ignore[import-untyped]  # the package ships no types
from PIL import Image, ImageCms

from domain.printable import error_words
from media.decoding.facts import (
    MAX_PIXELS,
    Conversion,
    ImageDemand,
    MediaFacts,
    TooManyBytes,
    TooManyPixels,
    Undecodable,
)
from media.decoding.headers import picture_facts
from media.metadata.animation import has_end, timing
from media.metadata.exif import PREFIX, UPRIGHT, orientation
from media.metadata.source import Damaged, Source
from media.spool import Spool

FORMATS = {
    "image/jpeg": "JPEG",
    "image/png": "PNG",
    "image/gif": "GIF",
    "image/webp": "WEBP",
    "image/avif": "AVIF",
    "image/heic": "HEIF",
    "image/bmp": "BMP",
    "image/tiff": "TIFF",
}
"""Pillow's name of each type. Only the decoder of the sniffed type is ever tried: fewer decoders, fewer holes."""

_SMALLEST_SIZE = (64, 64)
"""Pixels that a JPEG is decoded to if only its completeness is checked; an eighth of the work, at most."""

register_heif_opener(thumbnails=False, depth_images=False, aux_images=False, decode_threads=1)
# Pillow's own guard refuses at twice this; it also covers frames that are larger than the image says.
Image.MAX_IMAGE_PIXELS = MAX_PIXELS


@contextmanager
def opened(spool: Spool, content_type: str) -> Iterator[Image.Image]:
    """Open an image for the length of the block, its pixels not yet decoded; raises Undecodable, TooManyPixels."""
    if content_type not in FORMATS:
        raise Undecodable(content_type)
    with spool.reader() as data:
        with _reporting_damage():
            image = Image.open(data, formats=[FORMATS[content_type]])
        with image:
            if image.width * image.height > MAX_PIXELS:
                raise TooManyPixels(MAX_PIXELS)
            yield image


def decode(image: Image.Image) -> None:
    """Decode the pixels of an opened image; raises Undecodable, TooManyPixels."""
    with _reporting_damage():
        image.load()


@contextmanager
def _reporting_damage() -> Iterator[None]:
    try:
        yield
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise TooManyPixels(MAX_PIXELS) from error
    except MemoryError:
        raise
    except Exception as error:
        # Decoders raise many types of exceptions: SyntaxError, struct.error, RuntimeError, TypeError and more.
        raise Undecodable(error_words(error)) from error


def read_orientation(image: Image.Image) -> int:
    """Return how the pixels of an opened image are turned (1 to 8); Pillow's own getexif() may decode them to say.

    TIFF and HEIC are set upright by their openers.
    """
    exif = image.info.get("exif")
    return orientation(exif.removeprefix(PREFIX)) if isinstance(exif, bytes) else UPRIGHT


def image_facts(spool: Spool, content_type: str) -> MediaFacts:
    """Measure an image by its headers, and its pixels where it does not end as it should.

    Raises Undecodable, TooManyPixels.
    """
    try:
        frames, seconds = timing(Source(spool), content_type)
        whole = has_end(spool, content_type)
    except Damaged as error:
        raise Undecodable(error_words(error)) from error
    with opened(spool, content_type) as image:
        coded = (*image.size, read_orientation(image))
        facts = picture_facts(spool, content_type, coded, frames, seconds)
        if not whole:
            # Missing parts would be grey on the platform, unless it is only the end mark.
            image.draft(None, _SMALLEST_SIZE)
            decode(image)
        return facts


QUALITIES = (90, 82, 74, 66, 58)
"""Qualities that are tried in turn if a platform limits the bytes; after the last, the picture is made smaller."""
LEAST_SIDE = 64
"""Pixels below which a picture is not shrunk any further to meet a limit of bytes."""

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""The transpositions that turn a picture upright, by its EXIF orientation."""


def to_jpeg(spool: Spool, content_type: str, demand: ImageDemand, out: Spool) -> Conversion:
    """Write a picture as JPEG: upright, without transparency (white shines through), in sRGB, without any metadata.

    Of an animation the first picture is taken. Raises Undecodable, TooManyPixels, TooManyBytes.
    """
    facts = image_facts(spool, content_type)
    size = demand.box(facts.width, facts.height)
    with opened(spool, content_type) as source:
        picture = _prepared(source, content_type, max(size))
    if picture.size != size:
        picture = picture.resize(size, Image.Resampling.LANCZOS, reducing_gap=3)
    # Pillow would write a comment that the source had.
    picture.info = {}
    return _write(picture, demand.max_bytes or sys.maxsize, out)


def _prepared(source: Image.Image, content_type: str, longest: int) -> Image.Image:
    """Return the picture upright in sRGB, decoded no larger than it takes."""
    if content_type == "image/jpeg":
        source.draft(None, (longest, longest))
    decode(source)
    turn = _UPRIGHT.get(read_orientation(source))
    picture = source.transpose(turn) if turn is not None else source.copy()
    profile = source.info.get("icc_profile")
    picture = _opaque(picture)
    if isinstance(profile, bytes) and profile:
        picture = _in_srgb(picture, profile)
    return picture if picture.mode == "RGB" else picture.convert("RGB")


def _opaque(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I"):
        # 16-bit greys; Pillow's own conversion cuts them off instead of scaling them.
        return picture.point(lambda value: value / 256).convert("L")
    if not picture.has_transparency_data:
        return picture.convert("RGB") if picture.mode in {"P", "1"} else picture
    picture = picture.convert("RGBA")
    ground = Image.new("RGB", picture.size, "white")
    ground.paste(picture, mask=picture.getchannel("A"))
    return ground


def _in_srgb(picture: Image.Image, profile: bytes) -> Image.Image:
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        done = ImageCms.profileToProfile(picture, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        # A profile that does not fit the picture says nothing about its colours.
        return picture
    return done or picture


def _write(picture: Image.Image, max_bytes: int, out: Spool) -> Conversion:
    while True:
        for quality in QUALITIES:
            content = io.BytesIO()
            picture.save(content, "JPEG", quality=quality, optimize=True)
            if content.tell() <= max_bytes:
                out.append(content.getvalue())
                return Conversion(picture.width, picture.height, quality)
        smaller = (picture.width * 3 // 4, picture.height * 3 // 4)
        if min(smaller) < LEAST_SIDE:
            raise TooManyBytes(max_bytes)
        picture = picture.resize(smaller, Image.Resampling.LANCZOS)
