"""Servers whose responses never end, are slow, or unpack to more than fits into memory."""

import asyncio
import gzip
import json
import time
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import httpx
import pytest

from activities.options import STEP_TIMEOUT
from domain.loop_share import HEAVY
from platforms.errors import ErrorKind, PlatformError
from platforms.http import timeouts
from platforms.http.addresses import AllowedHosts
from platforms.http.answers import MOST_BYTES, MOST_BYTES_OF_STRANGERS, MOST_VALUES, FirstItems, ListAt, parse, read
from platforms.http.guard import GuardedTransport
from platforms.http.transport import Transport
from platforms.http.wire import Wire, json_object
from tests.media.hostile import gzip_bomb

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"

Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def wire_to(answer: Answer) -> AsyncIterator[Wire]:
    """Serve every request with a response; yields a wire to the server."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = dict(line.split(b": ", 1) for line in head.lower().split(b"\r\n")[1:-2]).get(
                b"content-length", b"0"
            )
            await reader.readexactly(int(length))
            await answer(writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, Transport() as transport:
        yield Wire(transport, url, "Test", lambda _: PlatformError(ErrorKind.REJECTED, "No.", code="no"))


def whole(body: bytes, *headers: bytes) -> Answer:
    async def write(writer: asyncio.StreamWriter) -> None:
        more = b"".join(header + b"\r\n" for header in headers)
        writer.write(HEAD + more + f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
        await writer.drain()

    return write


async def has_no_end(writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    while not writer.is_closing():
        writer.write(b"10000\r\n" + b" " * 65536 + b"\r\n")
        await writer.drain()


async def drips(writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD + b"Content-Length: 1000000\r\n\r\n")
    while not writer.is_closing():
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.02)


async def drips_its_head(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nX: ")
    while not writer.is_closing():
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("encoding", [b"gzip", b"X-GZIP"])
async def test_a_packed_answer_is_read(encoding: bytes) -> None:
    async with wire_to(whole(gzip.compress(b'{"id": "1"}'), b"Content-Encoding: " + encoding)) as wire:
        assert json_object(await wire.send("GET", "/")) == {"id": "1"}


@pytest.mark.parametrize("public", [True, False])
@pytest.mark.parametrize(
    "answer",
    [
        whole(gzip_bomb(256), b"Content-Encoding: gzip"),
        whole(bytes(MOST_BYTES_OF_STRANGERS + 1)),
        has_no_end,
        whole(b"[" + b"[]," * (MOST_VALUES // 2) + b"[]]"),
        whole(b"[" + b'{"":0},' * (MOST_VALUES // 2) + b"0]"),
        whole(b"[" + b"0," * MOST_VALUES + b"0]"),
    ],
    ids=["packed", "long", "endless", "lists", "objects", "values"],
)
async def test_an_answer_is_read_up_to_a_bound(answer: Answer, public: bool) -> None:
    async with wire_to(answer) as wire:
        tracemalloc.start()
        try:
            with pytest.raises(PlatformError) as caught:
                await wire.send("POST", "/", public=public)
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert (caught.value.kind, caught.value.code) == (
        ErrorKind.UNCONFIRMED if public else ErrorKind.TRANSIENT,
        "answer_too_large",
    )
    assert most < 8 * MOST_BYTES_OF_STRANGERS


ITEM = b'{"id": 1, "text": "a \\"b\\" [c]"}'
FILL = b" " * MOST_BYTES_OF_STRANGERS
MANY = b"[" + b"0," * MOST_VALUES + b"0]"


@pytest.mark.parametrize(
    ("names", "body", "items"),
    [
        ((), b"[" + ITEM + b", " + ITEM + b"," + FILL + ITEM + b"]", 2),
        ((), b"\xef\xbb\xbf [" + ITEM + b"," + MANY + b"]", 1),
        ((), b"[" + ITEM + b"," + b"[" * MOST_VALUES + b"]", 1),
        ((), b"[" + ITEM + b', {"text": "' + FILL + b'"}]', 1),
        ((), b"[" + b",".join([ITEM] * 30_000) + b"]", 1_000),
        ((), b"[" + b"{}," * 25_000 + FILL + b"]", 1_000),
        (("data",), b'{"data": [' + ITEM + b'], "meta": {' + FILL + b"}}", 1),
        (("data",), b'{"meta": {"data": [1]}, "data": [' + ITEM + b"," + FILL + b"]}", 1),
        (("a", "b"), b'{"b": 0, "a": {"c": [2], "b": [' + ITEM + b", " + ITEM + b" ]" + FILL, 2),
        ((), b"[" + FILL + ITEM + b"]", 0),
        ((), FILL + b"[" + ITEM + b"]", 0),
        ((), b"[12" + FILL + b"3]", 0),
        ((), b"<html>" + FILL, 0),
        (("data",), b"[" + ITEM + b"]" + FILL, 0),
        (("data",), b'{"items": [' + ITEM + b"]," + FILL, 0),
    ],
)
async def test_the_first_items_of_a_list_that_is_too_large_are_read(
    names: tuple[str, ...], body: bytes, items: int
) -> None:
    async with wire_to(whole(body)) as wire:
        if items == 0:
            with pytest.raises(PlatformError) as caught:
                await wire.send("GET", "/", listed=ListAt(names))
            assert caught.value.code == "answer_too_large"
            return
        listed = parse(await wire.send("GET", "/", listed=ListAt(names)))
    for name in names:
        listed = listed[name]
    assert isinstance(listed, FirstItems)
    assert len(listed) == items
    assert all(item in ({}, json.loads(ITEM)) for item in listed)


async def test_no_more_of_a_list_is_read_than_is_needed() -> None:
    async def endless_list(writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\n[\r\n")
        while not writer.is_closing():
            item = json.dumps({"text": "x" * 4000}).encode() + b","
            writer.write(f"{len(item):x}\r\n".encode() + item + b"\r\n")
            await writer.drain()

    async with wire_to(endless_list) as wire:
        listed = parse(await wire.send("GET", "/", listed=ListAt(enough=5)))
    assert isinstance(listed, FirstItems)
    assert len(listed) == 6
    async with wire_to(whole(b"[" + b",".join([ITEM] * 2_000) + b"]")) as wire:
        assert type(parse(await wire.send("GET", "/", listed=ListAt(enough=2_000)))) is list


async def test_the_largest_answer_is_read() -> None:
    async with wire_to(whole(bytes(MOST_BYTES_OF_STRANGERS))) as wire:
        assert len((await wire.send("GET", "/")).content) == MOST_BYTES_OF_STRANGERS


async def test_the_answer_with_the_most_values_is_read() -> None:
    async with wire_to(whole(b"[" + b"[]," * (MOST_VALUES // 2 - 1) + b"[]]")) as wire:
        assert parse(await wire.send("GET", "/")) == [[]] * (MOST_VALUES // 2)


@pytest.mark.parametrize(("domains", "most"), [(["127.0.0.1"], MOST_BYTES), (["test"], MOST_BYTES_OF_STRANGERS)])
async def test_only_the_platforms_own_hosts_may_answer_more(domains: list[str], most: int) -> None:
    async with wire_to(whole(bytes(most))) as wire, wire_to(whole(bytes(most + 1))) as beyond:
        allowed = AllowedHosts([url.removeprefix("http://") for url in (wire.base_url, beyond.base_url)])
        async with GuardedTransport(allowed, domains=domains) as transport:
            wire.transport = beyond.transport = transport
            assert len((await wire.send("GET", "/")).content) == most
            with pytest.raises(PlatformError) as caught:
                await beyond.send("GET", "/")
    assert caught.value.code == "answer_too_large"


async def test_large_answers_of_one_moment_leave_the_event_loop_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many connections may bring their last bytes at the same time."""
    monkeypatch.setattr(json, "loads", lambda *_, **__: time.sleep(0.05))
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0.001)

    request = httpx.Request("GET", "https://social.test")
    counting = asyncio.create_task(count())
    answers = await asyncio.gather(
        *(read(httpx.Response(200, stream=httpx.ByteStream(b" " * HEAVY)), request) for _ in range(10))
    )
    counting.cancel()
    assert turns > len(answers)


async def test_an_answer_is_parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async with wire_to(whole(b'{"id": "1"}')) as wire:
        answer = await wire.send("GET", "/")
    monkeypatch.setattr(json, "loads", None)
    assert parse(answer) == json_object(answer) == {"id": "1"}


@pytest.mark.parametrize("public", [True, False])
@pytest.mark.parametrize("answer", [drips, drips_its_head])
async def test_an_answer_must_end_in_time(answer: Answer, public: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeouts, "_ANSWER_S", 0.3)
    async with asyncio.timeout(60), wire_to(answer) as wire:
        with pytest.raises(PlatformError) as caught:
            await wire.send("POST", "/", public=public)
    assert (caught.value.kind, caught.value.code) == (
        ErrorKind.UNCONFIRMED if public else ErrorKind.TRANSIENT,
        "timed_out",
    )


async def test_a_request_may_take_longer_than_its_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeouts, "_ANSWER_S", 1)

    async def body() -> AsyncIterator[bytes]:
        for _ in range(10):
            await asyncio.sleep(0.12)
            yield b"x"

    async with wire_to(whole(b"{}")) as wire:
        await wire.send("POST", "/", content=body(), headers={"Content-Length": "10"})


def slow(seconds: float) -> Answer:
    async def write(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(seconds)
        await whole(b"{}")(writer)

    return write


@pytest.mark.parametrize("size", [0, 2_000_000])
async def test_a_platform_may_take_the_longer_to_answer_the_more_it_is_sent(
    size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timeouts, "_QUIET_S", 0.1)
    monkeypatch.setattr(timeouts, "_ANSWER_S", 0.1)
    async with wire_to(slow(0.5)) as wire:
        if size:
            assert (await wire.send("POST", "/", public=True, content=bytes(size))).status_code == httpx.codes.OK
            return
        with pytest.raises(PlatformError) as caught:
            await wire.send("POST", "/", public=True)
    assert (caught.value.kind, caught.value.code) == (ErrorKind.UNCONFIRMED, "timed_out")


@pytest.mark.parametrize(("size", "most"), [(0, 60), (1_000_000, 80), (12_000_000, 300), (4 * 2**30, 300)])
def test_the_wait_for_an_answer_grows_with_the_body_and_is_bounded(size: int, most: float) -> None:
    assert timeouts.answer_within(size) == most <= timeouts.LONGEST_ANSWER_S
    assert (timeouts.for_body(size).read or 0) < most
    assert timedelta(seconds=timeouts.LONGEST_ANSWER_S) < STEP_TIMEOUT / 2


async def test_a_broken_encoding_is_unconfirmed_for_what_may_be_public() -> None:
    async with wire_to(whole(b"no gzip", b"Content-Encoding: gzip")) as wire:
        with pytest.raises(PlatformError) as caught:
            await wire.send("POST", "/", public=True)
    assert caught.value.kind is ErrorKind.UNCONFIRMED


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[" * 100_000,
        b'{"a": ' * 100_000,
        b'{"wait": NaN}',
        b'{"wait": -Infinity}',
        b'{"wait": 1e999}',
        b'{"wait": ' + b"9" * 5000 + b"}",
        b"[1, 2]",
    ],
)
def test_a_body_without_a_json_object_is_read_as_an_empty_object(body: bytes) -> None:
    assert json_object(httpx.Response(200, content=body)) == {}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"a\\u0000": ["b\\u0000c", {"d": "\\ud83d"}]}', {"a": ["bc", {"d": "?"}]}),
        ('{"a": "\\ud83d\\ude00 😀"}'.encode(), {"a": "😀 😀"}),
        (b'{"a": "\xff\xed\xa0\xbd"}', {"a": "\ufffd\ufffd\ufffd\ufffd"}),
        (b'\xef\xbb\xbf{"a": 1.5}', {"a": 1.5}),
    ],
)
def test_a_parsed_answer_can_be_stored(body: bytes, expected: object) -> None:
    """PostgreSQL stores no NUL and no unpaired surrogate."""
    read = parse(httpx.Response(200, content=body))
    assert read == expected
    assert "\0" not in json.dumps(read, ensure_ascii=False)
    json.dumps(read, ensure_ascii=False).encode()
