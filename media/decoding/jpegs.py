"""Conversion of any picture to a JPEG that fits a platform's limits."""

import io
import sys

from PIL import Image, ImageCms

from media.decoding.facts import Conversion, ImageDemand, TooManyBytes
from media.decoding.images import decode, image_facts, opened, read_orientation
from media.spool import Spool

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
