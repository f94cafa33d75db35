"""Open images with Pillow without being hurt by them."""

from collections.abc import Iterator
from contextlib import contextmanager

from pi_heif import register_heif_opener  # type: ignore[import-untyped]  # the package ships no types
from PIL import Image

from domain.printable import error_words
from media.decoding.facts import MAX_PIXELS, MediaFacts, TooManyPixels, Undecodable
from media.decoding.headers import picture_facts
from media.metadata.animation import timing
from media.metadata.ending import has_end
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
