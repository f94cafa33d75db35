"""Sample media that differ by name, and the web addresses that stand for them."""

import hashlib
import threading
from collections import OrderedDict
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

CONTENT_TYPES = {
    "jpg": "image/jpeg",
    "png": "image/png",
    "gif": "image/gif",
    "mp4": "video/mp4",
    "pdf": "application/pdf",
    "vtt": "text/vtt",
    "srt": "application/x-subrip",
}

RESERVED_DOMAINS = ("example.com", "example.org", "example.net")
"""Names that are reserved for documentation (RFC 2606); the sandbox answers for them."""

SAMPLES_KEPT = 256

_samples: OrderedDict[tuple[str, str], bytes] = OrderedDict()
_origins: OrderedDict[bytes, str] = OrderedDict()
_lock = threading.Lock()


class Sample(NamedTuple):
    """The name of a sample file; `extension` is one of those in CONTENT_TYPES."""

    name: str
    extension: str

    @property
    def content_type(self) -> str:
        """Return the MIME type."""
        return CONTENT_TYPES[self.extension]

    @property
    def path(self) -> str:
        """Return the sandbox's own address of it."""
        return f"/_/media/{self.name}.{self.extension}"


def resolve(url: str) -> Sample | None:
    """Return the sample that an address below a reserved domain stands for, or None for any other address.

    The last part of the path names it; an unknown or missing extension means a JPEG.
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").lower().rstrip(".")
    if parts.scheme not in ("http", "https") or not _is_reserved(host):
        return None
    return from_path(parts.path)


def from_path(path: str) -> Sample:
    """Return the sample that the last part of a path names."""
    last = unquote(path.rstrip("/").rpartition("/")[2]).replace("/", "-") or "sample"
    stem, dot, extension = last.rpartition(".")
    extension = {"jpeg": "jpg", "m4v": "mp4", "mov": "mp4"}.get(extension.lower(), extension.lower())
    if dot and stem and extension in CONTENT_TYPES:
        return Sample(stem, extension)
    return Sample(last, "jpg")


def sample(name: str, extension: str) -> bytes:
    """Return a valid file of one of the kinds in CONTENT_TYPES; the name decides its colours and is drawn into it.

    The first time, a video takes up to half a second of processor time, so call it from a thread. Raises ImportError if
    Pillow (or PyAV, for videos) is not installed.
    """
    from sandbox import painting  # noqa: PLC0415  (Pillow and PyAV are heavy, and only samples need them)

    with _lock:
        content = _samples.get((name, extension))
        if content is None:
            content = painting.PAINTERS[extension](name)
            _remember(name, extension, content)
        _samples.move_to_end((name, extension))
        return content


def origin(content: bytes) -> str | None:
    """Return the sandbox's address of a sample that was served before, recognised by its bytes, or None."""
    return _origins.get(_digest(content))


def _remember(name: str, extension: str, content: bytes) -> None:
    _samples[name, extension] = content
    _origins[_digest(content)] = Sample(name, extension).path
    if len(_samples) > SAMPLES_KEPT:
        _, dropped = _samples.popitem(last=False)
        _origins.pop(_digest(dropped), None)


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=16).digest()


def _is_reserved(host: str) -> bool:
    return any(host == domain or host.endswith(f".{domain}") for domain in RESERVED_DOMAINS)
