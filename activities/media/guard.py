"""Refuse every connection to an address that is not public, at the moment of connecting.

The check is made on the very address that the socket is then opened to: a name that changes its answer between two
look-ups (DNS rebinding) gains nothing, and neither does a redirect.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence

import httpcore
import httpx

from activities.allowed_hosts import AllowedHosts
from activities.media.addresses import is_public
from activities.transport import Transport

MAX_ADDRESSES = 4
"""Addresses tried of one name; they share the connect timeout."""

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Return the addresses of a host; raises OSError where there are none."""


class AddressForbidden(httpx.ConnectError):
    """A host has no address that may be connected to."""


async def resolve(host: str, port: int) -> Sequence[str]:
    """Ask the system's resolver, in the order it would try the addresses itself."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Open sockets to public addresses only, and to the hosts that the operator allows."""

    def __init__(
        self,
        allowed: AllowedHosts,
        *,
        resolve: Resolve = resolve,
        network: httpcore.AsyncNetworkBackend | None = None,
    ) -> None:
        self._allowed = allowed
        self._resolve = resolve
        self._network = network or httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature is httpcore's
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Resolve, check and connect; raises AddressForbidden where no address of the host is permitted."""
        try:
            async with asyncio.timeout(timeout):
                addresses = await self._resolve(host, port)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(f"{host} was not resolved in time") from error
        except OSError as error:
            raise httpcore.ConnectError(str(error)) from error
        if not self._allowed.allows(host, port):
            addresses = [address for address in addresses if is_public(address)]
            if not addresses:
                raise AddressForbidden(f"{host} is not on the public internet")
        tried = addresses[:MAX_ADDRESSES]
        share = timeout / len(tried) if timeout else None
        for address in tried[:-1]:
            try:
                return await self._network.connect_tcp(address, port, share, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return await self._network.connect_tcp(tried[-1], port, share, local_address, socket_options)

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature is httpcore's
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Refuse: nothing on this machine is public."""
        raise AddressForbidden("unix sockets are not on the public internet")

    async def sleep(self, seconds: float) -> None:
        """Wait between connection retries."""
        await asyncio.sleep(seconds)


class GuardedTransport(Transport):
    """Be httpx's transport over guarded sockets. A client on top must be `trust_env=False`: no proxies."""

    def __init__(
        self,
        allowed: AllowedHosts,
        *,
        resolve: Resolve = resolve,
        network: httpcore.AsyncNetworkBackend | None = None,
    ) -> None:
        super().__init__(GuardedBackend(allowed, resolve=resolve, network=network))
