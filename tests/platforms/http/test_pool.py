"""Connections of a pool: how many are made, when they are used again, and that none is lost."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx
import pytest

from platforms.errors import ErrorKind, PlatformError
from platforms.http import shared_transport, transport
from platforms.http.shared_transport import SharedTransport
from platforms.http.transport import Transport
from tests.platforms.http.loops import Run

BURST = 40


class Server:
    """A server that answers each request once it is let through, and counts connections and their ends."""

    def __init__(self) -> None:
        self.connections = self.ended = self.requests = 0
        self.gate = asyncio.Event()
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while await reader.readuntil(b"\r\n\r\n"):
                self.requests += 1
                await self.gate.wait()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine")
        self.ended += 1
        writer.close()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 there is no event
            await asyncio.sleep(0.005)


@asynccontextmanager
async def serving() -> AsyncIterator[tuple[Server, httpx.AsyncClient]]:
    server = Server()
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0, backlog=256)
    server.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/"
    async with httpx.AsyncClient(transport=Transport(), timeout=httpx.Timeout(10, pool=0.1)) as client:
        yield server, client
    listener.close()


def scenario(run: Run, work: Callable[[Server, httpx.AsyncClient], Awaitable[None]]) -> None:
    async def play() -> None:
        async with serving() as (server, client):
            await work(server, client)

    run(play())


def test_a_burst_uses_the_connections_of_the_burst_before(run: Run) -> None:
    async def work(server: Server, client: httpx.AsyncClient) -> None:
        for number in range(1, 4):
            server.gate.clear()
            burst = [asyncio.create_task(client.get(server.url)) for _ in range(BURST)]
            await until(lambda total=number * BURST: server.requests == total)  # type: ignore[misc]
            server.gate.set()
            assert {response.text for response in await asyncio.gather(*burst)} == {"fine"}
        assert server.connections == BURST

    scenario(run, work)


def test_a_request_waits_for_room_and_a_cancelled_one_leaves_its_room(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "_MOST_REQUESTS", 2)

    async def work(server: Server, client: httpx.AsyncClient) -> None:
        first, second = (asyncio.create_task(client.get(server.url)) for _ in range(2))
        await until(lambda: server.requests == 2)
        with pytest.raises(httpx.PoolTimeout):
            await client.get(server.url)
        waiting = asyncio.create_task(client.get(server.url, timeout=10))
        first.cancel()
        # The bytes of the first answer may still come, so its connection is closed and not used again.
        await until(lambda: server.connections == 3)
        server.gate.set()
        assert [(await request).text for request in (second, waiting)] == ["fine", "fine"]
        await until(lambda: server.ended == 1)
        assert server.connections == 3

    scenario(run, work)


def test_connections_end_when_they_were_idle_for_long_or_are_too_many(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(server: Server, client: httpx.AsyncClient) -> None:
        server.gate.set()
        with monkeypatch.context() as patch:
            patch.setattr(transport, "_IDLE_FOR_S", 0.0)
            for number in (1, 2):
                await client.get(server.url)
                assert server.connections == number
            await until(lambda: server.ended >= 1)
        monkeypatch.setattr(transport, "_MOST_IDLE", 3)
        await asyncio.gather(*(client.get(server.url) for _ in range(8)))
        await until(lambda: server.connections - server.ended == 3)

    scenario(run, work)


def test_a_connection_whose_answer_is_not_read_is_closed(run: Run) -> None:
    async def work(server: Server, client: httpx.AsyncClient) -> None:
        server.gate.set()
        async with client.stream("GET", server.url):
            pass
        await until(lambda: server.ended == 1)
        assert (await client.get(server.url)).text == "fine"
        assert server.connections == 2

    scenario(run, work)


def test_a_pool_that_was_closed_keeps_no_connection(run: Run) -> None:
    async def work(server: Server, client: httpx.AsyncClient) -> None:
        server.gate.set()
        async with Transport() as transport:
            own = httpx.AsyncClient(transport=transport)
            await own.get(server.url)
            async with own.stream("GET", server.url) as response:
                await transport.aclose()
                assert await response.aread() == b"fine"
        await until(lambda: server.ended == server.connections == 1)

    scenario(run, work)


class Body(httpx.AsyncByteStream):
    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b"{}"


class AnsweringServer(httpx.AsyncBaseTransport):
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
    server = AnsweringServer()
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
    server = AnsweringServer()
    server.answers.set()
    connections = SharedTransport(server, 8)
    assert await asyncio.gather(*(ask(connections, "a") for _ in range(50))) == [b"{}"] * 50


async def test_connections_are_given_back_whatever_happens() -> None:
    server = AnsweringServer()
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
