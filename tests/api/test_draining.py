"""An API that is stopped takes requests until its balancer has noticed."""

import asyncio
import signal
import socket
from collections.abc import Iterator
from typing import Any, cast

import httpx
import pytest
import uvicorn

from api.http.sockets import OpenSockets
from cli.serve_api import DrainingServer, http_options
from tests.stack import Stack


@pytest.fixture
def _survives() -> Iterator[None]:
    """Ignore SIGTERM: at its end, a server raises the signal that ended it."""
    handler = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGTERM, handler)


@pytest.mark.usefixtures("_survives")
async def test_a_stopped_api_answers_until_its_time_to_drain_is_over(app: Any, stack: Stack) -> None:
    open_sockets = OpenSockets()
    config = uvicorn.Config(cast("Any", app), port=0, lifespan="off", **http_options(open_sockets))
    server = DrainingServer(config, open_sockets, drain_s=1.5)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        async with httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {stack.api_key}"}) as client:
            while not server.started:  # noqa: ASYNC110 uvicorn has no event for its start
                await asyncio.sleep(0.01)
            before = await client.get("/readyz")
            assert (before.status_code, before.headers.get("connection")) == (200, None)
            server.handle_exit(signal.SIGTERM, None)
            asked = await client.get("/readyz")
            assert (asked.status_code, asked.json()["draining"]) == (503, True)
            answers = 0
            while not server.should_exit:
                try:
                    answer = await client.get("/v1/posts?limit=1")
                except httpx.TransportError:
                    assert server.should_exit, "the time to drain is over"
                    break
                assert (answer.status_code, answer.headers["connection"]) == (200, "close")
                answers += 1
            assert answers > 1
        async with asyncio.timeout(60):
            await serving


def test_a_second_signal_or_an_interrupt_stops_at_once() -> None:
    for signals in ((signal.SIGTERM, signal.SIGTERM), (signal.SIGINT,)):
        server = DrainingServer(uvicorn.Config(""), OpenSockets(), drain_s=60)
        for number in signals:
            assert not server.should_exit
            server.handle_exit(number, None)
        assert server.should_exit


def test_without_a_time_to_drain_the_first_signal_stops() -> None:
    server = DrainingServer(uvicorn.Config(""), OpenSockets(), drain_s=0)
    server.handle_exit(signal.SIGTERM, None)
    assert server.should_exit
