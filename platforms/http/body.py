"""Send a file as the body of a request: read while it goes out, so that no more than a piece of it is in memory."""

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable

from platforms.files import MediaFile

PIECE_BYTES = 256 * 1024
"""What is held in memory of each file that is sent; our choice."""


class FileBody:
    """Be a file as a body that can be sent more than once; `told` hears how many bytes have gone out."""

    def __init__(self, file: MediaFile, told: Callable[[int], None] = lambda _: None) -> None:
        self._file = file
        self._told = told

    @property
    def headers(self) -> dict[str, str]:
        """Return the headers that go with the body; its length is known, as many networks demand."""
        return {"Content-Length": str(self._file.size)}

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the body piece by piece."""
        sent = 0
        async for piece in self._file.chunks(PIECE_BYTES):
            yield piece
            sent += len(piece)
            self._told(sent)


class Fenced:
    """A body whose last piece waits for a fence: without that piece no server can take the request for whole.

    PublishContext a large file takes minutes, in which another worker may take over the post.
    """

    def __init__(self, body: AsyncIterable[bytes], fence: Callable[[], Awaitable[None]]) -> None:
        self._body = body
        self._fence = fence

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the body piece by piece. Raises what the fence raises before the last one."""
        held: bytes | None = None
        async for piece in self._body:
            if held is not None:
                yield held
            held = piece
        await self._fence()
        if held is not None:
            yield held
