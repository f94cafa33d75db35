"""Bodies of requests with files, which are read while they are sent."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx
import pytest

from platforms.errors import ErrorKind, PlatformError
from platforms.files import MediaFile
from platforms.http.body import PIECE_BYTES, FileBody
from platforms.http.multipart import FilePart, MultipartForm, post_form
from platforms.http.transport import Transport
from platforms.http.wire import Wire
from sandbox.wire import Request

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def media_file(length: int, content_type: str = "video/mp4") -> MediaFile:
    async def chunks(size: int, start: int = 0) -> AsyncIterator[bytes]:
        for at in range(start, length, size):
            yield b"x" * min(size, length - at)

    return MediaFile(content_type, length, chunks)


@asynccontextmanager
async def server(serve: Serve) -> AsyncIterator[Wire]:
    async def closing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        finally:
            writer.close()

    listening = await asyncio.start_server(closing, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    async with listening, Transport() as transport:
        yield Wire(
            transport, f"http://127.0.0.1:{port}", "Net", lambda _: PlatformError(ErrorKind.REJECTED, "no", code="no")
        )


async def read_head(reader: asyncio.StreamReader) -> httpx.Headers:
    lines = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()[1:-1]
    return httpx.Headers([(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)])


@pytest.mark.parametrize("size", [0, 1, 256 * 1024, 1_000_003])
async def test_a_form_arrives_whole_and_as_long_as_announced(size: int) -> None:
    seen: dict[str, object] = {}

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        headers = await read_head(reader)
        body = await reader.readexactly(int(headers["content-length"]))
        assert "transfer-encoding" not in headers
        seen.update(Request("POST", "/", b"", [(b"content-type", headers["content-type"].encode())], body).form())
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        await writer.drain()

    form = MultipartForm(
        {"caption": "Grüße ✓"},
        [FilePart("video", "Übersicht.mp4", media_file(size)), FilePart("b", "b.jpg", media_file(3))],
    )
    async with server(serve) as wire:
        answer = await post_form(wire, "/send", form, public=True)
    assert answer.text == "ok"
    assert form.handed_over
    assert seen == {"caption": "Grüße ✓", "video": b"x" * size, "b": b"xxx"}


async def test_a_form_that_broke_off_had_no_effect() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        writer.transport.abort()

    form = MultipartForm({}, [FilePart("video", "a.mp4", media_file(200_000_000))])
    async with server(serve) as wire:
        with pytest.raises(PlatformError) as caught:
            await post_form(wire, "/send", form, public=True)
    assert caught.value.kind is ErrorKind.TRANSIENT
    assert not form.handed_over


async def test_a_whole_form_without_an_answer_is_unconfirmed() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        headers = await read_head(reader)
        await reader.readexactly(int(headers["content-length"]))
        writer.transport.abort()

    form = MultipartForm({}, [FilePart("video", "a.mp4", media_file(1000))])
    async with server(serve) as wire:
        with pytest.raises(PlatformError) as caught:
            await post_form(wire, "/send", form, public=True)
    assert caught.value.kind is ErrorKind.UNCONFIRMED


@pytest.mark.parametrize("ours", [True, False])
async def test_the_end_of_a_form_waits_until_it_is_known_that_the_post_is_still_ours(*, ours: bool) -> None:
    whole = asyncio.get_running_loop().create_future()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        headers = await read_head(reader)
        try:
            await reader.readexactly(int(headers["content-length"]))
        except asyncio.IncompleteReadError:
            whole.set_result(False)
            return
        whole.set_result(True)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        await writer.drain()

    asked: list[bool] = []

    async def fence() -> None:
        asked.append(form.handed_over)
        if form.handed_over and not ours:
            raise PlatformError(ErrorKind.TRANSIENT, "Another worker has taken over this post.", code="overtaken")

    form = MultipartForm({"caption": "x"}, [FilePart("video", "a.mp4", media_file(1_000_003))])
    async with server(serve) as wire:
        wire.fence = fence
        if ours:
            await post_form(wire, "/send", form, public=True)
        else:
            with pytest.raises(PlatformError) as caught:
                await post_form(wire, "/send", form, public=True)
            assert (caught.value.kind, caught.value.code) == (ErrorKind.TRANSIENT, "overtaken")
        assert await whole is ours
    assert asked == [False, True]


async def test_a_body_can_be_read_again_and_reports_its_progress() -> None:
    progress: list[int] = []
    body = FileBody(media_file(PIECE_BYTES + 1), progress.append)
    for _ in range(2):
        assert [len(piece) async for piece in body] == [PIECE_BYTES, 1]
    assert progress == [PIECE_BYTES, PIECE_BYTES + 1] * 2
    assert body.headers == {"Content-Length": str(PIECE_BYTES + 1)}


@pytest.mark.parametrize(
    ("begin", "length", "content"),
    [(0, 3, b"012"), (4, 3, b"456"), (8, 5, b"89"), (10, 5, b""), (12, 5, b""), (0, 99, b"0123456789"), (3, 0, b"")],
)
async def test_a_part_is_a_file(begin: int, length: int, content: bytes) -> None:
    async def chunks(size: int, start: int = 0) -> AsyncIterator[bytes]:
        for at in range(start, 10, size):
            yield b"0123456789"[at : at + size]

    part = MediaFile("video/mp4", 10, chunks).part(begin, length)
    assert part.size == len(content)
    assert await part.read() == content
    assert b"".join([piece async for piece in part.chunks(2)]) == content
    assert b"".join([piece async for piece in part.chunks(2, 1)]) == content[1:]
