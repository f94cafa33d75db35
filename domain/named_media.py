"""Media that are named by their address alone, as in a cell of a spreadsheet or an option of a command."""

import re
from pathlib import PurePosixPath
from urllib.parse import urlsplit

_TYPES = {
    **dict.fromkeys((".jpg", ".jpeg", ".png", ".webp", ".heic", ".bmp", ".tif", ".tiff", ".avif"), "image"),
    ".gif": "gif",
    **dict.fromkeys((".mp4", ".mov", ".m4v", ".webm", ".avi", ".mkv"), "video"),
    **dict.fromkeys((".pdf", ".doc", ".docx", ".ppt", ".pptx"), "document"),
}
_TYPED = re.compile(r"(image|video|gif|document):(?=https?://)")


def parse_named_media(name: str) -> dict[str, str] | None:
    """Return a media item for an address, which may have its type in front: `video:https://…`.

    Returns None if neither the name nor the ending of the address shows the type.
    """
    typed = _TYPED.match(name)
    url = name[typed.end() :] if typed else name
    try:
        kind = typed[1] if typed else _TYPES.get(PurePosixPath(urlsplit(url).path).suffix.lower())
    except ValueError:
        return None
    return {"type": kind, "url": url} if kind else None
