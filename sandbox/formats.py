"""Functions that recognise a media file from its bytes, as far as platforms check it."""

import struct
from typing import NamedTuple


class Format(NamedTuple):
    """The format of a file; `width`, `height` (pixels) and `seconds` are 0 if they are unknown."""

    content_type: str
    width: int = 0
    height: int = 0
    seconds: float = 0

    @property
    def is_image(self) -> bool:
        """Return whether it is a still image or a GIF."""
        return self.content_type.startswith("image/")


def probe(content: bytes) -> Format | None:
    """Recognise JPEG, PNG, GIF, WebP and MP4/QuickTime; None for anything else."""
    if content[:3] == b"\xff\xd8\xff":
        return Format("image/jpeg", *_jpeg_size(content))
    if content[:8] == b"\x89PNG\r\n\x1a\n" and len(content) >= 24:
        return Format("image/png", *struct.unpack(">II", content[16:24]))
    if content[:6] in (b"GIF87a", b"GIF89a") and len(content) >= 10:
        return Format("image/gif", *struct.unpack("<HH", content[6:10]))
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return Format("image/webp")
    if content[4:8] == b"ftyp":
        kind = "video/quicktime" if content[8:12] == b"qt  " else "video/mp4"
        return Format(kind, seconds=_mp4_seconds(content))
    return None


def _jpeg_size(content: bytes) -> tuple[int, int]:
    """Read width and height from the frame header (any SOFn segment)."""
    position = 2
    while position + 9 <= len(content) and content[position] == 0xFF:
        marker = content[position + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", content[position + 5 : position + 9])
            return width, height
        position += 2 + int.from_bytes(content[position + 2 : position + 4], "big")
    return 0, 0


def _mp4_seconds(content: bytes) -> float:
    """Read the duration from the movie header (`mvhd`)."""
    start = content.find(b"mvhd")
    if start < 0 or len(content) < start + 36:
        return 0
    if content[start + 4] == 1:
        scale, duration = struct.unpack(">IQ", content[start + 24 : start + 36])
    else:
        scale, duration = struct.unpack(">II", content[start + 16 : start + 24])
    return duration / scale if scale else 0
