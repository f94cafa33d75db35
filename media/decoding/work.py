"""The work of a decoding process: how its job is done, metadata are removed, and what it answers."""

import importlib
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from itertools import islice
from typing import Any

from media.decoding.facts import (
    Conversion,
    Examined,
    ImageDemand,
    MediaFacts,
    TooManyBytes,
    TooManyPixels,
    Undecodable,
)
from media.decoding.headers import facts_by_headers
from media.decoding.jobs import IMAGES, VIDEOS, Job, media_kind
from media.metadata import gif, heif, jpeg, matroska, mp4, png, webp
from media.metadata.source import BytePatch, Damaged, Source, apply, merge
from media.spool import Spool

MAX_PATCHES = 200_000
"""A position track of a long recording has some tens of thousands of pieces."""

Finder = Callable[[Source], Iterator[BytePatch]]

FINDERS: dict[str, Finder] = {
    "image/jpeg": jpeg.patches,
    "image/png": png.patches,
    "image/webp": webp.patches,
    "image/gif": gif.patches,
    "image/heic": heif.patches,
    "image/avif": heif.patches,
    "video/mp4": mp4.patches,
    "video/quicktime": mp4.patches,
    "video/3gpp": mp4.patches,
    "video/webm": matroska.patches,
    "video/x-matroska": matroska.patches,
}


def strip(file: Spool, content_type: str, room: Spool) -> tuple[str, ...]:
    """Return in words what was removed. If that is anything, `room`, which is empty, then holds the file without it.

    The file stays as it is, because other targets are sent it as well. A turned picture stays turned, colour profiles
    stay. Other types (BMP, TIFF, AVI) are left as they are. Raises Damaged.
    """
    finder = FINDERS.get(content_type)
    # All is found before anything is changed.
    candidates = _bounded(finder(Source(file))) if finder else []
    patches = [patch for patch in merge(candidates, file.size) if patch.changes(file)]
    if patches:
        file.copy_to(room)
        apply(room, patches)
    return tuple(sorted({patch.what for patch in patches if patch.what}))


def _bounded(patches: Iterator[BytePatch]) -> list[BytePatch]:
    first_patches = list(islice(patches, MAX_PATCHES + 1))
    if len(first_patches) > MAX_PATCHES:
        raise Damaged("its metadata is in too many places")
    return first_patches


# The decoders of each kind, and modules that they would import only when a file needs them.
_IMAGE_MODULES = (
    "media.decoding.images",
    *(f"PIL.{name}" for name in ("AvifImagePlugin", "BmpImagePlugin", "GifImagePlugin", "JpegImagePlugin")),
    *(f"PIL.{name}" for name in ("MpoImagePlugin", "PngImagePlugin", "PpmImagePlugin", "TiffImagePlugin")),
    *(f"PIL.{name}" for name in ("WebPImagePlugin", "ExifTags", "ImageChops", "ImageColor", "ImageFilter")),
    *(f"PIL.{name}" for name in ("ImageOps", "ImagePalette", "ImageSequence", "TiffTags")),
    *(f"encodings.{name}" for name in ("ascii", "latin_1", "utf_16", "utf_16_be", "utf_16_le", "utf_8")),
)
_VIDEO_MODULES = (
    "media.decoding.videos",
    *(f"av.subtitles.{name}" for name in ("codeccontext", "stream", "subtitle")),
)


def load(kind: str) -> None:
    """Import the decoders of a kind of file, `images` or `videos`: none can be imported once a process is confined."""
    for name in _VIDEO_MODULES if kind == VIDEOS else _IMAGE_MODULES:
        importlib.import_module(name)
    if kind == IMAGES:
        # No thread is needed for pictures of this kind, and none is allowed.
        sys.modules["PIL.AvifImagePlugin"].DEFAULT_MAX_THREADS = 1  # type: ignore[attr-defined]


def answer(job: Job, files: Sequence[Spool]) -> dict[str, Any]:
    """Run a job on its files; return the result, or by which limit or error it ended."""
    try:
        if job.demand is not None:
            return {"conversion": asdict(_to_jpeg(files, job.content_type, job.demand))}
        removed = strip(files[0], job.content_type, files[1]) if job.strips else ()
        return {"examined": asdict(Examined(_facts(files[1] if removed else files[0], job.content_type), removed))}
    except (TooManyPixels, TooManyBytes) as error:
        return {"refused": type(error).__name__, "limit": error.args[0]}
    except MemoryError:
        return {"refused": MemoryError.__name__}
    except (Damaged, Undecodable, ValueError):
        return {"refused": Undecodable.__name__}


# Pictures need no FFmpeg, videos no Pillow: a process that has loaded one of them alone is made twice as fast.


def _to_jpeg(files: Sequence[Spool], content_type: str, demand: ImageDemand) -> Conversion:
    if media_kind(content_type) == VIDEOS:
        from media.decoding.videos import frame_to_jpeg  # noqa: PLC0415 - as said above

        return frame_to_jpeg(files[0], content_type, demand, files[1])
    from media.decoding.images import to_jpeg  # noqa: PLC0415 - as said above

    return to_jpeg(files[0], content_type, demand, files[1])


def _facts(file: Spool, content_type: str) -> MediaFacts:
    if media_kind(content_type) == VIDEOS:
        from media.decoding.videos import video_facts  # noqa: PLC0415 - as said above

        return video_facts(file, content_type)
    from media.decoding.images import image_facts  # noqa: PLC0415 - as said above

    return facts_by_headers(file, content_type) or image_facts(file, content_type)
