"""Functions that run the sandbox over real HTTP, as a process of its own or inside a test's event loop."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple, cast

import uvicorn
from litestar import Litestar
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from sandbox.app import create_sandbox
from sandbox.browsers import OwnOriginOnly
from sandbox.gateway import DROP

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


async def serve(
    host: str,
    port: int,
    data_dir: Path | None,
    *,
    realistic: bool = False,
    strict: bool = False,
    names: Iterable[str] = (),
) -> None:
    """Serve the sandbox until the process receives a signal to end."""
    app = create_sandbox(data_dir, realistic=realistic, strict=strict)
    await uvicorn.Server(_config(app, host, port, names)).serve()


def run(
    host: str,
    port: int,
    data_dir: Path | None,
    *,
    realistic: bool = False,
    strict: bool = False,
    names: Iterable[str] = (),
) -> None:
    """Serve the sandbox in a new event loop, uvloop if it is installed.

    It answers requests to `host`, to the names of this machine's loopback address, and to `names`.
    """
    loop_factory = uvicorn.Config("", loop="auto").get_loop_factory()
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(serve(host, port, data_dir, realistic=realistic, strict=strict, names=names))


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
