"""Handles: ids that a platform returned before a post was public, saved in the target's row."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from platforms.base import Handles
from platforms.errors import ErrorKind, PlatformError
from store.database import Database
from store.failures import persist
from store.publishing.sending import VERSION, save_handles
from store.publishing.targets import EARLIER, UNSENT

_FINGERPRINT = "contentFingerprint"
"""The key of the fingerprint of the content that the handles belong to: changed content is uploaded again."""

_ADDRESSES = "checkedMedia"
"""The key of the addresses, by media URL, from which a platform that fetches media itself fetches them."""

_OWN_KEYS = frozenset({_FINGERPRINT, _ADDRESSES, VERSION, EARLIER, UNSENT})
_AT_LEAST_EVERY_S = 1.0


class HandleKeeper:
    """A keeper that saves a target's handles as they come, each time as the next version in the row.

    While a target is prepared, saves within a second become one, and the last of them is part of the statement that
    begins the send. Losing one would cost an upload, never a double post. Everything after that is saved immediately.
    """

    def __init__(self, database: Database, target_id: str, stored: Handles, fingerprint: str) -> None:
        self._database = database
        self._target_id = target_id
        self._fingerprint = fingerprint
        self._version = int(stored.get(VERSION, 0))
        self._usable = stored.get(_FINGERPRINT) == fingerprint
        self._stored = self._saved = stored
        self.addresses: dict[str, str] = dict(stored.get(_ADDRESSES, {})) if self._usable else {}
        self._unwritten: Handles | None = None
        self._written_at = time.monotonic()
        self._writing = asyncio.Lock()
        self._deferring = False
        self.going_public = False
        """Whether a post whose handles could not be saved may be public already."""

    def usable(self) -> Handles:
        """Return the platform's handles, if they were made for this content."""
        return _platforms(self._stored) if self._usable else {}

    def last_sent(self) -> Handles:
        """Return the platform's handles of the last send, also if the target was prepared again since."""
        current = self.usable()
        if current and UNSENT not in self._stored:
            return current
        return _platforms(self._stored.get(EARLIER) or self._stored)

    async def save(self, handles: Handles) -> None:
        """Save the handles. Raises PlatformError if another run has saved since they were read.

        The error is `transient`, or `unconfirmed` once the request that makes the post public may have been sent.
        """
        own = {_FINGERPRINT: self._fingerprint, **({_ADDRESSES: self.addresses} if self.addresses else {})}
        earlier = {EARLIER: self._stored[EARLIER]} if EARLIER in self._stored else {}
        if earlier and not self.going_public:
            earlier[UNSENT] = True
        self._unwritten = self._saved = {**handles, **own, **earlier}
        if not self._deferring or time.monotonic() - self._written_at >= _AT_LEAST_EVERY_S:
            await self.flush()

    async def flush(self) -> None:
        """Write the handles that are not written yet."""
        async with self._writing:
            if self._unwritten is None:
                return
            handles, self._unwritten = self._unwritten, None
            answers, version = self._database.answers, self._version
            if not await persist(lambda: save_handles(answers, self._target_id, handles, version)):
                raise self.overtaken()
            self._version += 1
            self._written_at = time.monotonic()

    @asynccontextmanager
    async def deferring(self) -> AsyncIterator[None]:
        """Defer saves in the block to the statement that begins the send. If the block fails, they are written."""
        self._deferring = True
        try:
            yield
        except BaseException:
            await self.flush()
            raise
        finally:
            self._deferring = False

    def hand_over(self) -> tuple[int, dict[str, Any] | None]:
        """Return the version that the row must have, and the handles to be sent, None if it has them already."""
        version = self._version
        if self._unwritten is None and UNSENT not in self._saved:
            return version, None
        self._unwritten, self._version = None, version + 1
        return version, {**_without(self._saved, UNSENT), VERSION: version + 1}

    async def take_back(self, handles: dict[str, Any] | None) -> None:
        """Write the handles that were handed over, because the statement that was to write them did not."""
        if handles is not None:
            self._version -= 1
            self._unwritten = self._saved
            await self.flush()

    def overtaken(self) -> PlatformError:
        """Return the error of a step that another run has overtaken: `unconfirmed` once it may have been sent."""
        # A run that Temporal gave up on may still work: the row belongs to it, and must be read again.
        kind = ErrorKind.UNCONFIRMED if self.going_public else ErrorKind.TRANSIENT
        return PlatformError(kind, "Another run is preparing this post.", code="overtaken")


def _platforms(stored: Handles) -> Handles:
    return _without(stored, *_OWN_KEYS)


def _without(handles: Handles, *names: str) -> Handles:
    return {name: value for name, value in handles.items() if name not in names}
