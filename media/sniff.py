"""Recognition of a file's type by its first bytes, and the types that clients may upload.

A server's content type and a file's name are not trusted.
"""

import re

HEAD = 1024
"""Bytes from the start of a file that suffice here."""

HTML = "text/html"

_PREFIXES = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"%PDF-", "application/pdf"),
    (b"BM", "image/bmp"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"\x00\x00\x00\x0cJXL ", "image/jxl"),
    (b"FLV\x01", "video/x-flv"),
    (b"OggS", "application/ogg"),
    (b"ID3", "audio/mpeg"),
    (b"PK\x03\x04", "application/zip"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"),
)

_RIFF = {b"WEBP": "image/webp", b"AVI ": "video/x-msvideo", b"WAVE": "audio/wav"}

_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
_AVIF_BRANDS = {b"avif", b"avis"}
_AUDIO_BRANDS = {b"M4A ", b"M4B ", b"F4A "}

_QUICKTIME_ATOMS = {b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"}
"""The first boxes of a QuickTime file from before the `ftyp` box."""

_HTML_BEGINNINGS = (b"<!doctype html", b"<html", b"<head", b"<body", b"<script", b"<title", b"<meta")


def sniff(head: bytes) -> str | None:
    """Return the media type that the first bytes of a file (HEAD of them are enough) show, None if unknown."""
    for prefix, content_type in _PREFIXES:
        if head.startswith(prefix):
            return content_type
    if head[:4] == b"RIFF":
        return _RIFF.get(head[8:12])
    if head[:4] == b"\x1a\x45\xdf\xa3":
        return "video/webm" if b"webm" in head[:64] else "video/x-matroska"
    if head[4:8] == b"ftyp":
        return _iso_media(head)
    if head[4:8] in _QUICKTIME_ATOMS:
        return "video/quicktime"
    return _markup(head)


def _iso_media(head: bytes) -> str:
    size = int.from_bytes(head[:4], "big")
    major, compatible = head[8:12], {head[at : at + 4] for at in range(16, min(size, len(head)), 4)}
    if major in _AVIF_BRANDS or (major in {b"mif1", b"msf1"} and compatible & _AVIF_BRANDS):
        return "image/avif"
    if major in _HEIC_BRANDS:
        return "image/heic"
    if major == b"qt  ":
        return "video/quicktime"
    if major in _AUDIO_BRANDS:
        return "audio/mp4"
    return "video/3gpp" if major.startswith((b"3gp", b"3g2")) else "video/mp4"


def _markup(head: bytes) -> str | None:
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    while start.startswith(b"<!--"):
        start = start.partition(b"-->")[2].lstrip()
    if start.startswith(_HTML_BEGINNINGS):
        return HTML
    if start.startswith((b"<svg", b"<!doctype svg")) or (start.startswith(b"<?xml") and b"<svg" in start):
        return "image/svg+xml"
    return HTML if start.startswith(b"<?xml") and b"<html" in start else None


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
