"""Files at addresses that a model names. They are fetched from the public internet only.

A text that a model has read may steer it. So a name is resolved here, and the connection goes to the address that was
checked: no name can lead to this machine or its network.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

import anyio
import httpx

LARGEST_FILE = 500 * 1024 * 1024
"""Our choice: a model names pictures and clips. Larger files are uploaded by people."""
_LONGEST_S = 300
_MOST_REDIRECTS = 3
_TRANSLATED = tuple(ipaddress.ip_network(network) for network in ("64:ff9b::/96", "2002::/16", "2001::/32"))
"""Networks of IPv6 whose addresses lead to an address of IPv4 (RFC 6052, 3056, 4380)."""
_IS_REDIRECT = range(300, 400)


class FileRefused(Exception):
    """An error: an address is not fetched, or has no file. Its text says why."""


class PublicFiles:
    """Files of the public internet, and of the hosts in `private_hosts` (`host:port`), fetched into a folder."""

    def __init__(self, private_hosts: frozenset[str] = frozenset()) -> None:
        self._private_hosts = private_hosts

    async def fetch(self, url: str, folder: Path) -> Path:
        """Return the path of the fetched file, which has the name that its address ends with. Raises FileRefused."""
        try:
            with anyio.fail_after(_LONGEST_S):
                async with httpx.AsyncClient(trust_env=False) as client:
                    target = httpx.URL(url)
                    for _ in range(_MOST_REDIRECTS + 1):
                        path, location = await self._get(client, target, folder)
                        if location is None:
                            return path
                        target = target.join(location)
        except (httpx.InvalidURL, httpx.HTTPError, UnicodeError) as error:
            raise FileRefused(f"The file could not be fetched ({type(error).__name__}).") from error
        except TimeoutError as error:
            raise FileRefused(f"The file did not come within {_LONGEST_S} seconds.") from error
        raise FileRefused(f"The address leads to another one more than {_MOST_REDIRECTS} times.")

    async def _get(self, client: httpx.AsyncClient, url: httpx.URL, folder: Path) -> tuple[Path, str | None]:
        """Fetch a file; return its path, and the next address if this one redirects."""
        headers = {"Host": url.netloc.decode(), "Accept-Encoding": "identity"}
        address = await self._public_address(url)
        pinned = url.copy_with(host=address, username=None, password=None)
        request = client.build_request("GET", pinned, headers=headers, extensions={"sni_hostname": url.host})
        response = await client.send(request, stream=True)
        try:
            if response.status_code in _IS_REDIRECT and "Location" in response.headers:
                return folder, response.headers["Location"]
            if not response.is_success:
                raise FileRefused(f"The server of the file answered {response.status_code}.")
            path = folder / _name(url)
            size = 0
            with path.open("wb") as file:
                async for chunk in response.aiter_raw():
                    size += len(chunk)
                    if size > LARGEST_FILE:
                        raise FileRefused(f"The file is larger than {LARGEST_FILE // 2**20} MiB.")
                    file.write(chunk)
        finally:
            await response.aclose()
        return path, None

    async def _public_address(self, url: httpx.URL) -> str:
        """Return the address to connect to. Raises FileRefused unless each address of the host is public."""
        port = url.port or {"https": 443, "http": 80}.get(url.scheme)
        if url.scheme not in {"https", "http"} or not url.host or port is None:
            raise FileRefused("The address must begin with https:// and name a host.")
        is_private = f"{url.host}:{port}" in self._private_hosts
        if url.scheme != "https" and not is_private:
            raise FileRefused("The address must begin with https://.")
        try:
            sockets = await asyncio.get_running_loop().getaddrinfo(url.host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise FileRefused("The host of the file is not known.") from error
        addresses = [str(sockaddr[0]) for *_, sockaddr in sockets]
        if not addresses or not (is_private or all(map(is_public, addresses))):
            raise FileRefused("The address is not on the public internet.")
        return addresses[0]


def is_public(address: str) -> bool:
    """Return whether an IP address belongs to the public internet."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return is_public(str(ip.ipv4_mapped))
        if any(ip in network for network in _TRANSLATED):
            return False
    return ip.is_global and not ip.is_multicast


def _name(url: httpx.URL) -> str:
    """Return the last part of an address's path as a file name; it cannot leave its folder."""
    name = PurePosixPath(unquote(url.path).replace("\\", "/")).name.replace("\0", "")
    return name[:100] if name not in {"", ".", ".."} else "file"
