"""The surroundings of every request: its id, its log line, its headers, and the treatment of files by their paths.

Bodies of files may be larger and take longer than others. They are recognized before anything of the body is read.
"""

import asyncio
import re
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, cast
from urllib.parse import urlsplit

import structlog
import uuid_utils
from litestar import Litestar
from litestar.types import HTTPScope, Message, Send
from structlog.contextvars import bind_contextvars, reset_contextvars, unbind_contextvars

from api.errors import error_response, error_type
from api.http.headers import Header, ToldLimits, first_header, valid_request_id
from api.http.sockets import AnswerTransport, Unread
from domain.errors import Problem, TooManyRequests

SLOWEST_UPLOAD = 64 * 1024
"""Bytes a second that a client must send, over a minute; our choice."""
_PATHS = re.compile(rb"PUT /media/upload/[^/?]+|PUT /v1/media/multipart/[^/?]+/parts/[^/?]+|POST /v1/media")
_FOR_ALL_SITES = ("/media/u/", "/media/upload/")
"""Paths that pages of any site may use: the secret or token in them is what permits it, and no cookie is read."""
_ANY_SITE = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"accept-ranges, content-length, content-range, etag, x-request-id"),
)
_PREFLIGHT = (
    (b"access-control-allow-methods", b"GET, HEAD, PUT"),
    (b"access-control-allow-headers", b"content-type, range, if-range, if-none-match"),
    (b"access-control-max-age", b"86400"),
)


def is_upload(method: str, path: bytes) -> bool:
    """Return whether a request brings a file. `path` is as it came, before it was decoded."""
    return _PATHS.fullmatch(method.encode("latin-1") + b" " + path) is not None


def media_headers(scope: HTTPScope, status: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield headers of an answer that its path demands."""
    if status >= 400 and is_upload(scope["method"], scope["raw_path"]):
        # The client may still send the file, and no one reads it.
        yield b"connection", b"close"
    if scope["path"].startswith(_FOR_ALL_SITES):
        yield from _ANY_SITE
        if scope["method"] == "OPTIONS":
            yield from _PREFLIGHT


MISDIRECTED = 421
"""The status of a request for a host that this server is not (RFC 9110, 15.5.20)."""

_UNKNOWN = Problem("The API is not called by this host name; see SOCIALSYNCER_API_HOST_NAMES", "unknown_host")


class HostNames:
    """The names that the header Host may hold; any if there are none.

    A web page may make its own name resolve to the address of an API that only this machine reaches (DNS rebinding).
    Its requests carry that name.
    """

    def __init__(self, names: Collection[str] = ()) -> None:
        self._names = frozenset(name.strip("[]").lower() for name in names)

    def refusal(self, scope: HTTPScope) -> Problem | None:
        """Return why a request is not taken, None if it is."""
        if not self._names:
            return None
        try:
            name = urlsplit(f"//{first_header(scope, b'host') or ''}").hostname
        except ValueError:
            name = None
        return None if name in self._names else _UNKNOWN


log = structlog.get_logger("api.access")

HEAD_ONLY = "head_only"
"""The name in the scope of a request whose answer has no content."""
_STRANGERS = "strangers"
"""The share of the budget of unread answers that all callers without a workspace have."""
_UNREAD = Problem("Too many large answers wait for their readers; please read those first", "unavailable")


class ApiApp(Litestar):
    """The ASGI app around Litestar. It adds the request id to every response, also to those of unknown routes."""

    host_names = HostNames()
    find_flood: Callable[[HTTPScope], tuple[TooManyRequests, float] | None] | None = None
    """Returns the refusal of a request whose key has used its limit up, and the seconds after which it is sent: a flood
    is refused before all other work."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one ASGI event."""
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        # Every log line has our own id, so that no client can imitate another's; the client's id is logged beside it.
        ids = {"request_id": uuid_utils.uuid7().hex}
        if named := valid_request_id(first_header(scope, b"x-request-id")):
            ids["client_request_id"] = named
        header = (b"x-request-id", (named or ids["request_id"]).encode("latin-1"))
        started = time.perf_counter()
        # HEAD is GET without the content (RFC 9110, 9.3.2). A copy, because the server goes by the scope it gave.
        scope.setdefault("state", {}).setdefault("received_at", datetime.now(UTC))
        served = scope
        if scope["method"] == "HEAD":
            served = cast("HTTPScope", {**scope, "method": "GET", HEAD_ONLY: True})
        # Not `bound_contextvars`, which copies the whole context and costs twenty times as much.
        ids_before = bind_contextvars(**ids)
        with _Request(self, scope, served, send, header) as answer:
            # Dependencies may run in tasks of their own, so `authenticate` finds it here and not in its context.
            served["state"]["holder"] = answer
            is_logged = True
            try:
                if problem := self.host_names.refusal(scope):
                    await refuse(MISDIRECTED, problem, answer.send)
                elif self.find_flood and (flood := self.find_flood(served)):
                    error, wait_s = flood
                    if wait_s:
                        is_logged = False
                        await asyncio.sleep(wait_s)
                    await refuse(429, error.first, answer.send, (b"retry-after", b"%d" % error.retry_after))
                else:
                    await super().__call__(served, receive, answer.send)
            finally:
                if is_logged:
                    _log_request(scope["method"], served, answer.status, started)
                # Values that were bound on the way must not reach the connection's next request.
                unbind_contextvars("post_id", "workflow_id")
                reset_contextvars(**ids_before)

    def with_allow(self, headers: Iterable[tuple[bytes, bytes]], path: str | None) -> list[tuple[bytes, bytes]]:
        """List every method of the path: Litestar's own answer has only those of the path's first handler."""
        methods = {method for route in self.routes if route.path_format == path for method in route.methods}
        others = [header for header in headers if header[0].lower() != b"allow"]
        return [*others, (b"allow", ", ".join(sorted(methods)).encode())] if methods else others


class _Request(ToldLimits):
    """A request and the response on its way: 503 takes its place if its workspace leaves too much unread."""

    def __init__(
        self,
        app: ApiApp,
        scope: HTTPScope,
        served: HTTPScope,
        send: Send,
        request_id: tuple[bytes, bytes],
    ) -> None:
        self.status = 0
        self._app = app
        self._method = scope["method"]
        self._served = served
        self._send = send
        self._request_id = request_id
        self._unread: Unread | None = scope["state"].get("unread")
        self._transport: AnswerTransport | None = scope["state"].get("answer_transport")
        self._beginning: Message | None = None
        self._is_refused = False

    async def send(self, message: Message) -> None:
        """Send a part of the answer: status and headers together with the first piece of the body."""
        if self._is_refused:
            return
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = message["headers"]
            if self._method == "OPTIONS":
                headers = self._app.with_allow(headers, self._served.get("path_template"))
            if self._method == "OPTIONS" or self.status == HTTPStatus.METHOD_NOT_ALLOWED:
                headers = map(_allowing_head, headers)
            message["headers"] = [
                *headers,
                *media_headers(self._served, self.status),
                self._request_id,
                *self._limit_headers(),
            ]
            self._beginning = message
            return
        if message["type"] == "http.response.body":
            if self._method == "HEAD":
                message["body"] = b""
            if self._beginning is not None and not await self._begin(message["body"], message["more_body"]):
                return
            if self._unread is not None:
                self._unread.add(len(message["body"]), is_complete=not message["more_body"])
        await self._send(message)

    def _limit_headers(self) -> list[Header]:
        """Return the headers of limits that uvicorn is to write: none if the connection writes them."""
        if self._transport is None:
            return self.headers()
        self._transport.head_lines = self.lines()
        return []

    async def _begin(self, piece: bytes, more: bool) -> bool:
        """Send status and headers; False if 503 was sent in their place."""
        beginning, self._beginning = self._beginning, None
        holder = self.workspace_id or self._served["state"].get("unread_of", _STRANGERS)
        if self._unread is not None and not self._unread.begin(holder, len(piece), is_complete=not more):
            self._is_refused, self.status = True, 503
            headers = (self._request_id, (b"retry-after", b"1"), *self._limit_headers())
            await refuse(503, _UNREAD, self._send, *headers)
            return False
        if beginning is not None:
            await self._send(beginning)
        return True


def _log_request(method: str, served: HTTPScope, status: int, started: float) -> None:
    caller = served["state"].get("caller")
    log.info(
        "request",
        method=method,
        path=served.get("path_template") or "unmatched",
        status=status,
        **({"workspace_id": caller.workspace_id, "key_id": caller.key_id} if caller else {}),
        ms=round((time.perf_counter() - started) * 1000, 1),
    )


async def refuse(status: int, problem: Problem, send: Send, *more: tuple[bytes, bytes]) -> None:
    """Send the response of a refusal, with more headers."""
    body = error_response(status, [problem], error_type(status)).content
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), *more]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def _allowing_head(header: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
    name, value = header
    methods = set(value.split(b", ")) if name.lower() == b"allow" else set()
    return (name, b", ".join(sorted(methods | {b"HEAD"}))) if b"GET" in methods else header
