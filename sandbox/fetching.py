"""Functions that fetch media as a platform does if it receives an address instead of bytes."""

import ssl
from functools import cache
from typing import NamedTuple
from urllib.parse import urlsplit

import httpx

from sandbox import media
from sandbox.formats import Format, probe

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
