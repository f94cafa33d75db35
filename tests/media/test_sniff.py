import pytest

from media.changes import MediaChange, conversion_changes
from media.decoding.facts import Conversion, MediaFacts
from media.sniff import sniff
from tests.media.hostile import JPEG, MP4_HEAD

QUALITY = MediaChange("compressed", "Compressed as JPEG of quality 90")


@pytest.mark.parametrize(
    ("facts", "sides", "changes"),
    [
        (MediaFacts("image/jpeg", 9, 60, 40), (60, 40), (QUALITY,)),
        (
            MediaFacts("image/png", 9, 60, 40),
            (60, 40),
            (MediaChange("converted", "Converted from image/png to image/jpeg"), QUALITY),
        ),
        (
            MediaFacts("image/gif", 9, 60, 40, frames=3),
            (30, 20),
            (
                MediaChange("converted", "Converted from image/gif to image/jpeg"),
                MediaChange("converted", "Kept the first of 3 pictures"),
                MediaChange("scaled", "Scaled from 60 x 40 to 30 x 20"),
                QUALITY,
            ),
        ),
    ],
)
def test_every_difference_is_recorded(
    facts: MediaFacts, sides: tuple[int, int], changes: tuple[MediaChange, ...]
) -> None:
    assert conversion_changes(facts, Conversion(*sides, quality=90)) == changes


def ftyp(major: bytes, *compatible: bytes) -> bytes:
    body = b"ftyp" + major + bytes(4) + b"".join(compatible)
    return (len(body) + 4).to_bytes(4, "big") + body + b"\x00\x00\x00\x08mdat"


@pytest.mark.parametrize(
    ("head", "content_type"),
    [
        (JPEG, "image/jpeg"),
        (b"\x89PNG\r\n\x1a\n\x00", "image/png"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
        (b"RIFF\x00\x00\x00\x00AVI LIST", "video/x-msvideo"),
        (b"RIFF\x00\x00\x00\x00ACON", None),
        (MP4_HEAD, "video/mp4"),
        (ftyp(b"qt  "), "video/quicktime"),
        (ftyp(b"heic", b"mif1"), "image/heic"),
        (ftyp(b"mif1", b"heic"), "image/heic"),
        (ftyp(b"mif1", b"avif"), "image/avif"),
        (ftyp(b"avif"), "image/avif"),
        (ftyp(b"M4A "), "audio/mp4"),
        (ftyp(b"3gp5"), "video/3gpp"),
        (b"\x00\x00\x00\x08wide\x00\x00\x10\x00mdat", "video/quicktime"),
        (b"\x1a\x45\xdf\xa3\x9fB\x86\x81\x01B\x82\x84webm", "video/webm"),
        (b"\x1a\x45\xdf\xa3\x9fB\x86\x81\x01B\x82\x88matroska", "video/x-matroska"),
        (b"%PDF-1.7", "application/pdf"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"),
        (b"\xef\xbb\xbf\n <!-- hello --> <!DOCTYPE HTML><p>", "text/html"),
        (b"<HTML lang=en>", "text/html"),
        (b"<?xml version='1.0'?><html xmlns='x'>", "text/html"),
        (b"<?xml version='1.0'?>\n<svg>", "image/svg+xml"),
        (b"<!-- never closed", None),
        (b"hello", None),
        (bytes(4096), None),
        (b"", None),
    ],
)
def test_types_are_detected_by_content(head: bytes, content_type: str | None) -> None:
    assert sniff(head) == content_type
