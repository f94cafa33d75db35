"""HTTP as uvicorn speaks it, within bounds, and with every refusal in the API's own shape.

Requests that the parser refuses never reach the app. uvicorn itself bounds neither their heads nor the time they take.
"""

from asyncio import TimerHandle, Transport
from enum import Enum, auto
from http import HTTPStatus
from typing import Any, cast

import uuid_utils
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api.errors import error_response, error_type
from api.http.middleware import SLOWEST_UPLOAD, is_upload, refuse
from api.http.sockets import Admission, AnswerTransport, OpenSockets, Unread, arrival_time
from domain.errors import Problem

KEEP_ALIVE_S = 75
"""For how long a connection may idle. Clients and proxies should be first to give one up (httpx after 5 s, nginx and
most load balancers after 60 s). If the API closes a connection while a request is sent, the client cannot know whether
it has arrived."""

LARGEST_HEAD = 64 * 1024
"""Bytes of a request's first line and headers."""
LONGEST_ADDRESS = 16 * 1024
"""Bytes of a request's address with its query. The longest that this API has a use for are well below 8 KiB."""
_LARGEST_FRAMING = 256 * 1024
"""Bytes of a body that are not content: the sizes of its chunks, and what follows the last."""
_CONTENT_PER_FRAMING = 64
"""Bytes of a file for which it may have one more byte of framing: chunks of 1 KiB need half as much."""
_LINGER_S = 1.0
_PIECE = 16 * 1024
"""Bytes that are given to the parser at a time, so that no limit is exceeded by much."""
READ_AHEAD = 2**20
"""Bytes of a file that are read from the client while those before them are written to the disk."""

_UNREADABLE = Problem("The request is not valid HTTP; does a header hold a control character?", "invalid_request")
_TOO_LONG = Problem(f"The request's address is longer than {LONGEST_ADDRESS // 1024} KiB", "address_too_long")
_TOO_LARGE = Problem(f"The request's headers are larger than {LARGEST_HEAD // 1024} KiB", "headers_too_large")
_TOO_SLOW = Problem("The request did not arrive in time", "request_timeout")
_BUSY = Problem("Too many connections are open; please try again", "unavailable")


class _Part(Enum):
    HEAD = auto()
    BODY = auto()


class ApiProtocol(HttpToolsProtocol):
    """One connection. `open_sockets` is shared by all of a process."""

    head_s = 10.0
    """Seconds in which a request's head must arrive, from its first byte or from the connection's beginning."""
    body_s = 60.0
    """Seconds in which a body must arrive: 1 MiB at 18 kB/s. A file must bring SLOWEST_UPLOAD in each of them."""

    def __init__(self, *args: Any, open_sockets: OpenSockets | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.timeout_keep_alive = KEEP_ALIVE_S
        self._open = open_sockets or OpenSockets()
        self._admission = Admission.SERVED
        self._unread: Unread | None = None
        self.url = b""
        self._part = _Part.HEAD
        self._begun = False
        self._complete = False
        self._refused = False
        self._beside_content = 0
        self._is_upload = False
        self._uploaded = 0
        self._reads_ahead = False
        self._deadline: TimerHandle | None = None

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._admission = self._open.enter(self._address)
        if self._admission is Admission.CLOSED:
            transport.abort()
        else:
            self._unread = Unread(transport, self.loop, self._open.unread)
            self._wait_for(_Part.HEAD)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing more."""
        self._open.leave(self._address)
        self._stop_waiting()
        if self._unread is not None:
            self._unread.close()
        super().connection_lost(exc)

    @property
    def _address(self) -> str:
        return self.client[0] if self.client else ""

    # Received parts

    def data_received(self, data: bytes) -> None:
        """Parse what has come."""
        if self._refused:
            return
        self._complete = False
        rest = memoryview(data)
        while rest:
            # One read of the socket brings 256 KiB of a file at most.
            length = len(rest) if self._reads_ahead else _PIECE
            piece, rest = rest[:length], rest[length:]
            self._beside_content += len(piece)
            super().data_received(cast("bytes", piece))
            if self._refused or self.transport.is_closing():
                return
            if self._part is _Part.HEAD and self._beside_content > LARGEST_HEAD:
                self._refuse(431, _TOO_LARGE)
                return
            if self._part is _Part.BODY and self._beside_content > _LARGEST_FRAMING:
                self._refuse(400, _UNREADABLE)
                return
        if self._deadline is None and not self._complete:
            # Nearly every request comes in one piece, which needs no timer: a timer is a tenth of a request's cost.
            self._wait_for(self._part)

    def on_message_begin(self) -> None:
        """Record that a request has begun."""
        super().on_message_begin()
        self.scope["state"].update(unread=self._unread, draining=self._open.draining, read_ahead=self._read_ahead)
        self.scope["state"]["received_at"] = arrival_time(self.transport)
        self._begun, self._part, self._beside_content, self._complete = True, _Part.HEAD, 0, False

    def on_url(self, url: bytes) -> None:
        """Take a piece of the address. Raises ValueError, which ends the parsing, if it is too long."""
        super().on_url(url)
        if len(self.url) > LONGEST_ADDRESS:
            raise ValueError("the address is too long")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; those behind a body are not used and not kept.

        Raises ValueError for an encoding of the body that nothing here reads (RFC 9112, 6.1).
        """
        if self._part is _Part.HEAD:
            if name.lower() == b"transfer-encoding" and value.strip().lower() != b"chunked":
                raise ValueError("the body's encoding is not known")
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Start the app. If uvicorn cannot read the address, this raises and the request is still in its head."""
        self._beside_content = 0
        served = self.app
        if self._open.draining:
            # As if the client had asked for it: uvicorn then says so in the answer, too.
            self.headers.append((b"connection", b"close"))
        if self._admission is Admission.REFUSED and not self.url.startswith(b"/healthz"):
            self.app = _answer_busy
        try:
            super().on_headers_complete()
        finally:
            self.app = served
        self._stop_waiting()
        self._part = _Part.BODY
        self._is_upload, self._uploaded = is_upload(self.scope["method"], self.scope["raw_path"]), 0
        self._reads_ahead = False
        if self.parser.should_upgrade() or self._open.draining:
            # The parser reads nothing behind a request that asks for another protocol.
            self.cycle.keep_alive = False
        close = self.transport.close
        if not self.cycle.keep_alive:
            close = self._close_when_read
        elif self._is_upload:
            # A refusal of a file ends the connection, and comes while the client still sends.
            close = self._close_upload
        answer_transport = AnswerTransport(self.transport, self.cycle, close)
        self.cycle.transport = answer_transport  # type: ignore[assignment]
        self.cycle.scope["state"]["answer_transport"] = answer_transport

    def on_response_complete(self) -> None:
        """Continue with the next request, unless the connection ends with this one."""
        if not self._refused:
            super().on_response_complete()

    def on_body(self, body: bytes) -> None:
        """Pass content to the app."""
        self._beside_content -= len(body)
        if self._is_upload:
            self._uploaded += len(body)
            # The framing of a file grows with it.
            self._beside_content = max(0, self._beside_content - len(body) // _CONTENT_PER_FRAMING)
        if self._reads_ahead and not self.cycle.response_complete:
            self.cycle.body += body
            if len(self.cycle.body) >= READ_AHEAD:
                self.flow.pause_reading()
            self.cycle.message_event.set()
        else:
            super().on_body(body)

    def _read_ahead(self) -> None:
        """Let up to READ_AHEAD bytes of the body come before the app asks for them."""
        self._reads_ahead = True

    def on_message_complete(self) -> None:
        """Record that a request is complete."""
        super().on_message_complete()
        self._begun, self._part, self._beside_content, self._complete = False, _Part.HEAD, 0, True
        self._stop_waiting()
        if self.cycle.response_complete and not self.transport.is_closing():
            # It was answered before its body had come. uvicorn lets such a connection idle without end.
            self._unset_keepalive_if_required()
            self.timeout_keep_alive_task = self.loop.call_later(KEEP_ALIVE_S, self.timeout_keep_alive_handler)

    def _unsupported_upgrade_warning(self) -> None:
        """Log no warning: a request to upgrade to another protocol is answered in this one."""

    # Parts that do not come in time

    def _wait_for(self, part: _Part) -> None:
        self._stop_waiting()
        self._part = part
        self._deadline = self.loop.call_later(self.head_s if part is _Part.HEAD else self.body_s, self._on_late)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _on_late(self) -> None:
        self._deadline = None
        if self.transport.is_closing():
            return
        if self._part is _Part.BODY and (self.flow.read_paused or self._is_fast()):
            # The app is late and not the client, or a large file is on its way.
            self._uploaded = 0
            self._wait_for(_Part.BODY)
        elif self._begun:
            self._refuse(408, _TOO_SLOW)
        else:
            self.transport.close()

    def _is_fast(self) -> bool:
        return self._is_upload and self._uploaded >= SLOWEST_UPLOAD * self.body_s

    def pause_writing(self) -> None:
        """Begin to measure how fast the client reads."""
        super().pause_writing()
        if self._unread is not None:
            self._unread.watch()

    def resume_writing(self) -> None:
        """Give back the part of the budget that the client has read."""
        super().resume_writing()
        if self._unread is not None:
            self._unread.shrink()

    def timeout_keep_alive_handler(self) -> None:
        """Close an idle connection; drop one whose client has not read its last answer, which the kernel would keep."""
        if self._unread is not None and self._unread.size:
            self.transport.abort()
        else:
            super().timeout_keep_alive_handler()

    def _close_when_read(self) -> None:
        """Close the connection once its client has taken the answer, or takes no more of it.

        The kernel would keep the answer of a connection that is closed earlier, and nothing would count it.
        """
        self._refused = True
        self._stop_waiting()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.flow.resume_reading()
        self._linger(None)

    def _close_upload(self) -> None:
        """Close the connection of a file that was refused, a moment after the answer."""
        self._refused = True
        self._stop_waiting()
        self._close_soon()

    def _linger(self, before: int | None) -> None:
        size = self._unread.size if self._unread is not None else 0
        if not size:
            self.transport.close()
        elif size == before:
            self.transport.abort()
        else:
            self._deadline = self.loop.call_later(Unread.check_s, self._linger, size)

    # Refusals

    def send_400_response(self, msg: str) -> None:
        """Refuse a request that cannot be parsed, and close: the beginning of the next request is unknown."""
        if len(self.url) > LONGEST_ADDRESS:
            self._refuse(414, _TOO_LONG)
        else:
            self._refuse(400, _UNREADABLE)

    def _refuse(self, status: int, problem: Problem) -> None:
        """Close the connection, with an answer if none is under way."""
        self._refused = True
        self._stop_waiting()
        if not self._may_answer():
            self.transport.close()
        else:
            answer = error_response(status, [problem], error_type(status))
            head = (
                f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
                "content-type: application/json",
                f"content-length: {len(answer.content)}",
                "connection: close",
                f"x-request-id: {uuid_utils.uuid7().hex}",
            )
            self.transport.write("\r\n".join((*head, "", "")).encode("ascii") + answer.content)
            self._close_soon()

    def _close_soon(self) -> None:
        """Read and discard the rest: if the connection closed now, the client's system could drop the answer."""
        if self.cycle is not None:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.flow.resume_reading()
        self._deadline = self.loop.call_later(_LINGER_S, self.transport.close)

    def _may_answer(self) -> bool:
        cycle = self.cycle
        if cycle is None or cycle.response_complete:
            # The answer to a request whose head has come is sent already.
            return self._part is _Part.HEAD
        return self._part is _Part.BODY and not cycle.response_started and not self.pipeline


async def _answer_busy(_scope: Any, _receive: Any, send: Any) -> None:
    request_id = (b"x-request-id", uuid_utils.uuid7().hex.encode())
    await refuse(503, _BUSY, send, (b"connection", b"close"), (b"retry-after", b"1"), request_id)
