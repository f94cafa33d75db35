"""The person who runs a command, for the audit trail."""

import getpass
import socket

from domain.audit import Actor, operator


def current_operator() -> Actor:
    """Return the operator who runs this command: the user's name on this machine."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        # A container's user may have no name.
        name = "unknown"
    return operator(f"{name}@{socket.gethostname()}")
