"""A server that does not respond takes only its own workspace's connections."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from platforms.errors import ErrorKind, PlatformError
from platforms.http import shared_transport
from platforms.http.shared_transport import SharedTransport


class Body(httpx.AsyncByteStream):
    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b"{}"


class Server(httpx.AsyncBaseTransport):
    def __init__(self) -> None:
        self.answers = asyncio.Event()
        self.asked = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        await self.answers.wait()
        if request.url.path == "/fails":
            raise httpx.ConnectError("down")
        return httpx.Response(200, stream=Body())


def build_request(workspace: str, path: str = "/") -> httpx.Request:
    return httpx.Request("GET", f"https://social.test{path}", extensions={"workspace": workspace})


async def ask(connections: SharedTransport, workspace: str, path: str = "/") -> bytes:
    response = await connections.handle_async_request(build_request(workspace, path))
    return await response.aread()


async def test_a_waiter_that_times_out_frees_its_slot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_transport, "_TIMEOUT_S", 0.1)
    server = Server()
    connections = SharedTransport(server, 8)
    crowd = [asyncio.create_task(ask(connections, "a")) for _ in range(20)]
    await asyncio.sleep(0.3)
    refused = [task.exception() for task in crowd if task.done()]
    assert len(refused) == 16
    for error in refused:
        assert isinstance(error, PlatformError)
        assert (error.kind, error.code) == (ErrorKind.TRANSIENT, "servers_busy")
    other = asyncio.create_task(ask(connections, "b"))
    await asyncio.sleep(0.01)
    assert server.asked == 5
    server.answers.set()
    assert await other == b"{}"
    assert [task.result() for task in crowd if task.exception() is None] == [b"{}"] * 4


async def test_many_requests_to_a_fast_server_all_succeed() -> None:
    server = Server()
    server.answers.set()
    connections = SharedTransport(server, 8)
    assert await asyncio.gather(*(ask(connections, "a") for _ in range(50))) == [b"{}"] * 50


async def test_connections_are_given_back_whatever_happens() -> None:
    server = Server()
    connections = SharedTransport(server, 2)
    cut_off = asyncio.create_task(ask(connections, "a"))
    await asyncio.sleep(0.01)
    cut_off.cancel()
    await asyncio.gather(cut_off, return_exceptions=True)
    server.answers.set()
    with pytest.raises(httpx.ConnectError):
        await ask(connections, "a", "/fails")
    unread = await connections.handle_async_request(build_request("a"))
    await unread.aclose()
    assert await ask(connections, "a") == b"{}"
    await connections.aclose()
