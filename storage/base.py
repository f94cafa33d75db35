"""The interface of a store of media. The API writes uploads, the API and workers read and delete them.

All methods are coroutines: none blocks the event loop. Each may raise StorageFull or StorageUnavailable.
"""

import re
import secrets
from abc import ABC, abstractmethod
from collections.abc import AsyncIterable, AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self


class StorageError(Exception):
    """A call of the store that failed."""


class StorageFull(StorageError):
    """A store without room for the bytes."""


class StorageUnavailable(StorageError):
    """A store that is not reached in time, refuses these credentials, or fails to read or write."""


class ObjectMissing(StorageError):
    """An object or multipart upload that is not in the store, or is no longer the one that was looked at."""


class TooLong(StorageError):
    """More bytes than were allowed. Nothing of them is stored."""


class TooShort(StorageError):
    """Fewer bytes than a part must have. The part does not count."""


class PartBusy(StorageError):
    """A part that is being written by another request, or an upload that is being completed."""


class PartsMissing(StorageError):
    """Parts that a multipart upload still needs: the numbers of the first of them."""

    def __init__(self, numbers: Sequence[int]) -> None:
        super().__init__(f"parts are missing: {', '.join(map(str, numbers))}")
        self.numbers = list(numbers)


_KEY = re.compile(r"[0-9a-f]{32}")
_ROOT = "objects"


def new_key() -> str:
    """Return a key that no object has."""
    return secrets.token_hex(16)


def object_path(key: str) -> str:
    """Return the object's path in its store, the same in each kind of store. Raises ValueError if it is no key."""
    if not _KEY.fullmatch(key):
        raise ValueError("not a key of the store")
    return f"{_ROOT}/{key[:2]}/{key}"


def is_key(text: str) -> bool:
    """Return whether a name in a store is a key."""
    return _KEY.fullmatch(text) is not None


PART = 16 * 2**20
"""Bytes of a part: a lost connection costs no more. S3 demands at least 5 MiB of each part but the last."""
MOST_PARTS = 1000
"""Parts of one upload; larger ones have larger parts. S3 takes 10,000."""

MOST_NAMED = 100
"""Missing parts that an error names."""


@dataclass(frozen=True, slots=True)
class PartPlan:
    """The parts of an upload, counted from 1. All have the same size but the last one."""

    size: int
    part_size: int

    def __post_init__(self) -> None:
        if self.size < 1 or self.part_size < 1 or self.count > MOST_PARTS:
            raise ValueError("not a plan of parts")

    @classmethod
    def for_size(cls, size: int) -> Self:
        """Return the plan of an upload of this many bytes."""
        return cls(size, max(PART, -(-size // MOST_PARTS)))

    @property
    def count(self) -> int:
        """Return how many parts there are."""
        return -(-self.size // self.part_size)

    def offset(self, number: int) -> int:
        """Return where a part begins in the object. Raises ValueError if the upload has no such part."""
        if not 1 <= number <= self.count:
            raise ValueError(f"parts are 1 to {self.count}")
        return (number - 1) * self.part_size

    def length(self, number: int) -> int:
        """Return how many bytes a part has. Raises ValueError if the upload has no such part."""
        return min(self.part_size, self.size - self.offset(number))


HEAD = 1024
"""Bytes from the start of an object by which its type is recognized."""


@dataclass(frozen=True, slots=True)
class Written:
    """An object that has been stored."""

    size: int
    sha256: bytes | None
    """None if the store has not computed it."""
    etag: str
    """Names these bytes of a key whose bytes may be replaced; empty if no one can replace them."""


@dataclass(frozen=True, slots=True)
class ObjectStat:
    """An object as the store lists it."""

    key: str
    size: int
    etag: str
    modified_at: datetime


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """A request that a client may send to the store itself. Any holder of the address may send it."""

    method: str
    url: str = field(repr=False)
    headers: dict[str, str]
    """Headers that the client must send with exactly these values."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a multipart upload that has been stored."""

    number: int
    size: int


class Storage(ABC):
    """A store of media."""

    is_local: bool
    """Whether objects are files of this machine: then `open_local` opens them, and nothing is signed."""

    def __init__(self) -> None:
        self._foreign = self._recognized = False

    async def recognize(self, marker: str) -> bool:
        """Return whether this is the store in which the object `marker` was written when it was new.

        If it is another one, all calls raise StorageUnavailable until it is recognized: objects that are not in another
        store are not missing, and nothing may be written there. Raises StorageUnavailable if the store gives no answer.
        """
        self._foreign = not await self.has(marker)
        if not self._foreign and not self._recognized:
            # A copy of the objects alone lacks the other folders.
            await self.prepare()
            self._recognized = True
        return not self._foreign

    async def room(self) -> int | None:
        """Return how many bytes uploads may still take; None if the store does not know."""
        return None

    def refuse_if_foreign(self) -> None:
        """Raise StorageUnavailable if this is not the store of this database."""
        if self._foreign:
            raise StorageUnavailable("this is not the store of this database: /statusz says more")

    @abstractmethod
    async def prepare(self) -> None:
        """Make what a new store needs. Without it every call of a directory raises StorageUnavailable.

        A directory whose volume is not mounted is empty: what is not in it may not be called missing.
        """

    @abstractmethod
    async def has(self, key: str) -> bool:
        """Return whether an object is there, also in a store that is not recognized."""

    @abstractmethod
    async def write(self, key: str, chunks: AsyncIterable[bytes], most: int) -> Written:
        """Store an object, completely or not at all; an older one with this key is replaced.

        Raises TooLong beyond `most` bytes. Errors of `chunks` pass through.
        """

    @abstractmethod
    async def stat(self, key: str) -> ObjectStat | None:
        """Return what is known of an object; None if it is not there."""

    @abstractmethod
    def read(self, key: str, start: int = 0, end: int | None = None, etag: str = "") -> AsyncIterator[bytes]:
        """Yield the bytes from an offset up to another one, in pieces of at most 256 KiB.

        Raises ObjectMissing before the first piece if the object is not there, or has another etag than this one.
        """

    async def head(self, key: str, etag: str = "") -> bytes:
        """Return the first 1,024 bytes, by which the type is recognized. Raises ObjectMissing."""
        return b"".join([piece async for piece in self.read(key, 0, HEAD, etag)])

    @abstractmethod
    async def open_local(self, key: str) -> int | None:
        """Return a new read-only descriptor, which the caller closes; None if the store is not local.

        Raises ObjectMissing.
        """

    @abstractmethod
    async def delete(self, key: str) -> None:
        """Delete an object, if it is there, and what has come of a multipart upload to it."""

    @abstractmethod
    async def begin_multipart(self, key: str, content_type: str, plan: PartPlan) -> str:
        """Begin an upload in parts, and return its id, of at most 1,024 characters."""

    @abstractmethod
    async def write_part(
        self, key: str, multipart: str, plan: PartPlan, number: int, chunks: AsyncIterable[bytes]
    ) -> Part:
        """Store a part; it may be repeated. Raises TooLong, TooShort, PartBusy, ObjectMissing."""

    @abstractmethod
    async def parts(self, key: str, multipart: str, plan: PartPlan) -> list[Part]:
        """Return the parts that are stored, in their order. Raises ObjectMissing if the upload is not there."""

    @abstractmethod
    async def complete_multipart(self, key: str, multipart: str, plan: PartPlan) -> Written:
        """Make the parts an object. May be repeated. Raises PartsMissing, PartBusy, ObjectMissing."""

    @abstractmethod
    async def abort_multipart(self, key: str, multipart: str) -> None:
        """Delete what has come of an upload in parts."""

    @abstractmethod
    async def sign_put(self, key: str, content_type: str, size: int | None, seconds: int) -> SignedRequest | None:
        """Return a request by which a client stores the object itself; None if the API takes its bytes.

        The type is bound, and the length if it is known.
        """

    @abstractmethod
    async def sign_part(
        self, key: str, multipart: str, plan: PartPlan, number: int, seconds: int
    ) -> SignedRequest | None:
        """Return a request by which a client stores a part itself; None if the API takes its bytes."""

    @abstractmethod
    def objects(self) -> AsyncIterator[ObjectStat]:
        """Yield all objects."""

    @abstractmethod
    async def remove_abandoned(self, before: datetime) -> int:
        """Delete files of unfinished uploads that have not grown since then; return how many there were."""

    @abstractmethod
    async def close(self) -> None:
        """Release connections and threads."""
