"""The orientation in EXIF data, the only field that is read and written: a picture needs it to be displayed upright."""

import struct

UPRIGHT = 1
PREFIX = b"Exif\0\0"
"""The bytes before EXIF data in a JPEG, and often in a WebP."""
ON_ITS_SIDE = range(5, 9)
"""The orientations that turn a picture by a quarter."""
_ORIENTATION = 0x0112
_SHORT = 3


def orientation(tiff: bytes) -> int:
    """Return a picture's orientation (1 to 8, as EXIF counts); 1, upright, if the data has none."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None:
        return UPRIGHT
    try:
        (at,) = struct.unpack_from(f"{order}I", tiff, 4)
        (count,) = struct.unpack_from(f"{order}H", tiff, at)
        for entry in range(at + 2, at + 2 + count * 12, 12):
            tag, kind, _, value = struct.unpack_from(f"{order}HHIH", tiff, entry)
            if (tag, kind) == (_ORIENTATION, _SHORT):
                return value if 1 <= value <= 8 else UPRIGHT
    except struct.error:
        pass
    return UPRIGHT


def as_displayed(width: int, height: int, turned: int) -> tuple[int, int]:
    """Return the sides of a picture as it is displayed; `turned` is its orientation."""
    return (height, width) if turned in ON_ITS_SIDE else (width, height)


def orientation_only(value: int) -> bytes:
    """Return EXIF data that holds the orientation and nothing else."""
    return struct.pack(">4sIHHHIHHI", b"MM\0*", 8, 1, _ORIENTATION, _SHORT, 1, value, 0, 0)
