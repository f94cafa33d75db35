"""The sockets that the API holds open, the answers that clients have not read, and how answers are written.

Without a budget and a slowest speed, clients that ask and do not read would fill the memory of the process and of the
system's kernel.
"""

import fcntl
import socket
import struct
import sys
import termios
from asyncio import AbstractEventLoop, BaseTransport, TimerHandle, Transport
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from ipaddress import IPv6Address, ip_address
from socket import IPPROTO_TCP

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from domain.shares import Exhausted, Share, Shares

MOST_UNREAD = 256 * 2**20
"""Bytes of answers that the clients of one process have not read. Clients of one workspace get half of them at most."""
LARGE = 64 * 1024
"""Bytes. A smaller answer does not count: the number of connections limits those."""
SEND_BUFFER = 256 * 1024
"""Bytes of answers, with the kernel's own data about them, that the kernel keeps for a connection."""
PIECE = 256 * 1024
"""Bytes of a file that are read from the database at a time."""
_STREAMED = SEND_BUFFER + 2 * PIECE
"""Bytes that an answer takes at most if it is sent in pieces: in the kernel, in the transport, and the next piece."""
SLOWEST = 16 * 1024
"""Bytes a second that a client must read while a large answer waits for it."""
SILENT_S = 30
"""Seconds after which the kernel drops a client whose system takes nothing of an answer."""
_TCP_USER_TIMEOUT = getattr(socket, "TCP_USER_TIMEOUT", None)
"""Linux only (tcp(7)). There it also ends connections whose reader has closed its window."""


class Unread:
    """The bytes that the client of one connection has not read; all connections of a process share the `budget`."""

    check_s = 5.0
    """Seconds over which a client's speed is measured."""

    def __init__(self, transport: Transport, loop: AbstractEventLoop, budget: Shares) -> None:
        self._transport = transport
        self._socket: socket.socket | None = transport.get_extra_info("socket")
        self._loop = loop
        self._budget = budget
        self._share: Share | None = None
        self._is_complete = True
        self._written = 0
        self._taken = 0
        self._timer: TimerHandle | None = None
        if self._socket is not None:
            # Linux doubles the number, for its own data (socket(7)).
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER // 2)
            if _TCP_USER_TIMEOUT is not None:
                with suppress(OSError):
                    self._socket.setsockopt(socket.IPPROTO_TCP, _TCP_USER_TIMEOUT, SILENT_S * 1000)

    @property
    def size(self) -> int:
        """Return how many bytes the client's system has not taken."""
        return self._transport.get_write_buffer_size() + self._size_in_kernel()

    def begin(self, holder: str, size: int, *, is_complete: bool) -> bool:
        """Take what an answer needs; False if `holder` has its share of the budget.

        `size` is that of the first piece, which is the whole answer if it `is_complete`.
        """
        amount = size if is_complete else _STREAMED
        if amount <= LARGE:
            return True
        try:
            if self._share is not None and self._share.holder == holder:
                self._share.resize(amount + self.size)
            else:
                share = self._budget.take(holder, amount + self.size)
                self._release()
                self._share = share
        except Exhausted:
            # The share of an earlier answer stays: its client has not read that.
            return False
        self._is_complete = False
        self.watch()
        return True

    def add(self, size: int, *, is_complete: bool) -> None:
        """Record that a piece is written; the last piece of a stream is empty."""
        self._written += size
        if is_complete:
            self._is_complete = True
            if not size:
                self.shrink()

    def watch(self) -> None:
        """Begin to measure the client's speed, unless that has begun."""
        if self._timer is None:
            self._taken = self._written - self.size
            self._timer = self._loop.call_later(self.check_s, self._check)

    def shrink(self) -> None:
        """Release the part of the share that the answer needs no more, once the transport has passed most of it on."""
        if self._share is not None and self._is_complete:
            if (size := self.size) <= LARGE:
                self._release()
            elif size < self._share.amount:
                self._share.resize(size)

    def close(self) -> None:
        """Give everything back: the connection is closed."""
        self._release()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _check(self) -> None:
        self._timer = None
        if self._transport.is_closing() and not self._transport.get_write_buffer_size():
            return
        size = self.size
        taken, self._taken = self._taken, self._written - size
        if size > LARGE and self._taken - taken < SLOWEST * self.check_s:
            self._transport.abort()
            return
        self.shrink()
        if size > LARGE or self._share is not None:
            self._timer = self._loop.call_later(self.check_s, self._check)

    def _release(self) -> None:
        if self._share is not None:
            self._share.release()
            self._share = None

    def _size_in_kernel(self) -> int:
        """Return how many bytes the kernel keeps, also those whose receipt the client's system has not confirmed."""
        if self._socket is None:
            return 0
        try:
            return int(struct.unpack("i", fcntl.ioctl(self._socket.fileno(), termios.TIOCOUTQ, b"\0\0\0\0"))[0])
        except (OSError, ValueError):
            return 0


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


class AnswerTransport:
    """A transport that writes the head of an answer together with the first piece of its body.

    uvicorn writes them one after the other, and each write is a call of the system, which costs more than anything else
    in a short answer. The app sends nothing before it has the first piece (`api.http.middleware`).
    """

    def __init__(self, transport: Transport, cycle: RequestResponseCycle, close: Callable[[], None]) -> None:
        self.close = close
        self.is_closing = transport.is_closing
        self.head_lines = b""
        """Lines of the head, each with its end, that the app has written itself: uvicorn would look at each."""
        self._write = transport.write
        self._cycle = cycle
        # uvicorn writes no body of an answer to HEAD.
        self._has_body = cycle.scope["method"] != "HEAD"
        self._head = b""
        self._is_head_written = False

    def write(self, data: bytes) -> None:
        """Write a part of the answer, or keep it if it is the head."""
        if self._is_head_written or not self._cycle.response_started:
            # Before the answer comes 100 Continue, without which the client sends no body.
            self._write(data)
        elif not self._head:
            # The head ends with an empty line.
            self._head = data[:-2] + self.head_lines + data[-2:]
            if not self._has_body:
                self._is_head_written = True
                self._write(self._head)
        else:
            self._is_head_written = True
            self._write(self._head + data)
