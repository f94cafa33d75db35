"""The addresses of this machine: its services may accept requests from it that they refuse to strangers.

A firewall lets packets to an own public address pass, because they never leave the machine.
"""

import socket

_ANY_PORT = 9


def is_own(address: str) -> bool:
    """Return whether an address belongs to this machine. Nothing is sent: the system only looks up the route."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((address, _ANY_PORT))
            return bool(probe.getsockname()[0] == probe.getpeername()[0])
    except OSError:
        # There is no route, so a connection fails as well.
        return False
