"""A transport that notes what goes over it, for one live check: in memory, and nowhere else."""

import zlib
from collections.abc import AsyncIterator, Callable
from typing import Any, cast

import httpx

from platforms.http import answers
from platforms.live import RecordedExchange

_MOST_BYTES = 256 * 1024
"""Bytes that are kept of one answer; the shape of a longer one is not known."""


class Recording(httpx.AsyncBaseTransport):
    """A transport that calls `note` after each exchange."""

    def __init__(
        self, inner: httpx.AsyncBaseTransport, step: Callable[[], str], note: Callable[[RecordedExchange], None]
    ) -> None:
        self._inner = inner
        self._step = step
        self._note = note

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Pass a request on. Raises what the transport raises, after noting it as unanswered."""
        about = (self._step(), request.method, request.url.host, request.url.path)
        sent = _json_sent(request)
        try:
            response = await self._inner.handle_async_request(request)
        except BaseException:
            self._note(RecordedExchange(*about, status=None, sent=sent))
            raise

        def over(body: bytes) -> None:
            parsed = answers.parse(httpx.Response(response.status_code, content=_unpacked(response, body)))
            self._note(RecordedExchange(*about, response.status_code, sent, parsed, dict(response.headers)))

        stream = _Copied(cast("httpx.AsyncByteStream", response.stream), over)
        return httpx.Response(response.status_code, headers=response.headers.raw, stream=stream, request=request)


class _Copied(httpx.AsyncByteStream):
    def __init__(self, inner: httpx.AsyncByteStream, over: Callable[[bytes], None]) -> None:
        self._inner = inner
        self._over = over
        self._copy = bytearray()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._inner:
            if len(self._copy) <= _MOST_BYTES:
                self._copy += piece
            yield piece

    async def aclose(self) -> None:
        await self._inner.aclose()
        self._over(bytes(self._copy))


def _unpacked(response: httpx.Response, body: bytes) -> bytes:
    if response.headers.get("content-encoding", "").lower() not in {"gzip", "x-gzip"}:
        return body
    try:
        return zlib.decompressobj(16 + zlib.MAX_WBITS).decompress(body, _MOST_BYTES)
    except zlib.error:
        return b""


def _json_sent(request: httpx.Request) -> Any:
    if "json" not in request.headers.get("content-type", ""):
        return None
    try:
        return answers.parse(httpx.Response(200, content=request.content))
    except httpx.RequestNotRead:
        return None
