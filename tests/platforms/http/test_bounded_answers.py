"""Reading a response costs little, whatever its form."""

import asyncio
from collections.abc import AsyncIterator

import httpcore
import httpx
import pytest

from platforms.http.addresses import AllowedHosts
from platforms.http.bounded_answers import MOST_HEAD_BYTES, BoundedBody
from platforms.http.guard import GuardedTransport
from tests.media.hostile import Answer, HostileServer, answer


class Pieces(httpx.AsyncByteStream):
    def __init__(self, *pieces: tuple[int, int]) -> None:
        self.pieces = pieces
        self.taken = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for count, size in self.pieces:
            for _ in range(count):
                self.taken += 1
                yield bytes(size)


async def read(*pieces: tuple[int, int]) -> tuple[int, int]:
    """Return how many pieces were read, and how many bytes."""
    stream = Pieces(*pieces)
    received = sum([len(piece) async for piece in BoundedBody(stream)])
    return stream.taken, received


async def test_bodies_in_usual_pieces_are_read_whole() -> None:
    assert await read((10_000, 1448)) == (10_000, 14_480_000)
    assert await read((4_000, 1), (10_000, 1448)) == (14_000, 14_484_000)
    assert await read((100_000, 300)) == (100_000, 30_000_000)


@pytest.mark.parametrize("size", [0, 1, 64, 200])
async def test_bodies_in_tiny_pieces_are_refused(size: int) -> None:
    stream = Pieces((1_000_000, size))
    with pytest.raises(httpx.RemoteProtocolError):
        async for _ in BoundedBody(stream):
            pass
    assert stream.taken < 20_000


async def test_other_coroutines_run_while_pieces_are_read() -> None:
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(others())
    await read((3_200, 1))
    task.cancel()
    assert turns >= 100


def interim(count: int) -> Answer:
    """Respond with interim responses first."""

    async def write(writer: asyncio.StreamWriter) -> None:
        for _ in range(count):
            writer.write(b"HTTP/1.1 103 Early Hints\r\n\r\n")
            await writer.drain()
        await answer(b"{}")(writer)

    return write


@pytest.fixture
async def client(server: HostileServer) -> AsyncIterator[httpx.AsyncClient]:
    allowed = AllowedHosts([f"127.0.0.1:{server.port}"])
    url = f"http://127.0.0.1:{server.port}"
    async with httpx.AsyncClient(transport=GuardedTransport(allowed), base_url=url, trust_env=False) as client:
        yield client


async def test_a_head_is_read_up_to_a_limit(server: HostileServer, client: httpx.AsyncClient) -> None:
    server.routes |= {
        "/few": interim(10),
        "/many": interim(1_000_000),
        "/long": answer(b"{}", f"X-Long: {'x' * MOST_HEAD_BYTES}"),
        "/endless": answer(b"{}", *(f"X-{number}: {'x' * 1000}" for number in range(1000))),
        "/body": answer(bytes(10 * MOST_HEAD_BYTES)),
    }
    assert (await client.get("/few")).status_code == httpx.codes.OK
    assert len((await client.get("/body")).content) == 10 * MOST_HEAD_BYTES
    for path in ("/many", "/long", "/endless"):
        with pytest.raises(httpx.RemoteProtocolError, match="head"):
            await client.get(path)


async def test_every_answer_of_a_connection_has_a_head_of_its_own(
    server: HostileServer, client: httpx.AsyncClient
) -> None:
    server.routes["/a"] = answer(b"{}", f"X-Long: {'x' * (MOST_HEAD_BYTES // 2)}")
    for _ in range(4):
        assert (await client.get("/a")).json() == {}


class Recorder(httpcore.AsyncNetworkBackend):
    """Connections to a server that answers every request, with a record of all that is written to them."""

    def __init__(self) -> None:
        self.written: list[bytes] = []

    async def connect_tcp(self, *_: object, **__: object) -> httpcore.AsyncNetworkStream:
        return RecordedStream(self.written)


class RecordedStream(httpcore.AsyncNetworkStream):
    def __init__(self, written: list[bytes]) -> None:
        self.written = written

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        if buffer:
            self.written.append(buffer)

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        return b"HTTP/1.1 204 No Content\r\n\r\n"

    async def aclose(self) -> None:
        pass


async def pieces(recorder: Recorder) -> AsyncIterator[bytes]:
    """Yield a body, if its head is written before the body is requested."""
    assert recorder.written[-1].endswith(b"\r\n\r\n")
    yield b"one"
    yield b"two"


async def test_a_short_request_is_written_in_one_piece_and_the_head_of_a_file_before_its_content() -> None:
    recorder = Recorder()
    async with GuardedTransport(AllowedHosts(["127.0.0.1:80"]), network=recorder) as transport:

        async def send(**content: object) -> list[bytes]:
            recorder.written.clear()
            request = httpx.Request("POST", "http://127.0.0.1/", **content)  # type: ignore[arg-type]
            await (await transport.handle_async_request(request)).aread()
            return list(recorder.written)

        for _ in range(2):
            (whole,) = await send(json={"text": "x"})
            assert whole.startswith(b"POST / HTTP/1.1\r\n")
            assert whole.endswith(b'\r\n\r\n{"text":"x"}')
            (bare,) = await send()
            assert bare.endswith(b"\r\n\r\n")
            head, *content = await send(content=pieces(recorder), headers={"content-length": "6"})
            assert head.endswith(b"\r\n\r\n")
            assert content == [b"one", b"two"]
