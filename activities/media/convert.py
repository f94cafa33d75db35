"""Make an image fit what a network demands, and only where it demands it; each change is told."""

import asyncio
import io
import sys
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass

from PIL import Image, ImageCms, ImageOps

from activities.media.changes import Change
from activities.media.images import opened
from activities.media.probe import MediaFacts, inspect
from activities.media.refusals import cannot_shrink
from activities.media.spool import Spool, StoredFile, stored

QUALITIES = (90, 82, 74, 66, 58)
"""Tried in turn where a network limits the bytes; below the last, the picture is made smaller instead."""
LEAST_SIDE = 64
"""Pixels below which a picture is not shrunk any further to meet a limit of bytes."""

_WORKERS = ThreadPoolExecutor(max_workers=2, thread_name_prefix="image")
"""Not the loop's own threads: two decoded pictures at a time are memory enough."""


@dataclass(frozen=True, slots=True)
class ImageDemand:
    """Say what a network takes: types (JPEG among them), bytes, and sides in pixels of the picture as it is seen."""

    content_types: frozenset[str] = frozenset({"image/jpeg"})
    max_bytes: int | None = None
    max_width: int | None = None
    max_height: int | None = None

    def is_met_by(self, facts: MediaFacts) -> bool:
        """Tell whether a file can be sent as it is."""
        return (
            facts.content_type in self.content_types
            and (self.max_bytes is None or facts.size <= self.max_bytes)
            and self.fits(facts.width, facts.height)
        )

    def fits(self, width: int, height: int) -> bool:
        """Tell whether the sides are within the limits."""
        return width <= (self.max_width or width) and height <= (self.max_height or height)

    def box(self, width: int, height: int) -> tuple[int, int]:
        """Return the largest sides within the limits that keep the picture's shape."""
        scale = min(1, (self.max_width or width) / width, (self.max_height or height) / height)
        return max(1, int(width * scale)), max(1, int(height * scale))


@asynccontextmanager
async def fitted(file: StoredFile, demand: ImageDemand) -> AsyncIterator[tuple[StoredFile, tuple[Change, ...]]]:
    """Yield the file as it is where it meets the demand, else as a new JPEG for the length of the block.

    The JPEG is upright, without transparency (white shines through), in sRGB, without any metadata; of an animation it
    is the first picture. Raises NetworkError(rejected) for damaged files and where no picture fits the bytes.
    """
    facts = await inspect(file)
    if demand.is_met_by(facts):
        yield file, ()
        return
    with Spool() as spool:
        changes = await asyncio.get_running_loop().run_in_executor(_WORKERS, _convert, file, facts, demand, spool)
        yield stored(spool, "image/jpeg"), changes


def _convert(file: StoredFile, facts: MediaFacts, demand: ImageDemand, spool: Spool) -> tuple[Change, ...]:
    size = demand.box(facts.width, facts.height)
    with opened(file) as source:
        picture = _prepared(source, max(size))
    if picture.size != size:
        picture = picture.resize(size, Image.Resampling.LANCZOS, reducing_gap=3)
    # Pillow would write a comment that the source had.
    picture.info = {}
    content, size, quality = _encoded(picture, demand.max_bytes or sys.maxsize)
    spool.append(content)
    return tuple(_changes(facts, size, quality))


def _encoded(picture: Image.Image, max_bytes: int) -> tuple[bytes, tuple[int, int], int]:
    while True:
        for quality in QUALITIES:
            out = io.BytesIO()
            picture.save(out, "JPEG", quality=quality, optimize=True)
            if out.tell() <= max_bytes:
                return out.getvalue(), picture.size, quality
        smaller = (picture.width * 3 // 4, picture.height * 3 // 4)
        if min(smaller) < LEAST_SIDE:
            raise cannot_shrink(max_bytes)
        picture = picture.resize(smaller, Image.Resampling.LANCZOS)


def _changes(facts: MediaFacts, size: tuple[int, int], quality: int) -> Iterator[Change]:
    if facts.content_type != "image/jpeg":
        yield Change("converted", f"Converted from {facts.content_type} to image/jpeg")
    if facts.frames > 1:
        yield Change("converted", f"Kept the first of {facts.frames} pictures")
    if size != (facts.width, facts.height):
        yield Change("scaled", f"Scaled from {facts.width} x {facts.height} to {size[0]} x {size[1]}")
    if quality != QUALITIES[0] or facts.content_type == "image/jpeg":
        yield Change("recompressed", f"Compressed as JPEG of quality {quality}")


def _prepared(source: Image.Image, longest: int) -> Image.Image:
    """Return the picture upright in sRGB, decoded no larger than it takes."""
    if source.format == "JPEG":
        source.draft(None, (longest, longest))
    picture = ImageOps.exif_transpose(source)
    profile = picture.info.get("icc_profile")
    picture = _opaque(picture)
    if isinstance(profile, bytes) and profile:
        picture = _in_srgb(picture, profile)
    return picture if picture.mode == "RGB" else picture.convert("RGB")


def _opaque(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith(("I", "F")):
        # 16-bit greys; Pillow's own conversion cuts them off instead of scaling them.
        return picture.point(lambda value: value / 256).convert("L") if picture.mode != "F" else picture.convert("L")
    if not picture.has_transparency_data:
        return picture.convert("RGB") if picture.mode in {"P", "1", "PA"} else picture
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
