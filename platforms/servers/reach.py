"""The addresses of platforms' servers. A server that an account names must be public or allowed by the operator."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

import httpx
from pydantic import BaseModel

from domain.printable import error_words
from platforms.base import AnyPlatform
from platforms.capabilities import OwnServers
from platforms.errors import ErrorKind, PlatformError
from platforms.http.addresses import AllowedHosts, Network, is_plain_host
from platforms.http.guard import AddressForbidden, GuardedTransport
from platforms.http.shared_transport import SharedTransport
from platforms.http.wire import OF_OPERATOR

FORBIDDEN = "server_forbidden"
_SETTING = "SOCIALSYNCER_PRIVATE_ACCOUNT_HOSTS"


@dataclass(frozen=True, slots=True)
class Reach:
    """The address at which an account is reached; `named` if the account itself names the server.

    `elsewhere` are replacements for the base URLs of the platform's further hosts, by their usual ones. A server that
    an account names is not trusted, even if a sandbox plays it.
    """

    url: str
    named: bool
    is_trusted: bool = True
    elsewhere: Mapping[str, str] = field(default_factory=dict)


class Servers:
    """The addresses of all platforms. An address that the operator sets is trusted and takes precedence.

    `base_urls` are by platform, or by the usual base URL of a further host of a platform. If there is a sandbox, it
    plays all other platforms.

    Requests to a further host that the operator has set need no other setting, be its address private or not.

    An account whose own server is among `private_hosts` is reached there even if there is a sandbox: a development
    stack beside a real server. The same is true if the server is named by plain http. The transport refuses it if it is
    not allowed, and a sandbox in its place would only hide that.

    Nothing in the `forbidden` networks is called, except hosts that the operator sets or allows.
    """

    def __init__(
        self,
        base_urls: Mapping[str, str] | None = None,
        sandbox_url: str | None = None,
        private_hosts: Collection[str] = (),
        forbidden: Collection[Network] = (),
    ) -> None:
        self._base_urls = dict(base_urls or {})
        self._sandbox_url = sandbox_url.rstrip("/") if sandbox_url else None
        self.private_hosts = tuple(private_hosts)
        self.forbidden = tuple(forbidden)
        self._allowed = AllowedHosts(private_hosts)

    def replacement_hosts(self, platform: AnyPlatform) -> list[str]:
        """Return the hosts, as `host:port`, that the operator has set for a platform instead of its own."""
        urls = [self._base_urls.get(place) for place in (platform.name, *platform.other_base_urls)]
        return [_entry(httpx.URL(url)) for url in (*urls, self._sandbox_url) if url]

    @property
    def further_hosts(self) -> list[str]:
        """Return the hosts, as `host:port`, that the operator has set instead of further hosts of platforms."""
        return [_entry(httpx.URL(url)) for usual, url in self._base_urls.items() if "://" in usual]

    def reach(self, platform: AnyPlatform, credentials: BaseModel) -> Reach:
        """Return the address at which an account is reached."""
        elsewhere = {host: self._base_urls[host] for host in platform.other_base_urls if host in self._base_urls}
        if url := self._base_urls.get(platform.name):
            return Reach(url, named=False, elsewhere=elsewhere)
        url = platform.address(credentials) if isinstance(platform, OwnServers) else platform.base_url
        named = url != platform.base_url
        own = named and (url.startswith("http:") or self._allowed.allows(*_host_and_port(httpx.URL(url))))
        if self._sandbox_url and not own:
            played = self._played(platform)
            all_played = dict.fromkeys(platform.other_base_urls, played)
            # The sandbox plays the further hosts for its own accounts. Before the account is known, a further host is
            # asked for it, and the operator's come first.
            further = all_played | elsewhere if url in platform.other_base_urls else all_played
            return Reach(played, named=False, is_trusted=not named, elsewhere=further)
        return Reach(url, named=named, is_trusted=not named, elsewhere=elsewhere)

    def is_played(self, platform: AnyPlatform, credentials: BaseModel) -> bool:
        """Return whether the sandbox plays the server at which an account is reached."""
        return self._sandbox_url is not None and self.reach(platform, credentials).url == self._played(platform)

    def _played(self, platform: AnyPlatform) -> str:
        return f"{self._sandbox_url}/{platform.name}"


def to_named_servers(
    private_hosts: Collection[str],
    transport: Callable[[AllowedHosts], httpx.AsyncBaseTransport] = GuardedTransport,
    further_hosts: Collection[str] = (),
) -> httpx.AsyncBaseTransport:
    """Return a transport to servers that accounts name.

    It connects by https to public addresses only, and by any scheme to `private_hosts` (`host:port`). If it refuses, it
    raises PlatformError(rejected), and nothing was sent. Requests that a Wire marks as meant for one of `further_hosts`
    are not refused; an account that names such a host as its server is.
    """
    allowed = AllowedHosts(private_hosts)
    to_operators = SharedTransport(transport(AllowedHosts(further_hosts)))
    return _Guard(allowed, SharedTransport(transport(allowed)), to_operators)


class _Guard(httpx.AsyncBaseTransport):
    def __init__(
        self, allowed: AllowedHosts, transport: httpx.AsyncBaseTransport, to_operators: httpx.AsyncBaseTransport
    ) -> None:
        self._allowed = allowed
        self._transport = transport
        self._to_operators = to_operators

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.extensions.get(OF_OPERATOR):
            return await self._to_operators.handle_async_request(request)
        url = request.url
        if not is_plain_host(url.raw_host.decode()):
            raise _forbidden(f"{url.host} is an address in an unusual spelling", allowable=False)
        if url.scheme != "https" and not self._allowed.allows(*_host_and_port(url)):
            raise _forbidden(f"{_entry(url)} is named with http, which sends passwords in clear; name it with https")
        try:
            return await self._transport.handle_async_request(request)
        except AddressForbidden as error:
            raise _forbidden(error_words(error)) from error

    async def aclose(self) -> None:
        await self._transport.aclose()
        await self._to_operators.aclose()


def _entry(url: httpx.URL) -> str:
    _, port = _host_and_port(url)
    host = url.raw_host.decode()
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _host_and_port(url: httpx.URL) -> tuple[str, int]:
    return url.host, url.port or (443 if url.scheme == "https" else 80)


def _forbidden(why: str, *, allowable: bool = True) -> PlatformError:
    hint = f" The operator of this service can allow it by {_SETTING}." if allowable else ""
    return PlatformError(ErrorKind.REJECTED, f"The account's server is not called: {why}.{hint}", code=FORBIDDEN)
