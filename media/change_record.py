"""Records of changes to media in their targets' rows."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from media.changes import MediaChange
from store.database import Database
from store.publishing.targets import save_media_changes


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
