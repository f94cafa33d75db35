"""The files of a post as platform modules see them: fetched elsewhere, and read while they are sent."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from domain.post import Media, MediaType


class Chunks(Protocol):
    """A reader of a file in pieces."""

    def __call__(self, size: int, start: int = 0) -> AsyncIterator[bytes]:
        """Yield the bytes from `start` on in pieces of the given size; may be called again."""
        ...


@dataclass(frozen=True, slots=True)
class MediaFile:
    """A fetched file. `content_type` is sniffed from its bytes, `size` is in bytes.

    `width` and `height` are in pixels as a viewer sees them, turned upright; None if they were not measured.
    """

    content_type: str
    size: int
    chunks: Chunks
    width: int | None = field(default=None, kw_only=True)
    height: int | None = field(default=None, kw_only=True)
    seconds: float | None = field(default=None, kw_only=True)
    """The length of a video, if it was measured."""

    async def read(self) -> bytes:
        """Return the whole content; for small files only."""
        return b"".join([chunk async for chunk in self.chunks(max(self.size, 1))])

    def part(self, begin: int, length: int) -> "MediaFile":
        """Return a range of the file as a file; what is beyond the end is left out."""
        length = max(min(length, self.size - begin), 0)

        async def chunks(size: int, start: int = 0) -> AsyncIterator[bytes]:
            remaining = length - start
            if remaining <= 0:
                return
            async for chunk in self.chunks(size, begin + start):
                yield chunk[:remaining]
                remaining -= len(chunk)
                if remaining <= 0:
                    return

        return MediaFile("application/octet-stream", length, chunks)


class MediaSource(Protocol):
    """A source of a post's media for platforms that take bytes."""

    def open(self, media: Media) -> AbstractAsyncContextManager[MediaFile]:
        """Return the file behind a media item. Raises PlatformError(rejected) if it is not available."""
        ...


@runtime_checkable
class ShrinksPictures(Protocol):
    """A source that makes pictures smaller."""

    def shrink_to(self, max_bytes: int) -> None:
        """Open pictures from now on with at most so many bytes."""
        ...


@dataclass(frozen=True, slots=True)
class MediaPulls:
    """The media that a platform fetches from their URLs."""

    kinds: frozenset[MediaType] = frozenset()
    from_verified_domain: bool = False
    """Whether it fetches only from domains that the operator has verified. If so, this service serves all of them."""
