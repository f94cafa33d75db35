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
MOST_FILES = 256
"""Such files; each holds one of the process's file numbers, of which many systems give it 1,024."""

_Key = tuple[str, str, str]


@dataclass(eq=False, slots=True)
class _Shared:
    spool: Spool
    fetching: "asyncio.Task[StoredFile]"
    listeners: list[Progress] = field(default_factory=list)
    ending: asyncio.TimerHandle | None = None
    size: int = 0
    """Its bytes, once it was used."""


class SharedFiles:
    """Hold the files of posts that are being published, each for one post only; one per worker.

    What it yields is for all: nobody may change it.
    """

    def __init__(
        self,
        fetcher: MediaFetcher,
        *,
        kept: float = KEPT_S,
        most_bytes: int = MOST_BYTES,
        most_files: int = MOST_FILES,
    ) -> None:
        self._fetcher = fetcher
        self._kept = kept
        self._most_bytes = most_bytes
        self._most_files = most_files
        self._files: dict[_Key, _Shared] = {}
        self._unused: dict[_Key, _Shared] = {}
        """Those of them that nobody uses; the one that is so for the longest time stands first."""
        self._unused_bytes = 0

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
        self._use(key, file)
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
                self._leave(key, file)

    def _begin(self, key: _Key, media: Media) -> _Shared:
        spool = Spool()

        def told(received: int) -> None:
            for listener in file.listeners:
                listener(received)

        file = self._files[key] = _Shared(spool, asyncio.create_task(self._fetcher.fetch(media, spool, told)))
        return file

    def _use(self, key: _Key, file: _Shared) -> None:
        if file.ending:
            file.ending.cancel()
        # A file that was forgotten may have a successor of the same name.
        if self._unused.get(key) is file:
            del self._unused[key]
            self._unused_bytes -= file.size

    def _leave(self, key: _Key, file: _Shared) -> None:
        done = file.fetching.done() and not file.fetching.cancelled() and file.fetching.exception() is None
        if not done or self._files.get(key) is not file:
            self._drop(key, file)
            return
        file.size = file.spool.size
        file.ending = asyncio.get_running_loop().call_later(self._kept, self._drop, key, file)
        self._unused[key] = file
        self._unused_bytes += file.size
        while self._unused_bytes > self._most_bytes or len(self._unused) > self._most_files:
            self._drop(*next(iter(self._unused.items())))

    def _forget(self, key: _Key, file: _Shared) -> None:
        if self._files.get(key) is file:
            del self._files[key]

    def _drop(self, key: _Key, file: _Shared) -> None:
        self._forget(key, file)
        if file.listeners:
            return
        self._use(key, file)
        file.fetching.cancel()
        file.spool.close()
