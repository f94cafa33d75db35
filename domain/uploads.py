"""Uploads: files that clients send to this service, the states of their rows, and their public addresses."""

import mimetypes
import re
import unicodedata
from collections.abc import Iterable, Iterator
from datetime import timedelta
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

_ADDRESS = re.compile(r"https?://[^/?#\s]+/(?:[^?#\s]*/)?media/u/([A-Za-z0-9_-]{32})/[^/?#\s]*(?:[?#]\S*)?")
"""An address with the token of an upload, on any host: a service may have moved, or have a CDN in front of it."""
_PORTS = {"http": 80, "https": 443}


def upload_token(url: str) -> str | None:
    """Return the token of an address that may be an upload's; only its row says whose it is."""
    match = _ADDRESS.fullmatch(url)
    return match[1] if match else None


def named_addresses(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
    """Yield the path, the address and the token of each address of an upload in JSON."""
    if isinstance(value, str):
        if "/media/u/" in value and (token := upload_token(value)):
            yield path, value, token
        return
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, item in items:
        yield from named_addresses(item, (*path, name))


class OwnHosts:
    """The hosts at which this service serves uploads, by the addresses that its settings name."""

    def __init__(self, addresses: Iterable[str]) -> None:
        self._hosts = {host for address in addresses if (host := _host(address))}

    def __contains__(self, url: str) -> bool:
        return _host(url) in self._hosts


def _host(address: str) -> tuple[str, int] | None:
    """Return the host and port of an address; None if it cannot be read."""
    try:
        url = urlsplit(address)
        port = url.port or _PORTS.get(url.scheme)
    except ValueError:
        return None
    return (url.hostname, port) if url.hostname and port else None


PUBLIC_PATH = "/media/u/"
"""The path of public addresses, before the token and the name."""
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST_NAME = 80


def safe_name(filename: str, content_type: str) -> str:
    """Return a file's name for its address: ASCII, with an ending, because platforms derive types from it."""
    plain = unicodedata.normalize("NFKD", PurePosixPath(filename.replace("\\", "/")).name)
    name = _UNSAFE.sub("-", plain.encode("ascii", "ignore").decode()).strip(".-") or "file"
    path = PurePosixPath(name)
    suffix = path.suffix or mimetypes.guess_extension(content_type) or ""
    return f"{path.stem[: _LONGEST_NAME - len(suffix)]}{suffix}" if len(suffix) < _LONGEST_NAME else "file"


def named_by_type(filename: str, content_type: str) -> str:
    """Return a file's name with an ending that fits its type, for a file whose type was not known when it was named."""
    kind = mimetypes.guess_type(filename)[0]
    if kind and kind.partition("/")[0] == content_type.partition("/")[0]:
        return filename
    return f"{filename}{mimetypes.guess_extension(content_type) or ''}"


def public_url(base: str, token: str, filename: str, content_type: str = "") -> str:
    """Return the public address of an upload; `base` is the address of this service."""
    return f"{base.rstrip('/')}{PUBLIC_PATH}{token}/{safe_name(filename, content_type)}"


LARGEST_UPLOAD = 5 * 10**9
"""Bytes of a file. Source: the contract of the API's Media page, "up to 5 GB"."""
MOST_UPLOADS = 100_000
"""Files of a workspace, and uploads that it has begun; our choice."""
UPLOAD_QUOTA = 50 * 2**30
"""Bytes of a workspace's files, unless the operator sets another number."""
UPLOAD_WITHIN = timedelta(hours=1)
"""How long an address for an upload is valid, and how long after an upload that broke off."""
PARTS_WITHIN = timedelta(days=2)
"""How long after its last part an upload in parts can be continued."""
UNUSED_FOR = timedelta(days=7)
"""How long a file is kept that no post names."""
MEDIA_KEPT = timedelta(days=30)
"""How long a file is kept after its last post can be retried no more, unless the operator sets another number."""
CLAIMED_FOR = timedelta(seconds=60)
"""How long a process writes a file without renewing its claim; after that, another one may."""

MOST_WAITING_FETCHES = 100
"""Uploads of a workspace that workers are still to fetch; our choice."""
FETCHES_OF_WORKSPACE = 3
"""Those of them that are fetched at a time, by all workers together; our choice."""
FETCH_AGAIN_AFTER = tuple(timedelta(seconds=seconds) for seconds in (10, 60, 300, 900, 3600))
"""How long after each failure that may pass an upload is fetched again; then it is given up. Our choice."""

THUMBNAIL_AGAIN_AFTER = tuple(timedelta(minutes=minutes) for minutes in (2, 10, 60))
"""How long after the beginning of each attempt a thumbnail is made again that is not there; then it is given up."""


class UploadState(StrEnum):
    """The state of an upload's row. UPLOADING means PENDING once the claim of the process that writes has ended."""

    PENDING = "pending"
    """Its bytes have not come yet."""
    UPLOADING = "uploading"
    """A process writes its bytes."""
    READY = "ready"
    REJECTED = "rejected"
    """Its bytes are no picture, video or subtitles. They are not kept."""
    DELETED = "deleted"
    """A worker deletes the file, and then the row."""

    @property
    def is_open(self) -> bool:
        """Return whether its bytes may still come."""
        return self in (UploadState.PENDING, UploadState.UPLOADING)


class ShownState(StrEnum):
    """The states by which lists are filtered: whether bytes are coming at this moment makes no difference."""

    PENDING = "pending"
    READY = "ready"
    REJECTED = "rejected"

    @property
    def states(self) -> frozenset[UploadState]:
        """Return the states of rows that it stands for."""
        if self is ShownState.PENDING:
            return frozenset({UploadState.PENDING, UploadState.UPLOADING})
        return frozenset({UploadState(self.value)})


class FileKind(StrEnum):
    """The kinds of files by which lists are filtered: the first words of their types."""

    IMAGE = "image"
    VIDEO = "video"
