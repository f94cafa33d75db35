"""The public addresses of uploads: how they are recognized in the media and the settings of a post."""

import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urlsplit

_ADDRESS = re.compile(r"https?://[^/?#\s]+/(?:[^?#\s]*/)?media/u/([A-Za-z0-9_-]{32})/[^/?#\s]*(?:[?#]\S*)?")
"""An address with the token of an upload, on any host: a service may have moved, or have a CDN in front of it."""
_PORTS = {"http": 80, "https": 443}


def upload_token(url: str) -> str | None:
    """Return the token of an address that may be an upload's; only its row says whose it is."""
    match = _ADDRESS.fullmatch(url)
    return match[1] if match else None


def named_addresses(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
    """Yield the path, the address and the token of each address of an upload in JSON."""
    if isinstance(value, str):
        if "/media/u/" in value and (token := upload_token(value)):
            yield path, value, token
        return
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, item in items:
        yield from named_addresses(item, (*path, name))


class OwnHosts:
    """The hosts at which this service serves uploads, by the addresses that its settings name."""

    def __init__(self, addresses: Iterable[str]) -> None:
        self._hosts = {host for address in addresses if (host := _host(address))}

    def __contains__(self, url: str) -> bool:
        return _host(url) in self._hosts


def _host(address: str) -> tuple[str, int] | None:
    """Return the host and port of an address; None if it cannot be read."""
    try:
        url = urlsplit(address)
        port = url.port or _PORTS.get(url.scheme)
    except ValueError:
        return None
    return (url.hostname, port) if url.hostname and port else None
