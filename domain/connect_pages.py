"""The name and the picture of a workspace on the page on which people connect accounts."""

from dataclasses import dataclass

LONGEST_NAME = 80
"""Characters, as of the operator's name."""
LARGEST_LOGO = 32 * 1024
"""Bytes: the picture is a part of the page, so that no other host is asked."""
LARGEST_SIDE = 512
"""Pixels of each side, so that a small file does not become a large picture in a browser."""
_BEGINNING = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"


@dataclass(frozen=True, slots=True)
class ConnectPage:
    """The workspace as people see it; None for its own name, and for no picture."""

    name: str | None
    logo: bytes | None


def is_logo(content: bytes) -> bool:
    """Return whether a file is a PNG of a small size. No other type is taken: SVG may contain scripts."""
    width, height = content[16:20], content[20:24]
    sides = (int.from_bytes(width), int.from_bytes(height))
    return (
        content.startswith(_BEGINNING) and len(content) <= LARGEST_LOGO and 0 < min(sides) <= max(sides) <= LARGEST_SIDE
    )
