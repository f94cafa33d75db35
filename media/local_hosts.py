"""Addresses of media that are refused by themselves, without a look-up: local hosts, ports that are not called."""

from collections.abc import Collection
from ipaddress import ip_address

import httpx

from media.example_hosts import Samples
from platforms.http.addresses import AllowedHosts, is_public, is_public_port, parse_url


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
