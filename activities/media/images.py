"""Open images with Pillow without being hurt by them."""

from collections.abc import Iterator
from contextlib import contextmanager

from pi_heif import register_heif_opener  # type: ignore[import-untyped]  # the package ships no types
from PIL import Image

from activities.media.metadata.exif import UPRIGHT, orientation
from activities.media.refusals import damaged, too_many_pixels
from activities.media.spool import StoredFile

MAX_PIXELS = 120_000_000
"""Above every phone's usual photo (108 megapixels); decoded, such a picture takes 360 MB."""

_FORMATS = {
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

register_heif_opener(thumbnails=False, depth_images=False, aux_images=False, decode_threads=1)
# Pillow's own guard refuses at twice this; it also covers frames that are larger than the image says.
Image.MAX_IMAGE_PIXELS = MAX_PIXELS


@contextmanager
def opened(file: StoredFile) -> Iterator[Image.Image]:
    """Open an image for the length of the block, its pixels not yet decoded.

    Raises NetworkError(rejected), also for what Pillow finds while the block decodes.
    """
    try:
        with file.spool.reader() as data, Image.open(data, formats=[_FORMATS[file.content_type]]) as image:
            if image.width * image.height > MAX_PIXELS:
                raise too_many_pixels(MAX_PIXELS)
            yield image
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise too_many_pixels(MAX_PIXELS) from error
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, OverflowError) as error:
        # What Pillow's decoders raise on broken files; UnidentifiedImageError is an OSError.
        raise damaged(file.content_type) from error


def orientation_of(image: Image.Image) -> int:
    """Return how the pixels of an opened image are turned (1 to 8); Pillow's own getexif() may decode them to say.

    TIFF and HEIC are set upright by their openers.
    """
    exif = image.info.get("exif")
    return orientation(exif.removeprefix(b"Exif\0\0")) if isinstance(exif, bytes) else UPRIGHT
