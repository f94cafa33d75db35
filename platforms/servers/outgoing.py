"""The transports of one process for all its outgoing requests: to platforms, servers of accounts and hosts of media."""

import httpx

from platforms.base import AnyPlatform
from platforms.http.addresses import AllowedHosts
from platforms.http.guard import GuardedTransport
from platforms.http.resolver import OWN_NAMES, STRANGE_NAMES, PlatformNames, Resolver
from platforms.servers.reach import Servers, to_named_servers


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
