"""The transports of one process for all its outgoing requests: to platforms, servers of accounts and hosts of media."""

from typing import Annotated
from urllib.parse import urlsplit

import httpx
from pydantic import AfterValidator

from platforms.base import AnyPlatform
from platforms.http.addresses import AllowedHosts
from platforms.http.guard import GuardedTransport
from platforms.http.resolver import OWN_NAMES, STRANGE_NAMES, PlatformNames, Resolver
from platforms.servers.reach import Servers, to_named_servers


def _server(address: str) -> str:
    address = address.strip()
    parts = urlsplit(address if "://" in address else f"https://{address}")
    beyond = parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc
    whole = f"{parts.scheme}://{parts.netloc.lower()}"
    if parts.scheme not in {"http", "https"} or not parts.hostname or beyond or not _can_be_asked(whole):
        raise ValueError("must be the address of a server, such as https://social.example")
    return whole


def _can_be_asked(url: str) -> bool:
    """Return whether a request to an address can be made at all."""
    try:
        return bool(httpx.URL(url).host)
    except httpx.InvalidURL:
        return False


ServerAddress = Annotated[str, AfterValidator(_server)]
"""A server's address as scheme, host and port only; https if its owner wrote no scheme."""


def origin(address: str) -> str | None:
    """Return scheme, host and port of a web address in one spelling for comparison; None if it is no web address."""
    try:
        parts = urlsplit(address)
        port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    except (ValueError, KeyError):
        return None
    return f"{parts.scheme}://{parts.hostname.rstrip('.')}:{port}" if parts.hostname else None


class Outgoing:
    """Transports that share their DNS look-ups and their certificates.

    All of them connect to public addresses only, and to the hosts that the operator allows. Hosts that accounts,
    clients and responses name are looked up apart from the platforms' own hosts.
    """

    def __init__(self, servers: Servers) -> None:
        self._servers = servers
        self._context = httpx.create_ssl_context(trust_env=False)
        self._own_names = Resolver(OWN_NAMES)
        self._strange_names = Resolver(STRANGE_NAMES)

    def to_platform(self, platform: AnyPlatform) -> GuardedTransport:
        """Return a transport to a platform, unless it is a server that an account names.

        A sandbox, or another base URL that the operator has set for the platform, may have a private address.
        """
        hosts = self._servers.replacement_hosts(platform)
        domains = (*platform.own_domains, *(host.rpartition(":")[0] for host in hosts))
        names = PlatformNames(domains, self._own_names, self._strange_names)
        return GuardedTransport(
            AllowedHosts(hosts), names=names, context=self._context, domains=domains, forbidden=self._servers.forbidden
        )

    def to_named_servers(self) -> httpx.AsyncBaseTransport:
        """Return a transport to servers that accounts name."""
        return to_named_servers(self._servers.private_hosts, self.to_named_hosts, self._servers.further_hosts)

    def to_named_hosts(self, allowed: AllowedHosts) -> GuardedTransport:
        """Return a transport to hosts that clients name."""
        return GuardedTransport(
            allowed, names=self._strange_names, context=self._context, forbidden=self._servers.forbidden
        )
