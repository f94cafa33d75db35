"""Functions that run the sandbox over real HTTP, as a process of its own or inside a test's event loop."""

import asyncio
import importlib
import json
import logging
import pkgutil
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, cast

import uvicorn
from litestar import Litestar, asgi
from litestar.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from sandbox import platforms
from sandbox.browsers import OwnOriginOnly
from sandbox.control import Control, ControlError, refuse
from sandbox.fake_platform import FakePlatform, Route
from sandbox.faults import APP_REFUSED, CLIENT_UNKNOWN, REFUSED, Fault, FaultBoard
from sandbox.wire import Answer, MalformedBodyError, RefusedError, Request
from sandbox.world import Entry, RequestLog, World

DROP = "sandbox.drop"
"""The ASGI extension by which the server closes a connection without an answer."""

_logger = logging.getLogger("sandbox")


@dataclass(frozen=True, slots=True)
class Gateway:
    """The ASGI application of one platform, under its own path prefix."""

    _fake: FakePlatform
    _faults: FaultBoard
    _log: RequestLog
    _public_url: str | None
    _strict: bool = False

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
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
        prefix = f"/{self._fake.platform}"
        path, method = raw_path.removeprefix(prefix) or "/", str(scope.get("method", "GET"))
        request = Request(method, path, scope["query_string"], list(scope["headers"]), b"".join(parts))
        own_url = (self._public_url or f"{scope['scheme']}://{request.header('host')}").rstrip("/")
        request.base_url = f"{own_url}{prefix}"
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
    with suppress(TimeoutError):
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


def create_sandbox(
    data_dir: Path | None = None,
    *,
    realistic: bool = False,
    strict: bool = False,
    public_url: str | None = None,
    clock: Callable[[], float] | None = None,
) -> Litestar:
    """Build the sandbox of platforms.

    Args:
        data_dir: The folder of the journal; without one nothing survives a restart.
        realistic: Keep the platforms' own rate limits and processing times.
        strict: Refuse parameters that the platforms would ignore because they do not know them.
        public_url: The sandbox's own address, for answers that contain addresses of the platform itself; if left out,
        it is taken from each request.
        clock: Returns the seconds since 1970; for tests.
    """
    world = World(data_dir, realistic=realistic, clock=clock or time.time)
    faults, log = FaultBoard(), RequestLog()
    fakes, failed = load_fakes(world)
    control = Control(world, faults, log, fakes, failed)
    gateways = {fake.platform: Gateway(fake, faults, log, public_url, strict) for fake in fakes}
    mounts = [asgi(f"/{name}", is_mount=True, copy_scope=False)(gateway.serve) for name, gateway in gateways.items()]
    return Litestar(
        route_handlers=[*mounts, *control.handlers()],
        openapi_config=None,
        exception_handlers={ControlError: refuse},
        logging_config=None,
        on_shutdown=[world.journal.close],
    )


def load_fakes(world: World) -> tuple[list[FakePlatform], dict[str, str]]:
    """Return the fake platforms in `sandbox.platforms`, and why others do not start, by the names of their modules."""
    fakes, failed = [], {}
    for info in pkgutil.iter_modules(platforms.__path__):
        try:
            members = vars(importlib.import_module(f"{platforms.__name__}.{info.name}")).values()
            classes = [member for member in members if isinstance(member, type) and "platform" in vars(member)]
            fakes += [fake(world) for fake in classes if issubclass(fake, FakePlatform)]
        except Exception as error:
            _logger.exception("The fake %s does not start", info.name)
            failed[info.name] = f"{type(error).__name__}: {error}"
    return fakes, failed


BACKLOG = 2048
SHUTDOWN_SECONDS = 2
KEEP_ALIVE_SECONDS = 60
"""How long requests in flight may still run when the sandbox stops; an answer that a fault delays is then cut off."""


class DroppingProtocol(HttpToolsProtocol):
    """An HTTP protocol that lets the application close a connection without an answer, as a failing proxy does."""

    def on_message_begin(self) -> None:
        """Add a function that drops the connection to the request that begins here."""
        super().on_message_begin()
        extensions = cast("dict[str, dict[object, object]]", {DROP: self._drop})
        self.scope["extensions"] = extensions

    def _drop(self) -> None:
        self.transport.close()


class RunningSandbox(NamedTuple):
    """A sandbox that this process serves."""

    url: str
    app: Litestar


class _GuestServer(uvicorn.Server):
    """A server that leaves signals to the event loop's owner, and stops as soon as its host asks."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._stopped = asyncio.Event()

    def stop(self) -> None:
        self.should_exit = True
        self._stopped.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def main_loop(self) -> None:
        while not self._stopped.is_set():
            await self.on_tick(0)
            with suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await self._stopped.wait()


def _config(app: Litestar, host: str, port: int, names: Iterable[str] = ()) -> uvicorn.Config:
    return uvicorn.Config(
        OwnOriginOnly(app, (host, *names)),
        host=host,
        port=port,
        http=DroppingProtocol,
        ws="none",
        lifespan="on",
        access_log=False,
        log_level="warning",
        server_header=False,
        backlog=BACKLOG,
        # Clients keep idle connections for some seconds: a request must not meet the end of its connection here.
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )


def run(
    host: str,
    port: int,
    data_dir: Path | None,
    *,
    realistic: bool = False,
    strict: bool = False,
    names: Iterable[str] = (),
) -> None:
    """Serve the sandbox in a new event loop, uvloop if it is installed, until the process receives a signal to end.

    It answers requests to `host`, to the names of this machine's loopback address, and to `names`.
    """
    loop_factory = uvicorn.Config("", loop="auto").get_loop_factory()
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        app = create_sandbox(data_dir, realistic=realistic, strict=strict)
        runner.run(uvicorn.Server(_config(app, host, port, names)).serve())


@asynccontextmanager
async def running_sandbox(
    data_dir: Path | None = None,
    *,
    realistic: bool = False,
    strict: bool = True,
    port: int = 0,
    clock: Callable[[], float] | None = None,
) -> AsyncIterator[RunningSandbox]:
    """Serve the sandbox in the current event loop; `port` 0 takes a free one."""
    # If the protocol is left to its default, asyncio does not recognise the connections as TCP and leaves Nagle's
    # algorithm on, which costs 40 ms per answer.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        host, bound = listener.getsockname()[:2]
        url = f"http://{host}:{bound}"
        app = create_sandbox(data_dir, realistic=realistic, strict=strict, public_url=url, clock=clock)
        server = _GuestServer(_config(app, host, bound))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            while not server.started:
                if serving.done():
                    break
                await asyncio.sleep(0.005)
            if not serving.done():
                yield RunningSandbox(url, app)
        finally:
            server.stop()
            await serving
