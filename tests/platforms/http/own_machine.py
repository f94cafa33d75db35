"""A program that connects to its own machine's public addresses, with interfaces of its own; it prints what came of it.

It prints one line for each address: what the guard said, what it said without the look-up of routes, whether the
operator can allow the address, and how many connections arrived without that.
"""

import asyncio
import ctypes
import fcntl
import socket
import struct
import sys
from unittest.mock import patch

import httpcore

from platforms.http.addresses import AllowedHosts
from platforms.http.guard import AddressForbidden, GuardedBackend
from tests.media.hostile import PUBLIC, PUBLIC_V6

NO_NAMESPACE = 77
"""The exit code if this machine allows no namespaces."""
_NEW_USER, _NEW_NETWORK = 0x10000000, 0x40000000
_SET_ADDRESS, _SET_FLAGS = 0x8916, 0x8914
_UP = 0x1


def enter_namespace() -> None:
    """Enter a namespace without other machines, with one public address of either kind."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_NEW_USER) or libc.unshare(_NEW_NETWORK):
        raise SystemExit(NO_NAMESPACE)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, _SET_FLAGS, struct.pack("16sH14x", b"lo", _UP))
        address = struct.pack("HH4s8x", socket.AF_INET, 0, socket.inet_aton(PUBLIC))
        fcntl.ioctl(control, _SET_ADDRESS, struct.pack("16s16s", b"lo:1", address))
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as control:
        address = socket.inet_pton(socket.AF_INET6, PUBLIC_V6)
        fcntl.ioctl(control, _SET_ADDRESS, struct.pack("16sIi", address, 128, socket.if_nametoindex("lo")))


async def outcome(backend: GuardedBackend, address: str, port: int) -> str:
    """Return what came of connecting to an address."""
    try:
        await (await backend.connect_tcp(address, port, timeout=5)).aclose()
    except (AddressForbidden, httpcore.ConnectError) as error:
        return type(error).__name__
    return "connected"


async def check(address: str) -> None:
    """Connect to a service of this machine that listens everywhere, and print what came of it."""
    arrived = 0

    def accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal arrived
        arrived += 1
        writer.close()

    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    async with await asyncio.start_server(accept, None, 0, family=family) as server:
        port = server.sockets[0].getsockname()[1]
        closed = GuardedBackend(AllowedHosts([]))
        outcomes = [await outcome(closed, address, port), await outcome(closed, address, 1)]
        outcomes.append(await outcome(closed, address, port + 1))
        await asyncio.sleep(0.1)
        before = arrived
        with patch("platforms.http.guard.is_own", return_value=False):
            outcomes.append(await outcome(closed, address, port))
        entry = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
        outcomes.append(await outcome(GuardedBackend(AllowedHosts([entry])), address, port))
    sys.stdout.write(f"{' '.join(outcomes)} {before}\n")


if __name__ == "__main__":
    enter_namespace()
    for public in (PUBLIC, PUBLIC_V6):
        asyncio.run(check(public))
