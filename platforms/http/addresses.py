"""Untrusted addresses: those of media, redirects and responses, and which are public, allowed or this machine's own."""

import re
import socket
from collections.abc import Collection
from ipaddress import AddressValueError, IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

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


Network = IPv4Network | IPv6Network

_CLOSED_V4 = tuple(
    IPv4Network(block)
    for block in (
        # IANA's special-purpose registry (RFC 6890), listed here because ipaddress.is_global differs between Python
        # patches.
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        # Azure's platform endpoint: a public address by the registry, but reachable inside every virtual machine.
        "168.63.129.16/32",
    )
)

_GLOBAL_V6 = IPv6Network("2000::/3")
"""The only block of global unicast at IANA; loopback, unique local, link-local and multicast lie outside of it."""

_CLOSED_V6 = tuple(
    IPv6Network(block)
    for block in (
        "2001::/23",  # protocol assignments, Teredo (which embeds IPv4 addresses) among them
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4, which embeds IPv4 addresses and is no longer in use (RFC 7526)
        "3fff::/20",  # documentation
    )
)

_NAT64 = IPv6Network("64:ff9b::/96")
"""The prefix by which IPv6-only networks reach IPv4 (RFC 6052): as public as the IPv4 address in the last 32 bits."""


def is_public(address: str, forbidden: Collection[Network] = ()) -> bool:
    """Return whether an address as a resolver writes it belongs to the public internet and to no forbidden network."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    if any(parsed in network for network in forbidden):
        return False
    if isinstance(parsed, IPv4Address):
        return not any(parsed in block for block in _CLOSED_V4)
    if parsed.scope_id is not None:
        return False
    if parsed in _NAT64:
        return is_public(str(IPv4Address(int(parsed) & 0xFFFFFFFF)), forbidden)
    return parsed in _GLOBAL_V6 and not any(parsed in block for block in _CLOSED_V6)


def is_public_port(port: int) -> bool:
    """Return whether servers on the public internet are called at a port: the ports of the web and unprivileged ones.

    The other ports below 1024 belong to mail, file sharing and the like.
    """
    return port in {80, 443} or port >= 1024


def is_plain_host(host: str) -> bool:
    """Return whether a URL's host is a name or an address in its usual notation.

    Resolvers read `2130706433`, `0x7f.1` and `0177.0.0.1` as addresses; honest media URLs are not written like that. A
    name that ends in a number is an address by the WHATWG URL standard, so everything but a dotted quad is refused.
    """
    if ":" in host:
        try:
            return IPv6Address(host).scope_id is None
        except AddressValueError:
            return False
    labels = host.rstrip(".").split(".")
    last = labels[-1].lower()
    if not last:
        return False
    if last.isdigit() or last.startswith("0x"):
        try:
            IPv4Address(host)
        except AddressValueError:
            return False
    return True


def is_within(host: str, domains: Collection[str]) -> bool:
    """Return whether a host is one of the domains or a subdomain of one."""
    host = host.lower()
    return any(host == domain or host.endswith(f".{domain}") for domain in domains)


_ENTRY = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<name>[^\s:/@?#\[\]]+)):(?P<port>[0-9]{1,5}|\*)")


class AllowedHosts:
    """A set of hosts, each with the port at which it is allowed.

    Entries are `host:port`, written as in the URLs; an IPv6 address stands in brackets. `host:*` allows every port.
    Raises ValueError for others: a forgotten port would open every service of that machine.
    """

    def __init__(self, entries: Collection[str]) -> None:
        self._entries = frozenset(_host_and_port(entry) for entry in entries)

    def allows(self, host: str, port: int) -> bool:
        """Return whether a host, written as in the URL, may have a private address at this port."""
        return not self._entries.isdisjoint({(host.lower(), str(port)), (host.lower(), "*")})


def _host_and_port(entry: str) -> tuple[str, str]:
    parts = _ENTRY.fullmatch(entry)
    if parts is None or (parts["port"] != "*" and not 0 < int(parts["port"]) < 2**16):
        raise ValueError(f"{entry!r} is not host:port; write for example nas.lan:8443, 10.0.0.7:80 or [fd00::7]:443")
    return (parts["v6"] or parts["name"]).lower(), parts["port"].lstrip("0")


_ANY_PORT = 9


def is_own(address: str) -> bool:
    """Return whether an address belongs to this machine. Nothing is sent: the system only looks up the route."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((address, _ANY_PORT))
            return bool(probe.getsockname()[0] == probe.getpeername()[0])
    except OSError:
        # There is no route, so a connection fails as well.
        return False
