"""Functions that check a port before a part starts."""

import errno
import random
import socket
from collections.abc import Iterable
from contextlib import closing, suppress
from dataclasses import dataclass

from cli.errors import UserError

HOST = "127.0.0.1"
"""All parts listen here only, because a development stack is not for other machines."""
_QUIET_PORTS = range(20_000, 32_000)
"""Linux gives outgoing connections ports from 32768 on, macOS from 49152 on."""


@dataclass(frozen=True, slots=True)
class PortRequest:
    """A requested port, and the option that sets it."""

    option: str
    port: int


def is_free(port: int) -> bool:
    """Return whether a server could listen on the port now."""
    with closing(socket.socket()) as probe, suppress(OSError):
        probe.settimeout(0.5)
        # Some systems let us bind a port although a server listens on it on all addresses.
        if probe.connect_ex((HOST, port)) == 0:
            return False
    with closing(socket.socket()) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """Return a port that is free now.

    It is below the range of ports for outgoing connections. A port of that range could be taken by one before the
    server listens on it.
    """
    for port in random.sample(_QUIET_PORTS, len(_QUIET_PORTS)):
        if is_free(port):
            return port
    raise OSError(errno.EADDRINUSE, "no port is free")


def require_free(port_requests: Iterable[PortRequest]) -> None:
    """Raise UserError, which names the option to change, for the first port that is taken or requested twice."""
    seen: dict[int, str] = {}
    for request in port_requests:
        if request.port in seen:
            raise UserError(
                f"{seen[request.port]} and {request.option} are both {request.port}: choose two different ports."
            )
        seen[request.port] = request.option
        if not is_free(request.port):
            raise UserError(f"Port {request.port} is in use: choose another one with {request.option} PORT.")
