"""The hosts of a domain, and the hosts that the operator allows to have a private address or to use plain http."""

import re
from collections.abc import Collection


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
