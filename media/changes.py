"""The changes of a media file before a platform got it, and their record in the target's row."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from domain.post import MediaChangeKind
from media.decoding.facts import Conversion, MediaFacts
from store.database import Database
from store.publishing.targets import save_media_changes


@dataclass(frozen=True, slots=True)
class MediaChange:
    """One change of a file; `detail` is a short phrase for its owner."""

    what: MediaChangeKind
    detail: str


def conversion_changes(facts: MediaFacts, conversion: Conversion) -> tuple[MediaChange, ...]:
    """Return the differences of a picture's new JPEG from the original file."""
    return tuple(_differences(facts, conversion))


def _differences(facts: MediaFacts, conversion: Conversion) -> Iterator[MediaChange]:
    if facts.content_type != "image/jpeg":
        yield MediaChange("converted", f"Converted from {facts.content_type} to image/jpeg")
    if facts.frames > 1:
        yield MediaChange("converted", f"Kept the first of {facts.frames} pictures")
    if (conversion.width, conversion.height) != (facts.width, facts.height):
        yield MediaChange(
            "scaled", f"Scaled from {facts.width} x {facts.height} to {conversion.width} x {conversion.height}"
        )
    yield MediaChange("compressed", f"Compressed as JPEG of quality {conversion.quality}")


class NoChangeRecord:
    """A record of changes that keeps nothing, for files that are only checked."""

    async def save(self, url: str, changes: Sequence[MediaChange]) -> None:
        """Keep nothing."""


class ChangeRecord:
    """A record of the changes to one target's media, by the files' URLs. New changes are written immediately."""

    def __init__(self, database: Database, target_id: str, stored: list[dict[str, Any]]) -> None:
        self._database = database
        self._target_id = target_id
        self._entries = stored
        self._writing = asyncio.Lock()

    async def save(self, url: str, changes: Sequence[MediaChange]) -> None:
        """Keep what was changed about a file, in place of what was noted about it before."""
        noted = [{"url": url, **asdict(change)} for change in changes]
        async with self._writing:
            if noted == [entry for entry in self._entries if entry["url"] == url]:
                return
            self._entries = [entry for entry in self._entries if entry["url"] != url] + noted
            async with self._database.transaction() as session:
                await save_media_changes(session, self._target_id, self._entries)
