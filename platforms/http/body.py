"""Files as request bodies, which are read while they are sent: at most one piece is in memory."""

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable

from platforms.files import MediaFile

PIECE_BYTES = 256 * 1024
"""Bytes in memory of each file that is sent; our choice."""


class FileBody:
    """A media file streamed as a request body, which can be sent more than once. It reports the bytes sent so far."""

    def __init__(self, file: MediaFile, report_sent: Callable[[int], None] = lambda _: None) -> None:
        self._file = file
        self._report_sent = report_sent

    @property
    def headers(self) -> dict[str, str]:
        """Return the headers that go with the body, with its length, as many platforms demand."""
        return {"Content-Length": str(self._file.size)}

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the body piece by piece."""
        sent = 0
        async for piece in self._file.chunks(PIECE_BYTES):
            yield piece
            sent += len(piece)
            self._report_sent(sent)


class Fenced:
    """A body whose last piece waits for a fence. Without that piece no server can take the request for complete.

    Sending a large file takes minutes, in which another worker may take over the post.
    """

    def __init__(self, body: AsyncIterable[bytes], fence: Callable[[], Awaitable[None]]) -> None:
        self._body = body
        self._fence = fence

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the body piece by piece. Before the last piece it raises what the fence raises."""
        held: bytes | None = None
        async for piece in self._body:
            if held is not None:
                yield held
            held = piece
        await self._fence()
        if held is not None:
            yield held
