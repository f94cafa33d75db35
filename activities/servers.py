"""Reach the servers of networks: those that accounts name only where the public internet is, or the operator allows."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
from pydantic import BaseModel

from activities.media.addresses import is_plain_host
from activities.media.guard import AddressForbidden, AllowedHosts, GuardedTransport
from platforms.base import Network
from platforms.errors import Kind, NetworkError

FORBIDDEN = "server_forbidden"
_SETTING = "SOCIALSYNCER_ALLOWED_PRIVATE_HOSTS"


@dataclass(frozen=True, slots=True)
class Reach:
    """Say where an account is reached; `named` where the account itself names the server, which nobody vouches for."""

    url: str
    named: bool


def reach(network: Network[Any, Any], credentials: BaseModel, base_urls: Mapping[str, str]) -> Reach:
    """Return where an account is reached; what the operator sets wins and is trusted."""
    if url := base_urls.get(network.platform):
        return Reach(url, named=False)
    url = network.address(credentials)
    return Reach(url, named=url != network.base_url)


def client_of_named_servers(
    allowed_private_hosts: Collection[str],
    transport: Callable[[AllowedHosts], httpx.AsyncBaseTransport] = GuardedTransport,
) -> httpx.AsyncClient:
    """Return a client for servers that accounts name.

    It speaks https with public addresses only, and anything with `allowed_private_hosts` (`host` or `host:port`). Where
    it refuses it raises NetworkError(rejected), and nothing was sent.
    """
    allowed = AllowedHosts(allowed_private_hosts)
    return httpx.AsyncClient(transport=_Guard(allowed, transport(allowed)), trust_env=False)


class _Guard(httpx.AsyncBaseTransport):
    def __init__(self, allowed: AllowedHosts, transport: httpx.AsyncBaseTransport) -> None:
        self._allowed = allowed
        self._transport = transport

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        if not is_plain_host(url.raw_host.decode()):
            raise _forbidden(f"{url.host} is an address in an unusual spelling")
        port = url.port or (443 if url.scheme == "https" else 80)
        if url.scheme != "https" and not self._allowed.allows(url.host, port):
            raise _forbidden(f"{url.host} is named with http, which sends passwords in clear; name it with https", port)
        try:
            return await self._transport.handle_async_request(request)
        except AddressForbidden as error:
            raise _forbidden(f"{url.host} is not on the public internet", port) from error

    async def aclose(self) -> None:
        await self._transport.aclose()


def _forbidden(why: str, port: int | None = None) -> NetworkError:
    hint = f" Whoever runs this service can allow it by {_SETTING}." if port else ""
    return NetworkError(Kind.REJECTED, f"The account's server is not called: {why}.{hint}", code=FORBIDDEN)
