"""Untrusted addresses: those of media, redirects, and those that platforms name in their responses."""

import httpx


def parse_url(address: str, base: httpx.URL | None = None) -> httpx.URL:
    """Return an address as a URL whose host and port can be read; a relative one is resolved against `base`.

    Raises httpx.InvalidURL. httpx itself accepts hosts such as `xn--a`, and raises another error when they are read.
    """
    try:
        url = httpx.URL(address) if base is None else base.join(address)
        readable = url.port is None or 0 < url.port < 2**16
        _ = url.host
    except ValueError as error:
        raise httpx.InvalidURL(f"the address cannot be read: {error}") from error
    if not readable:
        raise httpx.InvalidURL("the address names a port that does not exist")
    return url
