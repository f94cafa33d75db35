"""The requests of an upload, for both clients. Nothing here sends.

A file goes in parts, of which a small file has one: a part that broke off is sent again, and an upload that was
interrupted continues where it was.
"""

from __future__ import annotations

import hashlib
import mimetypes
import os
import re
from collections.abc import Generator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import httpx

from socialsyncer_client.calling import new_key, path_part
from socialsyncer_client.errors import (
    ConnectionFailed,
    NotFound,
    PermissionDenied,
    RateLimited,
    ServerFailed,
    SocialSyncerError,
    UploadInterrupted,
)
from socialsyncer_client.generated.models import MediaFile, MultipartUpload, UploadPart

_ROUNDS = 3
"""How often the addresses of parts are read again after a failure. Each part has its own attempts in each round."""
_MAY_CONTINUE = (ConnectionFailed, PermissionDenied, RateLimited, ServerFailed)
"""After these an upload may continue. A bucket refuses addresses of parts that are too old."""
_CHUNK = 1024 * 1024
_PARTS = "/v1/media/multipart"
_OWN_PATH = re.compile(r"/(media/upload/[^/]+|v1/media/multipart/[^/]+/parts/\d+)$")


@dataclass(frozen=True)
class Step:
    """A request of an upload. Bytes go without the API key, which no other server may get."""

    method: str
    url: str
    options: dict[str, Any] = field(default_factory=dict)
    has_key: bool = True


Steps = Generator[Step, Any, MediaFile]


def upload_steps(path: str | os.PathLike[str], content_type: str | None, resume: str | None) -> Steps:
    """Yield the requests of an upload, each after the answer to the one before; returns the file."""
    file, upload_id = Path(path), resume
    try:
        if resume is None:
            options = {"json": _begin_body(file, content_type), "headers": {"Idempotency-Key": new_key(None)}}
            begun = (yield Step("POST", _PARTS, options)).json()
            upload_id = MultipartUpload.from_dict(begun).id
            yield from _send_parts(file, MultipartUpload.from_dict(begun))
        else:
            # If it is complete, only the answer was lost: to complete it again answers with the file.
            with suppress(NotFound):
                begun = (yield Step("GET", f"{_PARTS}/{quote(path_part(resume), safe='')}")).json()
                yield from _send_parts(file, MultipartUpload.from_dict(begun))
        return MediaFile.from_dict((yield Step("POST", f"{_PARTS}/{upload_id}/complete")).json())
    except _MAY_CONTINUE as error:
        if upload_id is None:
            raise
        raise UploadInterrupted(f"{file.name} was not uploaded whole: {error}", upload_id) from error


def _begin_body(file: Path, content_type: str | None) -> dict[str, Any]:
    guessed = content_type or mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    return {"filename": file.name, "contentType": guessed, "size": file.stat().st_size, "sha256": _digest(file)}


def fetch_body(url: str, filename: str | None) -> dict[str, Any]:
    """Return the body of a request that lets the service fetch a file."""
    return {"url": url} if filename is None else {"url": url, "filename": filename}


def advance(steps: Steps, outcome: httpx.Response | SocialSyncerError | None) -> Step | MediaFile:
    """Return the next request after the outcome of the one before, or the file. It reads from the disk."""
    try:
        return steps.throw(outcome) if isinstance(outcome, SocialSyncerError) else steps.send(outcome)
    except StopIteration as end:
        file: MediaFile = end.value
        return file


def _send_parts(file: Path, upload: MultipartUpload) -> Generator[Step, Any, None]:
    size = upload.part_size
    for last_round in (*[False] * (_ROUNDS - 1), True):
        try:
            for part in upload.parts:
                if not part.received:
                    yield _part_step(part, _read(file, (part.number - 1) * size, part.size))
        except _MAY_CONTINUE:
            if last_round:
                raise
        else:
            return
        upload = MultipartUpload.from_dict((yield Step("GET", f"{_PARTS}/{upload.id}")).json())


def _part_step(part: UploadPart, content: bytes) -> Step:
    named = urlsplit(str(part.upload_url))
    # The API may know itself by another name than this client. A bucket's addresses are signed by their query.
    own = None if named.query else _OWN_PATH.search(named.path)
    if own is None:
        return Step("PUT", str(part.upload_url), {"content": content}, has_key=False)
    options = {"content": content, "headers": {"Content-Type": "application/octet-stream"}}
    # Addresses of an older service are not signed.
    return Step("PUT", own[0], options, has_key=own[0].startswith("/v1/"))


def _digest(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as source:
        while chunk := source.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _read(file: Path, offset: int, size: int) -> bytes:
    with file.open("rb") as source:
        source.seek(offset)
        return source.read(size)
