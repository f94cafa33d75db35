"""Fetch a file once for all targets of a post that want it at about the same time, and keep it a little while."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from activities.media.fetch import MediaFetcher, Progress
from activities.media.spool import Spool
from activities.media.stored import StoredFile
from domain.post import Media
from platforms.errors import Kind, NetworkError

KEPT_S = 240
"""Seconds for which a file is kept after its last use: longer than media are prepared ahead of the due time, for some
networks get a video's last piece only then."""
MOST_BYTES = 2 * 2**30
"""Of files that nobody uses right now, all together; beyond it the oldest go."""

_Key = tuple[str, str, str]


@dataclass(eq=False, slots=True)
class _Shared:
    spool: Spool
    fetching: "asyncio.Task[StoredFile]"
    listeners: list[Progress] = field(default_factory=list)
    ending: asyncio.TimerHandle | None = None


class SharedFiles:
    """Hold the files of posts that are being published, each for one post only; one per worker.

    What it yields is for all: nobody may change it.
    """

    def __init__(self, fetcher: MediaFetcher, *, kept: float = KEPT_S, most_bytes: int = MOST_BYTES) -> None:
        self._fetcher = fetcher
        self._kept = kept
        self._most_bytes = most_bytes
        self._files: dict[_Key, _Shared] = {}

    async def close(self) -> None:
        """Give up what is kept and close all connections."""
        for key, file in list(self._files.items()):
            self._drop(key, file)
        await self._fetcher.close()

    def forget(self, post_id: str) -> None:
        """Have a post's files fetched anew by whoever wants them next: their owner may mend what was refused."""
        for key, file in list(self._files.items()):
            if key[0] == post_id:
                self._drop(key, file)

    @asynccontextmanager
    async def open(self, post_id: str, media: Media, progress: Progress) -> AsyncIterator[StoredFile]:
        """Yield a file for the length of the block, and while others use it. Raises as MediaFetcher.open does."""
        key = (post_id, media.type, media.url)
        file = self._files.get(key) or self._begin(key, media)
        file.listeners.append(progress)
        if file.ending:
            file.ending.cancel()
        try:
            # It goes on for the others when this one is cancelled.
            yield await asyncio.shield(file.fetching)
        except NetworkError as error:
            if error.kind is Kind.REJECTED:
                self._forget(key, file)
            raise
        finally:
            file.listeners.remove(progress)
            if not file.listeners:
                self._unused(key, file)

    def _begin(self, key: _Key, media: Media) -> _Shared:
        spool = Spool()

        def told(received: int) -> None:
            for listener in file.listeners:
                listener(received)

        file = self._files[key] = _Shared(spool, asyncio.create_task(self._fetcher.fetch(media, spool, told)))
        return file

    def _unused(self, key: _Key, file: _Shared) -> None:
        done = file.fetching.done() and not file.fetching.cancelled() and file.fetching.exception() is None
        if not done or self._files.get(key) is not file:
            self._drop(key, file)
            return
        # The one that is unused for the shortest time stands last.
        self._files[key] = self._files.pop(key)
        file.ending = asyncio.get_running_loop().call_later(self._kept, self._drop, key, file)
        unused = [(each, kept) for each, kept in self._files.items() if not kept.listeners]
        size = sum(kept.spool.size for _, kept in unused)
        for each, kept in unused:
            if size <= self._most_bytes:
                break
            size -= kept.spool.size
            self._drop(each, kept)

    def _forget(self, key: _Key, file: _Shared) -> None:
        if self._files.get(key) is file:
            del self._files[key]

    def _drop(self, key: _Key, file: _Shared) -> None:
        self._forget(key, file)
        if file.listeners:
            return
        if file.ending:
            file.ending.cancel()
        file.fetching.cancel()
        file.spool.close()
