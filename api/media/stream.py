"""The bytes of an upload as they come."""

from collections.abc import AsyncIterator

from litestar.exceptions import InternalServerException

from api.http.headers import HttpRequest
from api.media.errors import BROKEN_OFF, EMPTY, MediaRejected, differs
from media.sniff import HEAD
from media.upload_types import is_accepted, recognize


async def body_pieces(request: HttpRequest) -> AsyncIterator[bytes]:
    """Yield the body as it comes. Raises InvalidRequest if it ends early."""
    if read_ahead := request.scope["state"].get("read_ahead"):
        read_ahead()
    try:
        async for piece in request.stream():
            if piece:
                yield piece
    except InternalServerException as error:
        # Litestar's exception for a client that disconnected while it was sending.
        raise BROKEN_OFF from error


class FileStream:
    """The bytes of a file as they come, refused as soon as their type or their number is wrong.

    `size` and `sniffed_type` are known at the end. `announced` is the number of bytes that must come, if it is known.
    """

    def __init__(self, pieces: AsyncIterator[bytes], announced: int | None) -> None:
        self.size = 0
        self.sniffed_type: str | None = None
        self._pieces = pieces
        self._announced = announced
        self._head = b""
        self._stopped: Exception | None = None

    def stop(self, error: Exception) -> None:
        """Let the next piece raise an error."""
        self._stopped = error

    async def checked(self) -> AsyncIterator[bytes]:
        """Yield the bytes. Raises Unprocessable, InvalidRequest."""
        async for piece in self._pieces:
            if self._stopped is not None:
                raise self._stopped
            self.size += len(piece)
            if self._announced is not None and self.size > self._announced:
                raise differs("size", self._announced, f"{self.size} or more")
            if len(self._head) < HEAD:
                self._head += piece[: HEAD - len(self._head)]
                if len(self._head) == HEAD:
                    self._recognize()
            yield piece
        if not self.size:
            raise EMPTY
        if self._announced is not None and self.size != self._announced:
            raise differs("size", self._announced, self.size)
        if len(self._head) < HEAD:
            self._recognize()

    def _recognize(self) -> None:
        self.sniffed_type = recognize(self._head)
        if not is_accepted(self.sniffed_type):
            raise MediaRejected(self.sniffed_type)
