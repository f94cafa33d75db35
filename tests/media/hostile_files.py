"""Small files that are expensive to read: every class of attack on readers of media, by its name."""

import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from tests.media.files import box, full, saved

KIB, MIB = 2**10, 2**20
_FTYP_HEIC = box(b"ftyp", b"heic", bytes(4), b"mif1heic")
_FTYP_MP4 = box(b"ftyp", b"isom", bytes(4), b"isommp41")


@dataclass(frozen=True)
class HostileFile:
    """A function that makes a file; `accepted` if the file is odd but within its format."""

    content_type: str
    make: Callable[[], bytes]
    accepted: bool = False


def _meta(*boxes: bytes) -> bytes:
    return _FTYP_HEIC + full(b"meta", *boxes)


def widthless_items(items: int, version: int = 1) -> bytes:
    """Return a HEIC whose items have 65,535 pieces each that take up no byte."""
    wide = ">I" if version == 2 else ">H"
    head = b"\0\0" + struct.pack(wide, items)
    entry = b"\0\0" + (b"\0\0" if version else b"") + b"\xff\xff"
    return _meta(full(b"iloc", head, *(struct.pack(wide, n % 65536) + entry for n in range(items)), version=version))


def many_lists(lists: int) -> bytes:
    """Return a HEIC with many lists of items, each with the largest number of empty pieces that a list may have."""
    iloc = full(b"iloc", b"\0\0" + struct.pack(">HHHH", 1, 1, 0, 8192))
    return _FTYP_HEIC + full(b"meta", iloc) * lists


def odd_widths() -> bytes:
    """Return a HEIC whose items' numbers have a width that the standard does not define."""
    return _meta(full(b"iloc", b"\x11\x10", struct.pack(">H", 1), bytes(12)))


def overlapping_items(pieces: int, size: int) -> bytes:
    """Return a HEIC in which every piece of its EXIF is the whole file."""
    infe = full(b"infe", struct.pack(">HH4s", 1, 0, b"Exif"), b"\0", version=2)
    iinf = full(b"iinf", struct.pack(">H", 1), infe)
    places = struct.pack(">II", 0, size) * pieces
    iloc = full(b"iloc", b"\x44\0", struct.pack(">HHHH", 1, 1, 0, pieces), places)
    head = _meta(iinf, iloc)
    return head + box(b"mdat", b"\1" * (size - len(head) - 8))


def stray_bytes(size: int) -> bytes:
    """Return a JPEG with one stray byte before each of its markers."""
    return b"\xff\xd8\xff\x01" + b"a\xff\x01" * (size // 3) + b"\xff\xd9"


def filling(size: int) -> bytes:
    """Return a JPEG with fill bytes before a marker."""
    return b"\xff\xd8" + b"\xff" * size + b"\xd9"


def deep_boxes(depth: int) -> bytes:
    """Return an MP4 with deeply nested boxes."""
    content = b""
    for _ in range(depth):
        content = box(b"moov", content)
    return _FTYP_MP4 + content


def _track(stbl: bytes) -> bytes:
    hdlr = full(b"hdlr", bytes(4), b"meta", bytes(12))
    return box(b"trak", box(b"mdia", hdlr, box(b"minf", box(b"stbl", stbl))))


def huge_counts() -> bytes:
    """Return an MP4 whose tables claim to have four thousand million entries."""
    most = 2**32 - 1
    stsc = full(b"stsc", struct.pack(">IIII", 1, 1, most, 1))
    stsz = full(b"stsz", struct.pack(">II", 0, most), bytes(64))
    stco = full(b"stco", struct.pack(">I", most), bytes(64))
    return _FTYP_MP4 + box(b"moov", _track(stsc + stsz + stco))


def overlapping_chunks(chunks: int, size: int) -> bytes:
    """Return an MP4 in which every chunk of a track is the whole file."""
    stsc = full(b"stsc", struct.pack(">IIII", 1, 1, 1, 1))
    stsz = full(b"stsz", struct.pack(">II", size, 1))
    stco = full(b"stco", struct.pack(">I", chunks), bytes(4 * chunks))
    head = _FTYP_MP4 + box(b"moov", _track(stsc + stsz + stco))
    return head + box(b"mdat", b"\1" * (size - len(head) - 8))


def many_boxes(size: int) -> bytes:
    """Return an MP4 of empty boxes."""
    return _FTYP_MP4 + box(b"moov") * (size // 8)


def png_chunks(size: int) -> bytes:
    """Return a PNG of empty chunks."""
    chunk = b"\0\0\0\0tEXt" + zlib.crc32(b"tEXt").to_bytes(4, "big")
    picture = saved_png()
    return picture[:33] + chunk * (size // 12) + picture[33:]


def saved_png() -> bytes:
    """Return a small PNG."""
    from PIL import Image

    return saved(Image.new("RGB", (4, 4)), "PNG")


def webp_chunks(size: int) -> bytes:
    """Return a WebP of empty chunks."""
    body = b"WEBP" + b"AAAA\0\0\0\0" * (size // 8)
    return b"RIFF" + len(body).to_bytes(4, "little") + body


def gif_blocks(size: int) -> bytes:
    """Return a GIF with a comment in blocks of one byte."""
    return b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0, 0, 0) + b"\x21\xfe" + b"\1a" * (size // 2) + b"\0;"


def gif_comments(size: int) -> bytes:
    """Return a GIF of empty comments."""
    return b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0, 0, 0) + b"\x21\xfe\0" * (size // 3) + b";"


def gif_pictures(size: int) -> bytes:
    """Return an animation of pictures of one pixel."""
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\2\2\x44\1\0"
    return b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0x80, 0, 0) + bytes(6) + frame * (size // len(frame)) + b";"


def long_animation(frames: int) -> bytes:
    """Return a GIF of pictures that each last a hundredth of a second."""
    control = b"\x21\xf9\4\4\1\0\0\0"
    frame = control + b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\2" + b"\xff" + bytes(255) + b"\0"
    return b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0x80, 0, 0) + bytes(6) + frame * frames + b";"


def decompression_bomb(side: int, *, whole: bool = True) -> bytes:
    """Return a small PNG of many black pixels; a truncated one is decoded to see what is missing."""
    packer = zlib.compressobj(9)
    packed = b"".join([*(packer.compress(bytes(side + 1)) for _ in range(side)), packer.flush()])
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)), (b"IDAT", packed)]
    chunks += [(b"IEND", b"")] if whole else []
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big") for kind, body in chunks
    )


def huge_webp() -> bytes:
    """Return the head of a WebP that claims the largest number of pixels that the format allows."""
    body = b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4) + b"\xff\xff\xff\xff\xff\xff"
    return b"RIFF" + len(body).to_bytes(4, "little") + body


def zip_bomb(size: int) -> bytes:
    """Return an archive, like an office document, that unpacks to a thousand times its size."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", bytes(size))
    return out.getvalue()


_EBML = b"\x1a\x45\xdf\xa3\x84webm"


def unknown_sizes(size: int) -> bytes:
    """Return a WebM of clusters that do not say where they end."""
    return _EBML + b"\x18\x53\x80\x67\xff" + b"\x1f\x43\xb6\x75\xff" * (size // 5)


def matroska_elements(size: int) -> bytes:
    """Return a WebM of empty elements."""
    return _EBML + b"\x18\x53\x80\x67\xff" + b"\xec\x80" * (size // 2)


FILES: dict[str, HostileFile] = {
    "HEIC: 800 items without width": HostileFile("image/heic", lambda: widthless_items(800)),
    "HEIC: 64 kB of items without width": HostileFile("image/heic", lambda: widthless_items(8000)),
    "HEIC: items of version 2 without width": HostileFile("image/heic", lambda: widthless_items(40_000, 2)),
    "HEIC: 64 kB of lists of items": HostileFile("image/heic", lambda: many_lists(1600)),
    "HEIC: odd widths": HostileFile("image/heic", odd_widths),
    "HEIC: overlapping pieces": HostileFile("image/heic", lambda: overlapping_items(300, 265_000)),
    "JPEG: stray bytes, 150 kB": HostileFile("image/jpeg", lambda: stray_bytes(150_000)),
    "JPEG: stray bytes, 1 MiB": HostileFile("image/jpeg", lambda: stray_bytes(MIB)),
    "JPEG: filling": HostileFile("image/jpeg", lambda: filling(MIB)),
    "MP4: deep boxes": HostileFile("video/mp4", lambda: deep_boxes(10_000)),
    "MP4: huge counts": HostileFile("video/mp4", huge_counts),
    "MP4: overlapping chunks": HostileFile("video/mp4", lambda: overlapping_chunks(50_000, 265_000)),
    "MP4: empty boxes": HostileFile("video/mp4", lambda: many_boxes(MIB)),
    "PNG: empty chunks": HostileFile("image/png", lambda: png_chunks(MIB)),
    "WebP: empty chunks": HostileFile("image/webp", lambda: webp_chunks(MIB)),
    "GIF: blocks of one byte": HostileFile("image/gif", lambda: gif_blocks(MIB)),
    "GIF: empty comments": HostileFile("image/gif", lambda: gif_comments(MIB)),
    "GIF: pictures of one pixel": HostileFile("image/gif", lambda: gif_pictures(MIB)),
    "GIF: a long animation": HostileFile("image/gif", lambda: long_animation(4000), accepted=True),
    "PNG: 110 million pixels": HostileFile("image/png", lambda: decompression_bomb(10_500), accepted=True),
    "PNG: 400 million pixels": HostileFile("image/png", lambda: decompression_bomb(20_000)),
    "WebP: most pixels": HostileFile("image/webp", huge_webp),
    "WebM: unknown sizes": HostileFile("video/webm", lambda: unknown_sizes(MIB)),
    "WebM: empty elements": HostileFile("video/webm", lambda: matroska_elements(MIB)),
}
