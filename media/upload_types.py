"""The types of files that clients may upload."""

import re

from media.sniff import HTML, sniff

_DOCUMENTS = frozenset({"application/pdf", "application/zip", "application/x-ole-storage"})
"""PDF, and what the files of office programs begin with: LinkedIn, Telegram and Discord take them."""
SUBTITLES = frozenset({"text/vtt", "application/x-subrip"})
_MARKUP = frozenset({"image/svg+xml", HTML})
"""Types that browsers run scripts of; no platform takes them."""
_PROGRAMS = frozenset(
    {
        "application/javascript",
        "application/vnd.microsoft.portable-executable",
        "application/x-executable",
        "application/x-mach-binary",
        "application/x-msdownload",
        "application/x-sh",
        "application/xhtml+xml",
        "text/javascript",
    }
)
_SRT = re.compile(rb"\d+[ \t]*\r?\n\d{2}:\d{2}:\d{2},\d{3} --> ")


def sniff_subtitles(head: bytes) -> str | None:
    """Return the type of subtitles by their first bytes, None if they are none."""
    text = head.removeprefix(b"\xef\xbb\xbf")
    if re.match(rb"WEBVTT(\s|$)", text):
        return "text/vtt"
    return "application/x-subrip" if _SRT.match(text.lstrip()) else None


def recognize(head: bytes) -> str | None:
    """Return the type that the first bytes of a file show, None if unknown."""
    return sniff_subtitles(head) or sniff(head)


def is_accepted(content_type: str | None) -> bool:
    """Return whether a file whose first bytes show this type is stored: pictures, videos, documents, subtitles."""
    if content_type is None or content_type in _MARKUP:
        return False
    return content_type.startswith(("image/", "video/")) or content_type in _DOCUMENTS | SUBTITLES


def may_be_accepted(announced: str) -> bool:
    """Return whether a file may be stored that a client announces as this type. Its first bytes decide later."""
    return announced not in _MARKUP | _PROGRAMS


def is_shown_inline(content_type: str) -> bool:
    """Return whether browsers may show a file; others are only downloaded."""
    return content_type.startswith(("image/", "video/")) and content_type not in _MARKUP
