"""The check that this process sees the store of uploads that all others see.

The first process of a new store writes an object there, the marker, and names it in the database. A process that does
not find the marker looks at another directory, an empty mount point, or another bucket. The marker also holds the keys
that sign the addresses to which uploads are sent: all APIs read the store, and readers of the database do not.
"""

import base64
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import structlog

from domain.printable import error_words
from domain.uploads import PARTS_WITHIN
from reconcile.rounds import BackgroundTask
from storage.base import ObjectMissing, Storage, StorageError, StorageUnavailable, new_key, object_path
from store.database import Database
from store.secrets.vault import new_key as new_secret
from store.uploads.keeping import name_marker, read_marker

log = structlog.get_logger(__name__)

_EVERY_S = 30.0
_TIDIED_EVERY_S = 3600.0
_ABANDONED_AFTER = PARTS_WITHIN + timedelta(days=1)
"""When what has come of an unfinished upload is deleted. Its row has ended before."""
_HINT = (
    "SOCIALSYNCER_STORAGE of the api and of all workers must name the same place, and its volume must be mounted in all"
)
_TEXT = """\
By this file the API and workers of SocialSyncerAPI recognize where their uploads are. Keep it, and keep it secret: the
first of these keys signs the addresses to which files are sent, and addresses signed with the others hold, too.
"""
_SIGNING_KEY = re.compile(r"[0-9A-Za-z_-]{43}=")


class StorageCheck:
    """The check of one process, repeated for as long as it runs."""

    def __init__(self, database: Database, storage: Storage) -> None:
        self._database = database
        self._storage = storage
        self._marker: str | None = None
        self._problem = ""
        self.room: int | None = None
        """How many bytes uploads may still take, as of the last check; None if the store does not know."""

    def task(self) -> BackgroundTask:
        """Return the task that checks when the process starts, and every half minute."""
        return BackgroundTask(self.check, _EVERY_S, "storage.not_checked")

    async def check(self) -> bool:
        """Return whether the store is reached and is the one of this database. Log each change."""
        problem = ""
        try:
            marker = await self._named_marker()
            if not await self._storage.recognize(marker):
                problem = f"the store has no {object_path(marker)}, which the database names"
            else:
                await self.signing_keys()
            self.room = await self._storage.room()
        except StorageError as error:
            problem = error_words(error)
        if problem and problem != self._problem:
            log.error("storage.unavailable", reason=problem, hint=_HINT)
        elif self._problem and not problem:
            log.warning("storage.available")
        self._problem = problem
        return not problem

    async def signing_keys(self) -> list[bytes]:
        """Return the keys of the addresses to which files are sent, the signing one first. Raises StorageError.

        They are read for each call, so that a new first key holds in all processes at once.
        """
        marker = await self._named_marker()
        try:
            content = b"".join([piece async for piece in self._storage.read(marker)])
        except ObjectMissing as error:
            raise StorageUnavailable(f"the store has no {object_path(marker)}, which the database names") from error
        lines = content.decode("ascii", "replace").split()
        keys = [base64.urlsafe_b64decode(line) for line in lines if _SIGNING_KEY.fullmatch(line)]
        if not keys:
            raise StorageUnavailable(f"{object_path(marker)} has no line with a key (`socialsyncer keys secret`)")
        return keys

    async def _named_marker(self) -> str:
        if self._marker is not None:
            return self._marker
        async with self._database.reading() as session:
            marker = await read_marker(session)
        if marker is None:
            marker = await self._mark()
        self._marker = marker
        return marker

    async def _mark(self) -> str:
        """Write a marker and name it. If another process was faster, its marker counts."""
        await self._storage.prepare()
        own, content = new_key(), f"{_TEXT}{new_secret()}\n".encode()

        async def pieces() -> AsyncIterator[bytes]:
            yield content

        await self._storage.write(own, pieces(), len(content))
        async with self._database.transaction() as session:
            marker = await name_marker(session, own)
        if marker != own:
            await self._storage.delete(own)
        return marker


def tidying_task(storage: Storage) -> BackgroundTask:
    """Return the task that deletes every hour what unfinished uploads have left."""

    async def tidy() -> None:
        try:
            removed = await storage.remove_abandoned(datetime.now(UTC) - _ABANDONED_AFTER)
        except StorageError as error:
            log.warning("storage.not_tidied", reason=error_words(error))
        else:
            if removed:
                log.info("storage.tidied", uploads=removed)

    return BackgroundTask(tidy, _TIDIED_EVERY_S, "storage.not_tidied")
