"""Abuse of connections, over real sockets: the server keeps nothing and waits for nothing without a limit."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from litestar import Litestar

from api.http.protocol import LARGEST_HEAD, LONGEST_ADDRESS, READ_AHEAD, ApiProtocol
from api.http.sockets import Admission, OpenSockets
from tests.serving import listening
from tests.stack import Stack

GET = b"GET /healthz HTTP/1.1\r\nHost: api\r\n\r\n"
Raw = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ApiProtocol, "head_s", 1.0)
    monkeypatch.setattr(ApiProtocol, "body_s", 1.5)


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Raw]:
    reader, writer = await asyncio.open_connection("127.0.0.1", httpx.URL(url).port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, Any]]:
    """Read until the server closes; returns the status and body of its last response."""
    async with asyncio.timeout(60):
        raw = await reader.read()
    head, _, body = raw[raw.rindex(b"HTTP/1.1 ") :].partition(b"\r\n\r\n")
    assert b"\r\ncontent-type: application/json\r\n" in head
    assert b"\r\nx-request-id: " in head
    return int(head.split()[1]), json.loads(body)


async def is_closed(reader: asyncio.StreamReader) -> bool:
    async with asyncio.timeout(60):
        return await reader.read() == b""


HEADS = {
    "many headers": [b"GET / HTTP/1.1\r\n", *(b"X-%d: a\r\n" % n for n in range(10_000))],
    "a long header": [b"GET / HTTP/1.1\r\nX: ", *[b"a" * 1024] * 80],
    "a long name": [b"GET / HTTP/1.1\r\n", *[b"a" * 1024] * 80],
    "all at once": [b"GET / HTTP/1.1\r\nX: " + b"a" * 10_000_000],
}


@pytest.mark.parametrize("name", HEADS)
async def test_a_head_is_refused_beyond_64_kib(app: Litestar, name: str) -> None:
    async with listening(app) as url, connected(url) as (reader, writer):
        for piece in HEADS[name]:
            writer.write(piece)
        status, body = await answer(reader)
    assert (status, body["type"], body["code"]) == (431, "invalid_request_error", "headers_too_large")


ADDRESSES = {
    "in one piece": [b"GET /?" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: api\r\n\r\n"],
    "just too long": [b"GET /" + b"a" * LONGEST_ADDRESS + b" HTTP/1.1\r\nHost: api\r\n\r\n"],
    "in many": [b"GET /?", *[b"a" * 1024] * 80],
    "without end": [b"GET /" + b"a" * 10_000_000],
}


@pytest.mark.parametrize("name", ADDRESSES)
async def test_a_too_long_address_is_refused(app: Litestar, name: str) -> None:
    async with listening(app) as url, connected(url) as (reader, writer):
        for piece in ADDRESSES[name]:
            writer.write(piece)
        status, body = await answer(reader)
    assert (status, body["type"], body["code"]) == (414, "invalid_request_error", "address_too_long")


class CountingTransport:
    """A transport that counts the writes, each of which is a call of the system."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self.writes: list[bytes] = []
        self._transport = transport

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        self.writes.append(data)
        self._transport.write(data)


async def test_an_answer_is_one_write(app: Litestar, stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    transports: list[CountingTransport] = []

    def count(protocol: ApiProtocol, transport: asyncio.Transport) -> None:
        transports.append(CountingTransport(transport))
        connection_made(protocol, transports[-1])  # type: ignore[arg-type]

    connection_made = ApiProtocol.connection_made
    monkeypatch.setattr(ApiProtocol, "connection_made", count)
    headers = {"Authorization": f"Bearer {stack.api_key}"}
    async with listening(app) as url, httpx.AsyncClient(base_url=url, headers=headers) as client:
        for method, path, status in (
            ("GET", "/v1/posts?limit=1", 200),
            ("HEAD", "/v1/posts?limit=1", 200),
            ("OPTIONS", "/v1/posts", 204),
            ("GET", "/nowhere", 404),
        ):
            assert (await client.request(method, path)).status_code == status
            assert len(transports[0].writes) == 1, method
            transports[0].writes.clear()
        content = {"Content-Type": "application/json", "Expect": "100-continue"}
        assert (await client.post("/v1/posts/validate", content=b"{}", headers=content)).status_code == 200
        assert [data.split()[1] for data in transports[0].writes] == [b"100", b"200"]
    assert len(transports) == 1


async def test_pipelined_invalid_request_is_refused_after_the_first_response(app: Litestar) -> None:
    async with listening(app) as url, connected(url) as (reader, writer):
        writer.write(GET)
        await reader.readuntil(b'{"status":"ok"}')
        writer.write(ADDRESSES["in one piece"][0])
        assert (await answer(reader))[0] == 414


@pytest.mark.parametrize("address", [b"http://[", b"http://", b"http://api", b"http://api:99999/", b"/\x80"])
async def test_an_address_that_cannot_be_read_is_refused(app: Litestar, address: bytes) -> None:
    async with listening(app) as url, connected(url) as (reader, writer):
        writer.write(b"GET " + address + b" HTTP/1.1\r\nHost: api\r\n\r\n")
        status, body = await answer(reader)
    assert (status, body["code"]) == (400, "invalid_request")


async def test_large_head_is_read_and_the_limit_resets(app: Litestar) -> None:
    head = b"GET /healthz HTTP/1.1\r\nHost: api\r\nX: " + b"a" * (LARGEST_HEAD - 1000) + b"\r\n\r\n"
    async with listening(app) as url, connected(url) as (reader, writer):
        for _ in range(3):
            writer.write(head)
            assert (await reader.readuntil(b'{"status":"ok"}')).startswith(b"HTTP/1.1 200 ")


async def test_a_long_address_is_answered_for_its_query(app: Litestar, stack: Stack) -> None:
    headers = {"Authorization": f"Bearer {stack.api_key}"}
    async with listening(app) as url, httpx.AsyncClient(base_url=url, headers=headers) as client:
        assert (await client.get("/v1/posts", params={"cursor": "a" * (LONGEST_ADDRESS - 100)})).status_code == 400


@pytest.mark.parametrize("begun", [b"G", b"GET / HTT", GET[:-1], GET + b"G", GET + GET + GET[:-2]])
async def test_incomplete_head_times_out(app: Litestar, begun: bytes) -> None:
    async with listening(app) as url, connected(url) as (reader, writer):
        writer.write(begun)
        status, body = await answer(reader)
    assert (status, body["code"]) == (408, "request_timeout")


async def test_trickled_bytes_do_not_extend_the_deadline(app: Litestar) -> None:
    async def drip(writer: asyncio.StreamWriter) -> None:
        for byte in b"GET / HTTP/1.1\r\nX: " + b"a" * 1000:
            writer.write(bytes([byte]))
            await asyncio.sleep(0.1)

    async with listening(app) as url, connected(url) as (reader, writer):
        dripping = asyncio.create_task(drip(writer))
        assert (await answer(reader))[0] == 408
        dripping.cancel()


@pytest.mark.parametrize("earlier", [b"", GET])
@pytest.mark.parametrize("begun", [b"", b"\r\n"])
async def test_idle_connection_is_closed(
    app: Litestar, monkeypatch: pytest.MonkeyPatch, earlier: bytes, begun: bytes
) -> None:
    monkeypatch.setattr("api.http.protocol.KEEP_ALIVE_S", 2)
    async with listening(app) as url, connected(url) as (reader, writer):
        if earlier:
            writer.write(earlier)
            await reader.readuntil(b'{"status":"ok"}')
        writer.write(begun)
        async with asyncio.timeout(60):
            assert b"408" not in await reader.read()


def posting(stack: Stack, *headers: bytes) -> bytes:
    lines = (b"POST /v1/posts HTTP/1.1", b"Host: api", f"Authorization: Bearer {stack.api_key}".encode(), *headers)
    return b"\r\n".join((*lines, b"", b""))


@pytest.mark.parametrize(
    ("header", "begun"),
    [(b"Content-Length: 1000", b"{"), (b"Transfer-Encoding: chunked", b"1\r\n{\r\n"), (b"Content-Length: 1000", b"")],
)
async def test_incomplete_body_times_out(app: Litestar, stack: Stack, header: bytes, begun: bytes) -> None:
    async with listening(app) as url, connected(url) as (reader, writer):
        writer.write(posting(stack, header) + begun)
        status, body = await answer(reader)
    assert (status, body["code"]) == (408, "request_timeout")


async def test_body_after_the_response_times_out(app: Litestar) -> None:
    async with listening(app) as url, connected(url) as (reader, writer):
        writer.write(b"POST /v1/posts HTTP/1.1\r\nHost: api\r\nContent-Length: 1000\r\n\r\n{")
        assert (await answer(reader))[0] == 401


async def test_body_after_the_response_does_not_extend_idling(app: Litestar, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.http.protocol.KEEP_ALIVE_S", 0.5)
    async with listening(app) as url, connected(url) as (reader, writer):
        writer.write(b"POST /v1/posts HTTP/1.1\r\nHost: api\r\nContent-Length: 2\r\n\r\n{")
        await reader.readuntil(b"401")
        writer.write(b"}")
        assert (await answer_of_rest(reader)) == b""


async def answer_of_rest(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(60):
        return (await reader.read()).partition(b"}]}")[2]


@pytest.mark.parametrize("pieces", [b"1" + b";x" * 1000 + b"\r\na\r\n", b"0\r\n" + b"X: " + b"a" * 10_000])
async def test_chunk_framing_is_bounded(app: Litestar, stack: Stack, pieces: bytes) -> None:
    async with listening(app) as url, connected(url) as (reader, writer):
        writer.write(posting(stack, b"Transfer-Encoding: chunked"))
        for _ in range(200):
            writer.write(pieces)
        assert (await answer(reader))[0] == 400


@pytest.mark.parametrize("encodings", [["identity", "chunked"], ["gzip, chunked"], ["identity"]])
async def test_bodies_in_other_encodings_are_refused(app: Litestar, stack: Stack, encodings: list[str]) -> None:
    headers = [f"Transfer-Encoding: {encoding}".encode() for encoding in encodings]
    async with listening(app) as url, connected(url) as (reader, writer):
        writer.write(posting(stack, *headers) + b"2\r\n{}\r\n0\r\n\r\n")
        status, body = await answer(reader)
    assert (status, body["code"]) == (400, "invalid_request")


@pytest.mark.parametrize("upgrade", [b"websocket", b"h2c"])
async def test_protocol_upgrades_are_refused(app: Litestar, upgrade: bytes) -> None:
    key = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    head = b"GET /healthz HTTP/1.1\r\nHost: api\r\nConnection: Upgrade\r\nUpgrade: " + upgrade + b"\r\n" + key + b"\r\n"
    async with listening(app) as url, connected(url) as (reader, writer):
        writer.write(head)
        assert (await answer(reader)) == (200, {"status": "ok"})


async def test_excess_connections_get_503(app: Litestar) -> None:
    async with listening(app, OpenSockets(most=2)) as url, connected(url), connected(url) as (reader, writer):
        async with connected(url) as (third, its):
            its.write(b"GET /docs HTTP/1.1\r\nHost: api\r\n\r\n")
            status, body = await answer(third)
            assert (status, body["type"], body["code"]) == (503, "api_error", "unavailable")
        async with connected(url) as (third, its):
            its.write(GET)
            assert (await third.readuntil(b'{"status":"ok"}')).startswith(b"HTTP/1.1 200 ")
        writer.write(GET)
        assert (await reader.readuntil(b'{"status":"ok"}')).startswith(b"HTTP/1.1 200 ")


async def test_far_too_many_connections_are_closed_immediately(app: Litestar, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.http.sockets._SPARE", 0)
    async with listening(app, OpenSockets(most_per_address=1)) as url:
        async with connected(url), connected(url) as (second, _):
            assert await is_closed(second)
        await asyncio.sleep(0.1)
        async with connected(url) as (reader, writer):
            writer.write(GET)
            await reader.readuntil(b'{"status":"ok"}')


def test_a_peer_is_an_address_or_a_network_of_ipv6() -> None:
    open_sockets = OpenSockets(most=1000, most_per_address=2)
    same = ["2001:db8:1:2::1", "2001:db8:1:2:ffff::9", "2001:db8:1:2::3"]
    assert [open_sockets.enter(address) for address in same] == [Admission.SERVED, Admission.SERVED, Admission.REFUSED]
    assert open_sockets.enter("2001:db8:1:3::1") is Admission.SERVED
    assert [open_sockets.enter(f"192.0.2.{n}") for n in range(3)] == [Admission.SERVED] * 3
    for address in same:
        open_sockets.leave(address)
    assert open_sockets.enter(same[0]) is Admission.SERVED


async def test_a_file_is_read_ahead_of_the_app_within_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ApiProtocol, "body_s", 30.0)
    size, other, bodies = 8 * READ_AHEAD, b"/healthz", list[bytes]()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["raw_path"] != other:
            scope["state"]["read_ahead"]()
            has_more = True
            while has_more:
                # As if the disk were slow: the client sends meanwhile.
                await asyncio.sleep(0.05)
                message = await receive()
                has_more = message["more_body"]
                bodies.append(message["body"])
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    async with listening(app) as url, connected(url) as (reader, writer):  # type: ignore[arg-type]
        writer.write(b"PUT /media/upload/a HTTP/1.1\r\nHost: api\r\nContent-Length: %d\r\n\r\n" % size)
        writer.write(bytes(size) + b"GET %b HTTP/1.1\r\nHost: api\r\n\r\n" % other)
        for _ in range(2):
            async with asyncio.timeout(60):
                assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
    assert READ_AHEAD <= max(map(len, bodies)) < 2 * READ_AHEAD
    assert sum(map(len, bodies)) == size
