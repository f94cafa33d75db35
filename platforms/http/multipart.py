"""Multipart forms with files of any size: streamed, and able to say whether they were sent to the end."""

import json
import re
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

import httpx

from platforms.errors import ErrorKind, PlatformError
from platforms.files import MediaFile
from platforms.http.body import PIECE_BYTES
from platforms.http.wire import Wire

LONGEST_NAME = 100
"""Characters of a file name; our choice, platforms take more."""


def name_in(url: str, *, takes_utf8: bool = False) -> str:
    """Return the file name in an address, in a form that a multipart form can hold; "" if there is none.

    `takes_utf8`: letters and digits of every script are kept, for platforms that show such names.
    """
    own = unquote(urlsplit(url).path).rpartition("/")[2]
    return re.sub(r"[^\w.-]+", "-", own, flags=0 if takes_utf8 else re.ASCII).strip("-.")[:LONGEST_NAME]


@dataclass(frozen=True, slots=True)
class FilePart:
    """One file of a form, under the form field's name."""

    name: str
    filename: str
    file: MediaFile


class MultipartForm:
    """The body of a request, which can be sent more than once. No name may hold quotes or line ends."""

    def __init__(self, fields: Mapping[str, str], parts: Sequence[FilePart]) -> None:
        self._boundary = secrets.token_hex(16)
        self._fields = "".join(
            f'--{self._boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in fields.items()
        ).encode()
        self._parts = [(self._head(part), part.file) for part in parts]
        self._end = f"--{self._boundary}--\r\n".encode()
        self.handed_over = False
        """Whether the last piece was given to the connection. Before that, no server can take the form for complete."""

    @property
    def headers(self) -> dict[str, str]:
        """Return the headers that go with the body, with its length, as many platforms demand."""
        files = sum(len(head) + file.size + len(b"\r\n") for head, file in self._parts)
        return {
            "Content-Type": f"multipart/form-data; boundary={self._boundary}",
            "Content-Length": str(len(self._fields) + files + len(self._end)),
        }

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the body piece by piece."""
        self.handed_over = False
        yield self._fields
        for head, file in self._parts:
            yield head
            async for piece in file.chunks(PIECE_BYTES):
                yield piece
            yield b"\r\n"
        self.handed_over = True
        yield self._end

    def _head(self, part: FilePart) -> bytes:
        return (
            f'--{self._boundary}\r\nContent-Disposition: form-data; name="{part.name}"; filename="{part.filename}"\r\n'
            f"Content-Type: {part.file.content_type}\r\n\r\n"
        ).encode()


async def post_form(
    wire: Wire,
    path: str,
    form: MultipartForm,
    *,
    public: bool = False,
    **options: Any,
) -> httpx.Response:
    """Post a form as `Wire.send` does. If it broke off before its end, it surely had no effect.

    Raises PlatformError; if it broke off, the kind is `transient` instead of `unconfirmed`.
    """
    try:
        return await wire.send("POST", path, public=public, content=form, **options)
    except PlatformError as error:
        if error.kind is ErrorKind.UNCONFIRMED and error.status is None and not form.handed_over:
            raise PlatformError(ErrorKind.TRANSIENT, error.message, code=error.code) from error
        raise


class RelatedBody:
    """A body of multipart/related (RFC 2387): a description as JSON, and its file. It can be sent more than once."""

    def __init__(self, description: Mapping[str, Any], file: MediaFile) -> None:
        self._boundary = secrets.token_hex(16)
        self._file = file
        self._head = (
            f"--{self._boundary}\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n{json.dumps(description)}\r\n"
            f"--{self._boundary}\r\nContent-Type: {file.content_type}\r\n\r\n"
        ).encode()
        self._end = f"\r\n--{self._boundary}--\r\n".encode()

    @property
    def headers(self) -> dict[str, str]:
        """Return the headers that go with the body, with its length."""
        return {
            "Content-Type": f"multipart/related; boundary={self._boundary}",
            "Content-Length": str(len(self._head) + self._file.size + len(self._end)),
        }

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the body piece by piece."""
        yield self._head
        async for piece in self._file.chunks(PIECE_BYTES):
            yield piece
        yield self._end
