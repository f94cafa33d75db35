"""Functions that fetch media as a platform does if it receives an address instead of bytes."""

import ssl
import struct
from functools import cache
from typing import NamedTuple
from urllib.parse import urlsplit

import httpx

from sandbox import media


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


TIMEOUT_SECONDS = 5.0
LARGEST = 300 * 1024 * 1024
"""Bytes; no platform takes more from an address (Instagram's own limit for a Reel)."""


class Fetched(NamedTuple):
    """A fetched file. A sample comes without bytes and size, because it is valid by construction."""

    format: Format | None
    content: bytes | None = None
    sample: media.Sample | None = None


class FetchError(Exception):
    """The address could not be fetched."""


async def fetch(url: str, own_host: str) -> Fetched:
    """Fetch an address; reserved example domains and the sandbox's own samples are answered without a request.

    Args:
        url: The address that the client sent to the platform.
        own_host: The host and port by which the sandbox is reached.

    Raises:
        FetchError: It is no web address, did not answer 200 in time, or is a web page.
    """
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise FetchError("not an address") from error
    if parts.scheme not in ("http", "https") or not parts.hostname or not url.isascii():
        raise FetchError("not an address")
    known = media.resolve(url)
    if known is None and parts.netloc == own_host and parts.path.startswith("/_/media/"):
        known = media.from_path(parts.path)
    if known is not None:
        return Fetched(Format(known.content_type), sample=known)
    return await _download(url)


@cache
def _tls() -> ssl.SSLContext:
    """Load the trusted certificates once; it takes a few dozen milliseconds."""
    return httpx.create_ssl_context()


async def _download(url: str) -> Fetched:
    parts: list[bytes] = []
    size = 0
    try:
        async with (
            httpx.AsyncClient(timeout=TIMEOUT_SECONDS, follow_redirects=True, max_redirects=3, verify=_tls()) as client,
            client.stream("GET", url) as response,
        ):
            if response.status_code != httpx.codes.OK:
                raise FetchError(f"status {response.status_code}")
            if "html" in response.headers.get("content-type", ""):
                raise FetchError("a web page")
            async for part in response.aiter_bytes():
                parts.append(part)
                size += len(part)
                if size > LARGEST:
                    raise FetchError("too large")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise FetchError(type(error).__name__) from error
    content = b"".join(parts)
    return Fetched(probe(content), content)
