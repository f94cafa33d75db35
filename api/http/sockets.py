"""Limits on the sockets that the API holds open, in all and for each peer, so that one peer cannot use them up."""

import sys
from asyncio import BaseTransport
from collections import Counter
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from ipaddress import IPv6Address, ip_address
from socket import IPPROTO_TCP

from api.http.unread import MOST_UNREAD
from domain.shares import Shares

MOST_CONNECTIONS = 2_000
MOST_PER_ADDRESS = 1_000

_SPARE = 100
"""Connections beyond a limit that still get an answer; more are closed immediately."""


_TCP_INFO = 11
_AGE = slice(52, 56)
"""The place of `tcpi_last_data_recv` in Linux's `struct tcp_info`: milliseconds since the last bytes came."""
_TICK_MS = 10
"""The longest tick in which the kernel counts."""


class Admission(Enum):
    """The treatment of a new connection."""

    SERVED = auto()
    REFUSED = auto()
    """An answer that says that the API is busy."""
    CLOSED = auto()


class OpenSockets:
    """The open sockets of one process, counted by their peers' addresses.

    Behind a proxy all of them come from one address, so the second limit must be as high as the first there.
    """

    def __init__(
        self, most: int = MOST_CONNECTIONS, most_per_address: int = MOST_PER_ADDRESS, most_unread: int = MOST_UNREAD
    ) -> None:
        self.unread = Shares(most_unread)
        """The bytes of answers that clients have not read, by workspace."""
        self.draining = False
        """The process ends soon: each answer ends its connection, and a balancer is told to use other processes."""
        self._most = most
        self._most_per_address = most_per_address
        self._open: Counter[str] = Counter()
        self._all = 0

    def enter(self, address: str) -> Admission:
        """Count a connection and decide how it is treated."""
        peer = _peer(address)
        self._open[peer] += 1
        self._all += 1
        over = max(self._all - self._most, self._open[peer] - self._most_per_address)
        return Admission.SERVED if over <= 0 else Admission.REFUSED if over <= _SPARE else Admission.CLOSED

    def leave(self, address: str) -> None:
        """Remove a connection from the count."""
        peer = _peer(address)
        self._all -= 1
        self._open[peer] -= 1
        if not self._open[peer]:
            del self._open[peer]


def arrival_time(transport: BaseTransport) -> datetime:
    """Return when the last bytes of a connection came, also if this process stood still and read them later.

    On Linux the kernel knows; on other systems it is the present.
    """
    now, age_ms = datetime.now(UTC), 0
    try:
        info = transport.get_extra_info("socket").getsockopt(IPPROTO_TCP, _TCP_INFO, _AGE.stop)
        age_ms = int.from_bytes(info[_AGE], sys.byteorder)
    except (AttributeError, OSError):
        pass
    # A caller who has just read an outcome must not count as one who asked before it.
    return now - timedelta(milliseconds=age_ms) if age_ms > _TICK_MS else now


def _peer(address: str) -> str:
    """Return the address under which a peer is counted: its /64 for IPv6, in which it may choose its addresses."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is None:
        return parsed.exploded[:19]
    return address
