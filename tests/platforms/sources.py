"""Sources of media for tests: fetched as the activities do, enlarged, described in another way, or made of bytes."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import httpx

from domain.post import Media
from platforms.files import MediaFile, MediaSource


def _in_chunks(content: bytes) -> Callable[..., AsyncIterator[bytes]]:
    async def chunks(size: int, start: int = 0) -> AsyncIterator[bytes]:
        for at in range(start, len(content), size):
            yield content[at : at + size]

    return chunks


_fetched: dict[str, tuple[str, bytes]] = {}
"""The type and content of each sample, which never changes."""


@dataclass(slots=True)
class MediaFromUrl:
    """A source that fetches media as the activities do, each address once, and records each use."""

    client: httpx.AsyncClient
    opened: list[str] = field(default_factory=list)

    @asynccontextmanager
    async def open(self, media: Media) -> AsyncIterator[MediaFile]:
        self.opened.append(media.url)
        if media.url not in _fetched:
            response = await self.client.get(media.url)
            response.raise_for_status()
            _fetched[media.url] = response.headers["content-type"].partition(";")[0], response.content
        content_type, content = _fetched[media.url]
        yield MediaFile(content_type, len(content), _in_chunks(content))


@dataclass(slots=True)
class Large:
    """A source whose files are so large that they are uploaded in pieces; `size` is in bytes."""

    source: MediaSource
    size: int

    @asynccontextmanager
    async def open(self, media: Media) -> AsyncIterator[MediaFile]:
        async with self.source.open(media) as file:
            content = (await file.read()).ljust(self.size, b"\0")
            yield MediaFile(file.content_type, len(content), _in_chunks(content))


@dataclass(slots=True)
class Described:
    """A source that describes its files in another way, such as with a size in pixels that was measured."""

    source: MediaSource
    description: Mapping[str, Any]

    @asynccontextmanager
    async def open(self, media: Media) -> AsyncIterator[MediaFile]:
        async with self.source.open(media) as file:
            yield replace(file, **self.description)


@dataclass(slots=True)
class Given:
    """A source that returns the same bytes for every URL, and may claim another size."""

    content: bytes
    content_type: str = "video/mp4"
    claimed: int | None = None
    opened: int = 0

    @asynccontextmanager
    async def open(self, media: Media) -> AsyncIterator[MediaFile]:
        self.opened += 1
        yield MediaFile(self.content_type, self.claimed or len(self.content), _in_chunks(self.content))
