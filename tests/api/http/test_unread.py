"""Clients that ask and do not read, over real sockets: they fill no memory and are dropped."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx
import pytest
from litestar import Litestar

from api.http.sockets import LARGE, SEND_BUFFER, OpenSockets, Unread
from tests.api.conftest import Client, make_client
from tests.serving import listening

MIB = 2**20


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Unread, "check_s", 0.5)


def kernel_bytes() -> int:
    """Return the bytes that all TCP sockets of this machine have in the kernel."""
    (line,) = [line for line in Path("/proc/net/sockstat").read_text().splitlines() if line.startswith("TCP:")]
    return int(line.split()[-1]) * 4096


async def ask(url: str, key: str, path: str, more: str = "") -> socket.socket:
    """Send a request from a socket that keeps little, and read nothing."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(client, ("127.0.0.1", httpx.URL(url).port))
    head = f"GET {path} HTTP/1.1\r\nHost: api\r\nAuthorization: Bearer {key}\r\n{more}\r\n"
    await loop.sock_sendall(client, head.encode())
    return client


async def read_all(client: socket.socket, within_s: float = 10) -> bytes:
    """Read until the server closes or resets, or sends no more for a moment."""
    loop, content = asyncio.get_running_loop(), bytearray()
    with suppress(ConnectionResetError, TimeoutError):
        while True:
            async with asyncio.timeout(within_s):
                piece = await loop.sock_recv(client, 65536)
            if not piece:
                break
            content += piece
    return bytes(content)


@pytest.fixture
async def page(stranger: Client) -> tuple[str, int]:
    """Return the path of a page of more than 2 MiB, and its size."""
    body = {"content": "x" * 90_000, "isDraft": True}
    body |= {"platforms": [{"platform": "twitter", "accountId": f"a{place}"} for place in range(30)]}
    assert (await stranger.send_post(body)).status_code == 201
    page = await stranger.get("/v1/posts")
    assert len(page.content) > 2 * MIB
    return "/v1/posts", len(page.content)


@pytest.fixture
def sockets() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def api_key(client: Client) -> str:
    return client.headers["Authorization"].removeprefix("Bearer ")


@pytest.mark.skipif(not Path("/proc/net/sockstat").exists(), reason="the system does not count its sockets' memory")
async def test_unread_pages_do_not_fill_the_kernels_memory(
    app: Litestar, stranger: Client, page: tuple[str, int], sockets: ExitStack
) -> None:
    path, _ = page
    before = kernel_bytes()
    async with listening(app) as url:
        for _ in range(300):
            sockets.enter_context(await ask(url, api_key(stranger), path))
        await asyncio.sleep(2)
        used = kernel_bytes() - before
    assert used < 300 * SEND_BUFFER


async def test_a_workspace_leaves_others_room_for_unread_answers(
    app: Litestar, stranger: Client, api: Client, page: tuple[str, int], sockets: ExitStack
) -> None:
    path, size = page
    async with listening(app, OpenSockets(most_unread=7 * size)) as url:
        clients = [sockets.enter_context(await ask(url, api_key(stranger), path)) for _ in range(6)]
        await asyncio.sleep(1)
        async with httpx.AsyncClient(base_url=url, headers=stranger.headers) as same:
            refusal = await same.get(path)
            assert (refusal.status_code, refusal.json()["code"]) == (503, "unavailable")
            assert refusal.headers["Retry-After"] == "1"
            assert refusal.headers["X-Request-Id"]
            # Small answers always have room.
            assert (await same.get("/v1/posts", params={"limit": 1, "status": "failed"})).status_code == 200
        async with make_client(app, None) as reader:
            document = await reader.get("/openapi.json")
        assert len(document.content) > LARGE
        async with httpx.AsyncClient(base_url=url) as other:
            assert (await other.get("/openapi.json")).content.startswith(b"{")
        # Once the first answers are read, their room is free.
        answers = await asyncio.gather(*(read_all(client, 1) for client in clients))
        whole = [answer for answer in answers if answer.startswith(b"HTTP/1.1 200 ")]
        assert 1 <= len(whole) <= 4
        assert all(len(answer) > size for answer in whole)
        async with httpx.AsyncClient(base_url=url, headers=stranger.headers) as same:
            assert (await same.get(path)).status_code == 200


async def test_a_refused_answer_frees_nothing_of_an_unread_one(
    app: Litestar, stranger: Client, page: tuple[str, int], sockets: ExitStack
) -> None:
    path, size = page
    open_sockets = OpenSockets(most_unread=5 * size)
    async with listening(app, open_sockets) as url:
        clients = [sockets.enter_context(await ask(url, api_key(stranger), path)) for _ in range(5)]
        for client in clients:
            more = f"GET {path} HTTP/1.1\r\nHost: api\r\nAuthorization: Bearer {api_key(stranger)}\r\n\r\n"
            await asyncio.get_running_loop().sock_sendall(client, more.encode() * 3)
        await asyncio.sleep(1)
        assert open_sockets.unread.free >= 2 * size
        answers = [await read_all(client, 1) for client in clients]
        assert 1 <= len([answer for answer in answers if len(answer) > size]) <= 2


@pytest.mark.usefixtures("hasty")
async def test_a_client_that_reads_too_slowly_is_dropped(
    app: Litestar, stranger: Client, page: tuple[str, int], sockets: ExitStack
) -> None:
    path, _ = page
    loop, open_sockets = asyncio.get_running_loop(), OpenSockets()
    async with listening(app, open_sockets) as url:
        client = sockets.enter_context(await ask(url, api_key(stranger), path))
        async with asyncio.timeout(60):
            await asyncio.sleep(0.2)
            while open_sockets._all:
                await loop.sock_recv(client, 512)
                await asyncio.sleep(0.1)


@pytest.mark.usefixtures("hasty")
async def test_a_client_that_reads_slowly_gets_its_answer(
    app: Litestar, stranger: Client, page: tuple[str, int], sockets: ExitStack
) -> None:
    path, size = page
    loop = asyncio.get_running_loop()
    async with listening(app) as url:
        client = sockets.enter_context(await ask(url, api_key(stranger), path))
        total = 0
        while total < size:
            async with asyncio.timeout(60):
                total += len(await loop.sock_recv(client, 65536))
            await asyncio.sleep(0.004)


@pytest.mark.usefixtures("hasty")
async def test_small_unread_answers_drop_their_client(app: Litestar, stranger: Client, sockets: ExitStack) -> None:
    loop, open_sockets = asyncio.get_running_loop(), OpenSockets()
    async with listening(app, open_sockets) as url:
        client = sockets.enter_context(await ask(url, api_key(stranger), "/healthz"))
        with suppress(TimeoutError, ConnectionError):
            # The kernel takes requests until the API reads no more of them.
            for _ in range(40):
                more = b"GET /healthz HTTP/1.1\r\nHost: api\r\n\r\n" * 500
                async with asyncio.timeout(2):
                    await loop.sock_sendall(client, more)
        async with asyncio.timeout(60):
            while open_sockets._all:  # noqa: ASYNC110  the connection has no event for its end
                await asyncio.sleep(0.1)


async def test_the_kernel_drops_clients_that_take_nothing(
    app: Litestar, monkeypatch: pytest.MonkeyPatch, sockets: ExitStack
) -> None:
    monkeypatch.setattr("api.http.sockets.SILENT_S", 1)
    open_sockets = OpenSockets()
    async with listening(app, open_sockets) as url:
        # The document is small enough for the kernel, so the transport has nothing to send.
        sockets.enter_context(await ask(url, "", "/docs"))
        await asyncio.sleep(0.5)
        async with asyncio.timeout(60):
            while open_sockets._all:  # noqa: ASYNC110  the connection has no event for its end
                await asyncio.sleep(0.1)


@pytest.mark.usefixtures("hasty")
async def test_a_connection_that_ends_counts_until_its_answer_is_read(
    app: Litestar, stranger: Client, sockets: ExitStack
) -> None:
    """The kernel would keep the answers of closed connections, without a limit on their number."""
    saved = await stranger.send_post({"content": "x" * 90_000, "isDraft": True})
    path, size = f"/v1/posts/{saved.json()['id']}", len(saved.content)
    assert LARGE < size < SEND_BUFFER / 2
    open_sockets, end = OpenSockets(), "Connection: close\r\n"
    async with listening(app, open_sockets) as url:
        client = sockets.enter_context(await ask(url, api_key(stranger), path, end))
        sockets.enter_context(await ask(url, api_key(stranger), path, end))
        await asyncio.sleep(0.3)
        assert open_sockets._all == 2
        answer = await read_all(client)
        assert len(answer) > size
        assert b"\r\nconnection: close\r\n" in answer
        client.close()
        async with asyncio.timeout(60):
            while open_sockets._all:  # noqa: ASYNC110  the connection has no event for its end
                await asyncio.sleep(0.1)


async def test_a_request_that_ends_its_connection_is_the_last(app: Litestar, sockets: ExitStack) -> None:
    async with listening(app) as url:
        client = sockets.enter_context(await ask(url, "", "/healthz", "Connection: close\r\n"))
        with suppress(ConnectionError):
            await asyncio.get_running_loop().sock_sendall(client, b"GET /healthz HTTP/1.1\r\nHost: api\r\n\r\n")
        assert (await read_all(client)).count(b"HTTP/1.1 ") == 1
