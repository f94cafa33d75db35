"""The store that a setting names."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from storage.base import Storage
from storage.directory import DirectoryStorage

_FILE = "file:"
_S3 = "s3:"


def storage_opener(address: str) -> Callable[[], Storage]:
    """Return what opens the store of an address: `file:DIR` or `s3://bucket/prefix?endpoint=…`. Raises ValueError."""
    if address.startswith(_FILE):
        directory = Path(address.removeprefix(_FILE))
        if not directory.is_absolute():
            raise ValueError("must name a directory by its whole path, as file:/media")
        return lambda: DirectoryStorage(directory)
    if address.startswith(_S3):
        try:
            from storage.s3 import S3Storage  # noqa: PLC0415 with the extra only
            from storage.s3_client import Bucket  # noqa: PLC0415
        except ModuleNotFoundError:
            raise ValueError("needs the package botocore for s3: install socialsyncer with the extra s3") from None
        bucket = Bucket.parse(address)
        return lambda: S3Storage(bucket)
    raise ValueError("must be file: and the whole path of a directory, or s3://bucket/prefix")


def open_storage(address: str) -> Storage:
    """Return the store of an address. Nothing is asked of it yet. Raises ValueError."""
    return storage_opener(address)()


@asynccontextmanager
async def opened_storage(address: str | None) -> AsyncIterator[Storage | None]:
    """Yield the store of an address for the length of the block; None without an address. Raises ValueError."""
    storage = open_storage(address) if address else None
    try:
        yield storage
    finally:
        if storage is not None:
            await storage.close()
