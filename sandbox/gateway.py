"""The entry of every platform: it reads the request, applies programmed failures, logs and answers."""

import asyncio
import contextlib
import json
import logging
from typing import Any

from litestar.types import Receive, Scope, Send

from sandbox.conditions import APP_REFUSED, CLIENT_UNKNOWN
from sandbox.fake_platform import FakePlatform, Route
from sandbox.faults import REFUSED, Fault, FaultBoard
from sandbox.requestlog import Entry, RequestLog
from sandbox.wire import Answer, MalformedBodyError, RefusedError, Request

DROP = "sandbox.drop"
"""The ASGI extension by which the server closes a connection without an answer."""

_logger = logging.getLogger("sandbox")


class Gateway:
    """The ASGI application of one platform, under its own path prefix."""

    def __init__(
        self, fake: FakePlatform, faults: FaultBoard, log: RequestLog, public_url: str | None, *, strict: bool = False
    ) -> None:
        self._fake = fake
        self._faults = faults
        self._log = log
        self._strict = strict
        self._prefix = f"/{fake.platform}"
        self._base_url = f"{public_url.rstrip('/')}{self._prefix}" if public_url else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or drop its connection."""
        request = await self._read(scope, receive)
        if request is None:
            return
        fake = self._fake
        route = fake.find(request)
        operation = fake.operation(route, request)
        path = fake.logged_path(request.path)
        account_id = fake.account_id(request)
        entry = self._log.add(Entry(fake.world.now(), fake.platform, operation, request.method, path, account_id))
        fault = self._faults.take(fake.platform, operation, account_id)
        app_refused = fake.world.conditions.holds(fake.platform, APP_REFUSED, account_id)
        if app_refused and fake.refuses_app(operation, request):
            answer: Answer | None = fake.app_refused()
        elif request.path == fake.renewal_path and fake.world.conditions.holds(fake.platform, CLIENT_UNKNOWN):
            answer = fake.client_unknown()
        elif fault is None and fake.world.accounts.has_ended(fake.platform, _token(fake, request)):
            answer = fake.token_expired()
        else:
            answer = await (
                self._serve(route, request) if fault is None else self._fail(fault, route, request, receive)
            )
        if answer is None:
            await _drop(scope, receive)
            return
        entry.status = answer.status
        headers = [*answer.headers, (b"content-length", str(len(answer.body)).encode())]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body, "more_body": False})

    async def _read(self, scope: Scope, receive: Receive) -> Request | None:
        parts = []
        more = True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                return None
            parts.append(message["body"])
            more = message["more_body"]
        raw_path = scope["raw_path"].partition(b"?")[0].decode("latin-1")
        headers = list(scope["headers"])
        request = Request(
            str(scope.get("method", "GET")),
            raw_path[len(self._prefix) :] or "/",
            scope["query_string"],
            headers,
            b"".join(parts),
        )
        request.base_url = self._base_url or f"{scope['scheme']}://{request.header('host')}{self._prefix}"
        return request

    async def _fail(self, fault: Fault, route: Route | None, request: Request, receive: Receive) -> Answer | None:
        """Apply a failure; None means that the connection is to be dropped."""
        answer = await self._apply(fault, route, request)
        if fault.fault == "accept_then_outlast":
            await _wait_for_close(receive, fault.wait)
        if fault.hold:
            await asyncio.sleep(fault.hold)
        return answer

    async def _apply(self, fault: Fault, route: Route | None, request: Request) -> Answer | None:
        match fault.fault:
            case "reject":
                return self._refused(fault)
            case "drop":
                return None
            case "rate_limited":
                return self._fake.rate_limited(fault.wait)
            case "token_expired":
                return self._fake.token_expired()
            case "accept_late":
                # The server does not cancel this task when the sender closes its connection.
                await asyncio.sleep(fault.wait)
        answer = await self._serve(route, request)
        match fault.fault:
            case "accept_then_drop":
                return None
            case "accept_then_500":
                return self._programmed(fault, 500)
            case "accept_then_answer":
                return _another(fault, answer)
            case "accept_then_delay":
                await asyncio.sleep(fault.wait)
        return answer

    def _refused(self, fault: Fault) -> Answer:
        if fault.body is None and fault.status in {None, REFUSED}:
            return self._fake.refused_content()
        return self._programmed(fault, REFUSED)

    def _programmed(self, fault: Fault, default: int) -> Answer:
        status = fault.status or default
        if fault.body is None:
            return self._fake.failure(status)
        return Answer.text(fault.body, status) if isinstance(fault.body, str) else Answer.json(fault.body, status)

    async def _serve(self, route: Route | None, request: Request) -> Answer:
        if route is None:
            return self._fake.failure(404)
        try:
            answer = await self._fake.serve(route, request)
            return self._checked(request, answer) if self._strict and answer.status < 400 else answer
        except RefusedError as refused:
            return refused.answer
        except Exception:
            _logger.exception("The fake %s failed at %s %s", self._fake.platform, request.method, route.path)
            return self._fake.failure(500)

    def _checked(self, request: Request, answer: Answer) -> Answer:
        """Answer with a refusal if the request has unknown parameters. The request itself was carried out."""
        if unknown := sorted(request.unknown() - self._fake.without_effect):
            return self._fake.failure(400, f"Unknown to {self._fake.label}: {', '.join(unknown)} (--strict).")
        return answer


def _another(fault: Fault, answer: Answer) -> Answer:
    """Return the programmed answer to a request that was carried out, made of the platform's own."""
    status, body = fault.status or answer.status, fault.body
    if fault.beside:
        body = _merged(json.loads(answer.body or b"{}"), body)
    if body is None:
        return Answer(status, answer.body, answer.headers)
    return Answer.text(body, status) if isinstance(body, str) else Answer.json(body, status)


def _merged(body: Any, more: Any) -> Any:
    """Return a JSON value with the members of another, also those of its objects."""
    if not isinstance(body, dict) or not isinstance(more, dict):
        return more
    return body | {name: _merged(body.get(name), value) for name, value in more.items()}


def _token(fake: FakePlatform, request: Request) -> str:
    try:
        return fake.token(request)
    except (MalformedBodyError, RefusedError):
        return ""


async def _wait_for_close(receive: Receive, at_most: float) -> None:
    """Wait until the sender has closed its connection."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(at_most):
            while (await receive())["type"] != "http.disconnect":
                pass


async def _drop(scope: Scope, receive: Receive) -> None:
    extensions: dict[str, object] = scope.get("extensions") or {}  # type: ignore[assignment]
    close = extensions.get(DROP)
    if not callable(close):
        raise ConnectionResetError("dropped, as programmed")
    close()
    # If the application returned without an answer while the client is connected, the server would answer 500.
    while (await receive())["type"] != "http.disconnect":
        pass
