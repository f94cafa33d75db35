"""The surroundings of every request: its id, the context of its log lines, and one line about its outcome."""

import time
from collections.abc import Iterable
from typing import Any

import structlog
import uuid_utils
from litestar import Litestar
from litestar.types import HTTPScope, Message, Receive, Send
from structlog.contextvars import bound_contextvars, unbind_contextvars

from api.errors import error_response, error_type
from api.http.headers import first_header, valid_request_id
from api.http.hosts import MISDIRECTED, HostNames
from domain.errors import Problem

log = structlog.get_logger("api.access")


class ApiApp(Litestar):
    """The ASGI app around Litestar. It adds the request id to every response, also to those of unknown routes."""

    host_names = HostNames()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one ASGI event."""
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        await self._serve(scope, receive, send)

    async def _serve(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        # Every log line has our own id, so that no client can imitate another's; the client's id is logged beside it.
        ids = {"request_id": uuid_utils.uuid7().hex}
        if named := valid_request_id(first_header(scope, b"x-request-id")):
            ids["client_request_id"] = named
        header = (b"x-request-id", (named or ids["request_id"]).encode("latin-1"))
        started = time.perf_counter()
        status = 0
        # HEAD is GET without the content (RFC 9110, 9.3.2). A copy, because the server goes by the scope it gave.
        served: HTTPScope = scope if scope["method"] != "HEAD" else {**scope, "method": "GET"}

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = message["headers"]
                if scope["method"] == "OPTIONS":
                    headers = self._with_allow(headers, served.get("path_template"))
                message["headers"] = [*map(_allowing_head, headers), header]
            elif message["type"] == "http.response.body" and scope["method"] == "HEAD":
                message["body"] = b""
            await send(message)

        with bound_contextvars(**ids):
            try:
                if problem := self.host_names.refusal(scope):
                    await _refuse(MISDIRECTED, problem, send_with_id)
                else:
                    await super().__call__(served, receive, send_with_id)
            finally:
                caller = served.get("state", {}).get("caller")
                log.info(
                    "request",
                    method=scope["method"],
                    path=served.get("path_template") or "unmatched",
                    status=status,
                    **({"workspace_id": caller.workspace_id, "key_id": caller.key_id} if caller else {}),
                    ms=round((time.perf_counter() - started) * 1000, 1),
                )
                # Values that were bound on the way must not reach the connection's next request.
                unbind_contextvars("post_id", "workflow_id")

    def _with_allow(self, headers: Iterable[tuple[bytes, bytes]], path: str | None) -> list[tuple[bytes, bytes]]:
        """List every method of the path: Litestar's own answer has only those of the path's first handler."""
        methods = {method for route in self.routes if route.path_format == path for method in route.methods}
        others = [header for header in headers if header[0].lower() != b"allow"]
        return [*others, (b"allow", ", ".join(sorted(methods)).encode())] if methods else others


async def _refuse(status: int, problem: Problem, send: Send) -> None:
    body = error_response(status, [problem], error_type(status)).content
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def _allowing_head(header: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
    name, value = header
    methods = set(value.split(b", ")) if name.lower() == b"allow" else set()
    return (name, b", ".join(sorted(methods | {b"HEAD"}))) if b"GET" in methods else header
