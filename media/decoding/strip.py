"""Removal of location, camera and other metadata from a file, without a change to its pictures and sound."""

from collections.abc import Callable, Iterator
from itertools import islice

from media.metadata import gif, heif, jpeg, matroska, mp4, png, webp
from media.metadata.patches import BytePatch, apply, merge
from media.metadata.source import Damaged, Source
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
