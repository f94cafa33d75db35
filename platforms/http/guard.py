"""A guard that refuses every connection to an address that is not public or is this machine's own, when connecting.

The check applies to the very address to which the socket is opened. So neither a name that changes its address between
two look-ups (DNS rebinding) nor a redirect can evade it.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from functools import partial
from typing import Protocol

import httpcore
import httpx

from domain.printable import error_words
from platforms.http.addresses import AllowedHosts, Network, is_own, is_public, is_public_port, is_within
from platforms.http.answers import OF_PLATFORM
from platforms.http.bounded_answers import BoundedBody, BoundedHeads, exchanging
from platforms.http.resolver import Resolver, workspace
from platforms.http.transport import Transport

MAX_ADDRESSES = 4
"""Most addresses of one name that are tried."""
_STAGGER_S = 0.25
"""Seconds before the next address of a host is tried in parallel; source: RFC 8305, section 8."""


class Names(Protocol):
    """A resolver of host names."""

    async def resolve(self, host: str) -> Sequence[str]:
        """Return the addresses of a host. Raises OSError if there are none."""
        ...

    def forget(self, host: str) -> None:
        """Forget the host's addresses, which do not respond: the next request resolves it again."""
        ...


class AddressForbidden(httpx.ConnectError):
    """Error: a host has no address that a connection may be made to."""


class PortForbidden(AddressForbidden):
    """Error: no connection is made to a port, whatever the host."""


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """httpcore's own connections, but only to public addresses and to the hosts that the operator allows.

    Other machines' public addresses, that is, outside of the `forbidden` networks, at the ports of public servers.
    """

    def __init__(
        self,
        allowed: AllowedHosts,
        *,
        names: Names | None = None,
        network: httpcore.AsyncNetworkBackend | None = None,
        forbidden: Collection[Network] = (),
    ) -> None:
        self._allowed = allowed
        self._forbidden = forbidden
        self._names = names or Resolver()
        self._network = network or httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature is httpcore's
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Resolve, check and connect. Raises AddressForbidden if the port or each address of the host is forbidden."""
        is_allowed = self._allowed.allows(host, port)
        if not is_allowed and not is_public_port(port):
            raise PortForbidden(f"port {port} is not called, only 80, 443, and 1024 and above")
        try:
            async with asyncio.timeout(timeout):
                addresses = await self._names.resolve(host)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(f"{host} was not resolved in time") from error
        except OSError as error:
            raise httpcore.ConnectError(error_words(error)) from error
        if not is_allowed:
            addresses = [
                address for address in addresses if is_public(address, self._forbidden) and not is_own(address)
            ]
            if not addresses:
                raise _forbidden(host, port)
        connect = self._network.connect_tcp if is_allowed else self._connect_to_another
        try:
            return await _first_connection(
                [
                    partial(connect, address, port, timeout, local_address, socket_options)
                    for address in addresses[:MAX_ADDRESSES]
                ]
            )
        except (httpcore.ConnectError, httpcore.ConnectTimeout):
            self._names.forget(host)
            raise

    async def _connect_to_another(
        self,
        address: str,
        port: int,
        timeout: float | None,  # noqa: ASYNC109
        local_address: str | None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to another machine. Raises AddressForbidden for this one, whatever its routes were shortly before."""
        stream = await self._network.connect_tcp(address, port, timeout, local_address, socket_options)
        if (local := stream.get_extra_info("client_addr")) and local[0] == address:
            await stream.aclose()
            raise _forbidden(address, port)
        return stream

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature is httpcore's
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Refuse, because nothing on this machine is public."""
        raise AddressForbidden("unix sockets are not on the public internet")

    async def sleep(self, seconds: float) -> None:
        """Wait between connection retries."""
        await asyncio.sleep(seconds)


class GuardedTransport(Transport):
    """An httpx transport over guarded connections. Its client must be `trust_env=False`: no proxies.

    A request names its workspace in the extension `workspace`, because workspaces share the look-ups of hosts. Hosts
    outside of `domains` are strangers, whose responses are read up to a smaller bound.
    """

    def __init__(
        self,
        allowed: AllowedHosts,
        *,
        names: Names | None = None,
        network: httpcore.AsyncNetworkBackend | None = None,
        context: ssl.SSLContext | None = None,
        domains: Collection[str] = (),
        forbidden: Collection[Network] = (),
    ) -> None:
        guarded = GuardedBackend(allowed, names=names, network=network, forbidden=forbidden)
        super().__init__(BoundedHeads(guarded), context=context)
        self._domains = domains

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request.

        Raises AddressForbidden, SessionHeld inside a database transaction, and httpx.RemoteProtocolError if reading
        the response is too much work, be it now or later.
        """
        token = workspace.set(str(request.extensions.get("workspace", "")))
        try:
            with exchanging(request):
                response = await super().handle_async_request(request)
        finally:
            workspace.reset(token)
        if isinstance(response.stream, httpx.AsyncByteStream):
            response.stream = BoundedBody(response.stream)
        response.extensions[OF_PLATFORM] = is_within(request.url.host, self._domains)
        return response


def _forbidden(host: str, port: int) -> AddressForbidden:
    return AddressForbidden(f"{host}:{port} is not on the public internet, or is this service's own machine")


_Connect = Callable[[], Awaitable[httpcore.AsyncNetworkStream]]


async def _first_connection(connects: Sequence[_Connect]) -> httpcore.AsyncNetworkStream:
    """Return the connection that is made first. The next attempt begins after a moment, or once one has failed.

    Raises the last failure if all fail.
    """
    waiting, running = deque(connects), set[asyncio.Future[httpcore.AsyncNetworkStream]]()
    failure: BaseException = httpcore.ConnectError("the host has no address")
    try:
        while waiting or running:
            if waiting:
                running.add(asyncio.ensure_future(waiting.popleft()()))
            ended, _ = await asyncio.wait(
                running, timeout=_STAGGER_S if waiting else None, return_when=asyncio.FIRST_COMPLETED
            )
            for attempt in ended:
                running.remove(attempt)
                if (error := attempt.exception()) is None:
                    return attempt.result()
                failure = error
        raise failure
    finally:
        for attempt in running:
            attempt.cancel()
        for late in await asyncio.gather(*running, return_exceptions=True):
            if isinstance(late, httpcore.AsyncNetworkStream):
                await late.aclose()
