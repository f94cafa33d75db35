"""The connection as uvicorn's cycle of one request uses it."""

from asyncio import Transport
from collections.abc import Callable

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle


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
