"""Objects that tests write and read."""

import os
from collections.abc import AsyncIterator

from storage.base import Storage

DATA = os.urandom(300_000)


async def pieces(data: bytes, size: int = 70_000) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


async def content(store: Storage, key: str, start: int = 0, end: int | None = None, etag: str = "") -> bytes:
    return b"".join([piece async for piece in store.read(key, start, end, etag)])
