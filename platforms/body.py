"""Send a file as the body of a request: read while it goes out, so that no more than a piece of it is in memory."""

from collections.abc import AsyncIterator, Callable

from platforms.files import MediaFile

PIECE_BYTES = 256 * 1024
"""What is held in memory of each file that is sent; our choice."""


class Body:
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
