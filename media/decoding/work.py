"""The work of a decoding process: how its job is done, and what it answers."""

import importlib
import sys
from collections.abc import Sequence
from dataclasses import asdict
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
from media.decoding.strip import strip
from media.metadata.source import Damaged
from media.spool import Spool

# The decoders of each kind, and modules that they would import only when a file needs them.
_IMAGE_MODULES = (
    "media.decoding.jpegs",
    *(f"PIL.{name}" for name in ("AvifImagePlugin", "BmpImagePlugin", "GifImagePlugin", "JpegImagePlugin")),
    *(f"PIL.{name}" for name in ("MpoImagePlugin", "PngImagePlugin", "PpmImagePlugin", "TiffImagePlugin")),
    *(f"PIL.{name}" for name in ("WebPImagePlugin", "ExifTags", "ImageChops", "ImageColor", "ImageFilter")),
    *(f"PIL.{name}" for name in ("ImageOps", "ImagePalette", "ImageSequence", "TiffTags")),
    *(f"encodings.{name}" for name in ("ascii", "latin_1", "utf_16", "utf_16_be", "utf_16_le", "utf_8")),
)
_VIDEO_MODULES = (
    "media.decoding.frames",
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
        from media.decoding.frames import frame_to_jpeg  # noqa: PLC0415 - as said above

        return frame_to_jpeg(files[0], content_type, demand, files[1])
    from media.decoding.jpegs import to_jpeg  # noqa: PLC0415 - as said above

    return to_jpeg(files[0], content_type, demand, files[1])


def _facts(file: Spool, content_type: str) -> MediaFacts:
    if media_kind(content_type) == VIDEOS:
        from media.decoding.videos import video_facts  # noqa: PLC0415 - as said above

        return video_facts(file, content_type)
    from media.decoding.images import image_facts  # noqa: PLC0415 - as said above

    return facts_by_headers(file, content_type) or image_facts(file, content_type)
