"""The files that a live check publishes, as a platform's adapter asks for them."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from domain.post import Media, MediaType
from platforms.files import MediaFile

_ADDRESS = "https://example.com/live-check/"
"""The base address of files that are sent as bytes. No request goes there: the name is reserved."""
_KINDS = {"video": MediaType.VIDEO, "gif": MediaType.GIF, "pdf": MediaType.DOCUMENT}


@dataclass(frozen=True, slots=True)
class CheckFile:
    """One of the check's own files; sides in pixels."""

    name: str
    content_type: str
    content: bytes
    width: int | None = None
    height: int | None = None
    seconds: float | None = None

    @property
    def kind(self) -> MediaType:
        """Return the kind of media."""
        whole, _, part = self.content_type.partition("/")
        return _KINDS.get(part) or _KINDS.get(whole) or MediaType.IMAGE

    def as_media(self) -> MediaFile:
        """Return the file as platforms get to see it."""

        async def chunks(size: int, start: int = 0) -> AsyncIterator[bytes]:
            for at in range(start, len(self.content), size):
                yield self.content[at : at + size]

        return MediaFile(
            self.content_type,
            len(self.content),
            chunks,
            width=self.width,
            height=self.height,
            seconds=self.seconds,
        )


Host = Callable[[CheckFile], Awaitable[str]]
"""Put a file at an address where platforms can fetch it."""


class CheckFiles:
    """The check's files as a `platforms.files.MediaSource`. `make` returns one of them by its name."""

    def __init__(self, make: Callable[[str], Awaitable[CheckFile]], host: Host | None) -> None:
        self._make = make
        self._host = host
        self._files: dict[str, CheckFile] = {}
        self._at: dict[str, CheckFile] = {}

    async def media(self, name: str, fetched: frozenset[MediaType], alt_text: str | None = None) -> Media:
        """Return a file as a media item of a post. Raises LookupError if its platform must fetch it and nothing can."""
        file = await self._file(name)
        address = await self._hosted(file) if file.kind in fetched else _ADDRESS + name
        self._at[address] = file
        return Media(type=file.kind, url=address, alt_text=alt_text)

    @asynccontextmanager
    async def open(self, media: Media) -> AsyncIterator[MediaFile]:
        """Yield the file at an address of ours."""
        yield self._at[media.url].as_media()

    async def _file(self, name: str) -> CheckFile:
        if name not in self._files:
            self._files[name] = await self._make(name)
        return self._files[name]

    async def _hosted(self, file: CheckFile) -> str:
        if self._host is None:
            raise LookupError(file.name)
        return await self._host(file)


async def in_the_sandbox(file: CheckFile) -> str:
    """Return the address at which the platforms of a sandbox find a sample of this name."""
    return _ADDRESS + file.name
