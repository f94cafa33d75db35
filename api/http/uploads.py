"""Requests that bring files, and answers to web pages of other sites, by their paths.

Bodies of files may be larger and take longer than others. They are recognized before anything of the body is read.
"""

import re
from collections.abc import Iterator

from litestar.types import HTTPScope

SLOWEST_UPLOAD = 64 * 1024
"""Bytes a second that a client must send, over a minute; our choice."""
_PATHS = re.compile(rb"PUT /media/upload/[^/?]+|PUT /v1/media/multipart/[^/?]+/parts/[^/?]+|POST /v1/media")
_FOR_ALL_SITES = ("/media/u/", "/media/upload/")
"""Paths that pages of any site may use: the secret or token in them is what permits it, and no cookie is read."""
_ANY_SITE = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"accept-ranges, content-length, content-range, etag, x-request-id"),
)
_PREFLIGHT = (
    (b"access-control-allow-methods", b"GET, HEAD, PUT"),
    (b"access-control-allow-headers", b"content-type, range, if-range, if-none-match"),
    (b"access-control-max-age", b"86400"),
)


def is_upload(method: str, path: bytes) -> bool:
    """Return whether a request brings a file. `path` is as it came, before it was decoded."""
    return _PATHS.fullmatch(method.encode("latin-1") + b" " + path) is not None


def media_headers(scope: HTTPScope, status: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield headers of an answer that its path demands."""
    if status >= 400 and is_upload(scope["method"], scope["raw_path"]):
        # The client may still send the file, and no one reads it.
        yield b"connection", b"close"
    if scope["path"].startswith(_FOR_ALL_SITES):
        yield from _ANY_SITE
        if scope["method"] == "OPTIONS":
            yield from _PREFLIGHT
