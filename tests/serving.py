"""Keep a Litestar app started for as long as a test needs it."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from typing import Any, cast

import httpx
import uvicorn
from litestar import Litestar

from api.app import create_app
from api.dependencies import Dependencies
from api.http.sockets import OpenSockets
from cli.serve_api import http_options


@asynccontextmanager
async def started(app: Litestar) -> AsyncIterator[Litestar]:
    """Run the app's lifespan in a task of its own: it must end in the task it began in, and fixtures do not."""
    up, end = asyncio.Event(), asyncio.Event()

    async def live() -> None:
        async with app.lifespan():
            up.set()
            await end.wait()

    task = asyncio.create_task(live())
    # A start that fails must fail the test, not leave it waiting.
    task.add_done_callback(lambda _: up.set())
    await up.wait()
    try:
        if not task.done():
            yield app
    finally:
        end.set()
        await task


_unused: list[tuple[Litestar, list[Dependencies]]] = []


@asynccontextmanager
async def app_over(deps: Dependencies) -> AsyncIterator[Litestar]:
    """Run an app over dependencies: one that another test has used, if there is one, because a new one takes 0.2 s."""
    app, current = _unused.pop() if _unused else _new_app()
    current[:] = [deps]
    async with started(app):
        yield app
    _unused.append((app, current))


def _new_app() -> tuple[Litestar, list[Dependencies]]:
    current: list[Dependencies] = []
    return create_app(lambda: nullcontext(current[0])), current


def direct_client(app: Litestar, url: str, **options: Any) -> httpx.AsyncClient:
    """Return a client of an app in this process, at a URL: over a connection, a request costs four times as much."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(cast("Any", app)), base_url=url, **options)


@asynccontextmanager
async def listening(app: Litestar, open_sockets: OpenSockets | None = None) -> AsyncIterator[str]:
    """Serve a started app on a free port by the server that production uses; yields its URL."""
    options = http_options(open_sockets or OpenSockets())
    server = uvicorn.Server(uvicorn.Config(cast("Any", app), port=0, lifespan="off", **options))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        task = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started and not task.done():  # noqa: ASYNC110  uvicorn has no event for its start
            await asyncio.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await task
