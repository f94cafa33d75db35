"""Files that a person uploads from a terminal: in one request, or in parts that a second command continues."""

import hashlib
import mimetypes
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote, urlsplit

import httpx

from cli.client.api import TIMEOUT_S, ApiClient, backoff, read_answer
from cli.client.refusals import RefusedError, UnavailableError
from cli.errors import UserError
from media.sniff import HEAD, recognize

IN_PARTS_FROM = 32 * 2**20
"""Bytes from which a file is sent in parts: a lost connection then costs one part."""
_BLOCK = 256 * 1024
_TRIES = 7
"""Of one part, over half a minute: an API that is started again is back by then, so the file is not read once more."""
_MOST_PENDING = 1_000
"""Unfinished uploads among which the one to continue is looked for."""
_OWN_PATH = re.compile(r"/(media/upload/[^/]+|v1/media/multipart/[^/]+/parts/\d+)$")
_TRY_AGAIN = frozenset({409, 429, 500, 502, 503, 504})
"""409: the request that broke off still holds the part."""

Progress = Callable[[int], None]
"""Called with the number of bytes that have been sent, beyond those of earlier calls."""


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file to upload, by which an unfinished upload of it is recognized."""

    path: Path
    size: int
    content_type: str
    sha256: str

    @property
    def fields(self) -> dict[str, Any]:
        """Return the body of a request that begins an upload."""
        return {
            "filename": self.path.name,
            "contentType": self.content_type,
            "size": self.size,
            "sha256": self.sha256,
        }


def read_file(path: Path, content_type: str | None) -> LocalFile:
    """Return the facts of a file, after reading it once. Raises UserError."""
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
            file.seek(0)
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            size = file.tell()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from error
    if not size:
        raise UserError(f"{path} is empty.")
    # Which names a machine knows differs: many know neither .heic nor .webp.
    kind = content_type or mimetypes.guess_type(path.name)[0] or recognize(head)
    if kind is None:
        raise UserError(f"Neither name nor bytes of {path} show its type: give it by --type, as in --type video/mp4.")
    return LocalFile(path, size, kind, digest)


class Uploader:
    """The upload of one file."""

    def __init__(self, client: ApiClient, file: LocalFile, progress: Progress) -> None:
        self._client = client
        self._file = file
        self._progress = progress
        self._shown = 0

    def upload(self) -> dict[str, Any]:
        """Send the file, and return it as the API shows it. Raises RefusedError, UnavailableError, UserError."""
        # Addresses of another server, and those that are secrets themselves, never get the key.
        with httpx.Client(base_url=self._client.http.base_url, timeout=TIMEOUT_S, trust_env=False) as self._keyless:
            try:
                with self._file.path.open("rb") as file:
                    return self._in_parts(file) if self._file.size >= IN_PARTS_FROM else self._at_once(file)
            except OSError as error:
                raise UserError(f"{self._file.path} cannot be read: {error.strerror}.") from error

    def _at_once(self, file: IO[bytes]) -> dict[str, Any]:
        begun = self._client.change("POST", "/v1/media/presign", json=self._file.fields).body
        self._put(begun["uploadUrl"], file, 0, self._file.size, begun["headers"])
        return self._client.change("POST", _path(begun["id"], "/complete")).body

    def _in_parts(self, file: IO[bytes]) -> dict[str, Any]:
        upload = self._unfinished() or self._client.change("POST", "/v1/media/multipart", json=self._file.fields).body
        path = f"/v1/media/multipart/{quote(upload['id'], safe='')}"
        for part in upload["parts"]:
            start, size = (part["number"] - 1) * upload["partSize"], part["size"]
            if not part["received"]:
                self._put(part["uploadUrl"], file, start, size, {})
            self._show(start + size)
        return self._client.change("POST", f"{path}/complete").body

    def _unfinished(self) -> dict[str, Any] | None:
        """Return the upload of the same file that an earlier command has begun."""
        for upload in self._client.pages("/v1/media", {"state": "pending"}, "media", _MOST_PENDING):
            if all(upload[name] == self._file.fields[name] for name in ("filename", "size", "sha256")):
                try:
                    return self._client.get(f"/v1/media/multipart/{quote(upload['id'], safe='')}")
                except RefusedError as error:
                    # It is not one in parts, or has ended meanwhile.
                    if error.status != httpx.codes.NOT_FOUND:
                        raise
        return None

    def _put(self, url: str, file: IO[bytes], start: int, size: int, headers: Mapping[str, str]) -> None:
        """Send bytes of the file, again if the connection breaks off. They are the same each time."""
        address = _own_path(url) or url
        # Addresses of parts that an older API has named are not signed.
        client = self._client.http if address.startswith("/v1/") else self._keyless
        for number in range(1, _TRIES + 1):
            try:
                body = self._blocks(file, start, size)
                sent = {**headers, "Content-Length": str(size)}
                response = client.put(address, content=body, headers=sent)
            except httpx.TransportError as error:
                problem = f"The connection broke off ({type(error).__name__})."
            else:
                if response.is_success:
                    return
                if response.status_code not in _TRY_AGAIN:
                    self._refuse(response)
                problem = f"The address for the bytes answers with status {response.status_code}."
            if number < _TRIES:
                time.sleep(backoff(number))
        raise UnavailableError(f"{problem} Run the same command again: what has come is not sent again.")

    def _refuse(self, response: httpx.Response) -> None:
        if "json" in response.headers.get("Content-Type", ""):
            read_answer(response)
        raise UserError(f"The storage refuses the bytes with status {response.status_code}.")

    def _blocks(self, file: IO[bytes], start: int, size: int) -> Iterator[bytes]:
        # By position: a part that is sent again begins at its own start.
        at, end = start, start + size
        while at < end:
            block = os.pread(file.fileno(), min(_BLOCK, end - at), at)
            if not block:
                raise UserError(f"{self._file.path} has become shorter.")
            yield block
            at += len(block)
            self._show(at)

    def _show(self, done: int) -> None:
        if done > self._shown:
            self._progress(done - self._shown)
            self._shown = done


def _own_path(url: str) -> str | None:
    """Return the path of an address of the API's own, which may be called by another name than here; else None."""
    parts = urlsplit(url)
    own = None if parts.query else _OWN_PATH.search(parts.path)
    return own[0] if own else None


def _path(upload_id: str, below: str) -> str:
    return f"/v1/media/{quote(upload_id, safe='')}{below}"
