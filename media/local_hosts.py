"""Addresses of media that are refused without a look-up, and example addresses that the sandbox answers."""

from collections.abc import Collection
from ipaddress import ip_address
from pathlib import PurePosixPath
from urllib.parse import quote, unquote

import httpx

from domain.post import MediaType
from platforms.http.addresses import AllowedHosts, is_public, is_public_port, parse_url

EXAMPLE_HOSTS = ("example.com", "example.net", "example.org")
"""Names that RFC 2606 reserves for documents; they never serve media."""

_SERVED = {".jpg", ".png", ".gif", ".mp4", ".pdf", ".vtt", ".srt"}
_USUAL = {MediaType.IMAGE: ".jpg", MediaType.GIF: ".gif", MediaType.VIDEO: ".mp4", MediaType.DOCUMENT: ".pdf"}
_FOLDER = "/_/media/"


class Samples:
    """The sandbox's samples in place of example addresses; `base_url` may be a private address."""

    def __init__(self, base_url: str) -> None:
        self._base = httpx.URL(base_url.rstrip("/"))

    @property
    def origin(self) -> str:
        """Return host:port of the sandbox."""
        port = self._base.port or (443 if self._base.scheme == "https" else 80)
        return f"[{self._base.host}]:{port}" if ":" in self._base.host else f"{self._base.host}:{port}"

    def sample_url(self, url: httpx.URL, kind: MediaType | None) -> httpx.URL:
        """Return the sample's URL where the host is an example, else the URL as it is.

        The file's name is kept, so that samples differ; its ending becomes one that the sandbox serves.
        """
        if not any(url.host == name or url.host.endswith(f".{name}") for name in EXAMPLE_HOSTS):
            return url
        name = PurePosixPath(unquote(url.path).rsplit("/", 1)[-1] or "sample")
        ending = name.suffix.lower()
        file = f"{name.stem}{ending if ending in _SERVED else _USUAL[kind or MediaType.IMAGE]}"
        return httpx.URL(f"{self._base}".rstrip("/") + _FOLDER + quote(file, safe=""))

    def hides(self, url: httpx.URL) -> bool:
        """Return whether a URL points at the sandbox but not at a sample."""
        same = (url.scheme, url.host, url.port) == (self._base.scheme, self._base.host, self._base.port)
        return same and not url.path.startswith(_FOLDER)


class LocalHosts:
    """The local hosts from which no file is fetched: all but those that the operator allows, and the sandbox."""

    def __init__(self, private_hosts: Collection[str] = (), samples_url: str | None = None) -> None:
        samples = (Samples(samples_url).origin,) if samples_url else ()
        self.allowed = AllowedHosts((*private_hosts, *samples))

    def refuses(self, url: httpx.URL) -> bool:
        """Return whether a URL's host is local and not allowed at its port."""
        return _is_local(url.host) and not self.allowed.allows(url.host, url_port(url))

    def refused_host(self, address: str) -> str | None:
        """Return the host and port of an address that is refused, as the address names them; None for others."""
        url = readable_url(address)
        return url.netloc.decode() if url is not None and self.refuses(url) else None

    def why_refused(self, address: str) -> tuple[str, str] | None:
        """Return the host and port of an address from which no file is fetched, and why; None for others."""
        url = readable_url(address)
        if url is None:
            return None
        port = url_port(url)
        if self.refuses(url):
            why = "this host is not on the public internet"
        elif not is_public_port(port) and not self.allowed.allows(url.host, port):
            why = "this port is not called, only 80, 443 and those from 1024 on"
        elif url.userinfo:
            why = "the address holds a user name or password"
        else:
            return None
        return url.netloc.decode(), why


def readable_url(address: str) -> httpx.URL | None:
    """Return an address as a URL; None if its host or port cannot be read."""
    try:
        return parse_url(address)
    except httpx.InvalidURL:
        return None


def url_port(url: httpx.URL) -> int:
    """Return the port that a URL leads to."""
    return url.port if url.port is not None else (443 if url.scheme == "https" else 80)


def _is_local(host: str) -> bool:
    # RFC 6761, section 6.3: these names always mean the machine itself.
    if f".{host.lower().rstrip('.')}".endswith(".localhost"):
        return True
    try:
        return not is_public(str(ip_address(host)))
    except ValueError:
        return False
