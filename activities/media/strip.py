"""Take location, camera and other metadata out of a file without touching its pictures and sound."""

from collections.abc import Callable, Iterator
from itertools import islice

from activities.media.changes import Change
from activities.media.metadata import gif, heif, jpeg, matroska, mp4, png, webp
from activities.media.metadata.patches import Patch, apply
from activities.media.metadata.source import Damaged, Source
from activities.media.refusals import damaged
from activities.media.spool import Spool, off_the_loop
from activities.media.stored import StoredFile, stored

MAX_PATCHES = 200_000
"""A position track of a long recording has some tens of thousands of pieces."""

_Finder = Callable[[Source], Iterator[Patch]]

_FINDERS: dict[str, _Finder] = {
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


async def strip(file: StoredFile, room: Spool) -> tuple[StoredFile, tuple[Change, ...]]:
    """Remove metadata; return the file without them, and what was removed.

    The given file is for others too and stays as it is: one that must change is copied to the empty `room`. A turned
    picture stays turned, colour profiles stay. Other types (BMP, TIFF, AVI) are left as they are. Raises
    NetworkError(rejected) where the file does not keep to its format.
    """
    finder = _FINDERS.get(file.content_type)
    return await off_the_loop(file.size, _strip, file, finder, room) if finder else (file, ())


def _strip(file: StoredFile, finder: _Finder, room: Spool) -> tuple[StoredFile, tuple[Change, ...]]:
    try:
        # All is found before anything is changed.
        patches = [patch for patch in _bounded(finder(Source(file.spool))) if patch.changes(file.spool)]
    except Damaged as error:
        raise damaged(file.content_type) from error
    if not patches:
        return file, ()
    file.spool.copy_to(room)
    apply(room, patches)
    names = sorted({patch.what for patch in patches if patch.what})
    return stored(room, file.content_type), (Change("metadata_removed", f"Removed {', '.join(names)}"),)


def _bounded(patches: Iterator[Patch]) -> list[Patch]:
    found = list(islice(patches, MAX_PATCHES + 1))
    if len(found) > MAX_PATCHES:
        raise Damaged("its metadata is in too many places")
    return found
