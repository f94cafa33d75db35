"""Keep in a target's row what its network gave us before anything was public."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from activities.persist import persist
from platforms.base import Handles
from platforms.errors import ErrorKind, PlatformError
from store.database import Database
from store.sending import VERSION, save_handles

_FINGERPRINT = "contentFingerprint"
"""Marks which content the handles were made for: what has been amended since is uploaded again."""

_ADDRESSES = "checkedMedia"
"""By URL, the address from which the network fetches media that it fetches itself."""

_OUR_OWN = frozenset({_FINGERPRINT, _ADDRESSES, VERSION})
_AT_LEAST_EVERY_S = 1.0


class HandleKeeper:
    """Save handles as they come, each time as the next version of the row's.

    While a target is prepared, saves that follow each other within a second become one, and the last of them goes into
    the statement that begins the send: losing one would cost an upload, never a double post. Everything after that is
    saved at once.
    """

    def __init__(self, database: Database, target_id: str, stored: Handles, fingerprint: str) -> None:
        self._database = database
        self._target_id = target_id
        self._fingerprint = fingerprint
        self._version = int(stored.get(VERSION, 0))
        self._usable = stored.get(_FINGERPRINT) == fingerprint
        self._stored = stored
        self.addresses: dict[str, str] = dict(stored.get(_ADDRESSES, {})) if self._usable else {}
        self._waiting: Handles | None = None
        self._written_at = time.monotonic()
        self._writing = asyncio.Lock()
        self._deferring = False
        self.going_public = False
        """Whether what could not be saved may be public already."""

    def usable(self) -> Handles:
        """Return what the network gave for this very content."""
        return {key: value for key, value in self._stored.items() if key not in _OUR_OWN} if self._usable else {}

    async def save(self, handles: Handles) -> None:
        """Keep the handles. Raises PlatformError where another run has saved since they were read.

        It is `transient`, or `unconfirmed` once the request that makes the post public may have been sent.
        """
        own = {_FINGERPRINT: self._fingerprint, **({_ADDRESSES: self.addresses} if self.addresses else {})}
        self._waiting = {**handles, **own}
        if not self._deferring or time.monotonic() - self._written_at >= _AT_LEAST_EVERY_S:
            await self.flush()

    async def flush(self) -> None:
        """Write what is waiting."""
        async with self._writing:
            if self._waiting is None:
                return
            handles, self._waiting = self._waiting, None
            answers, version = self._database.answers, self._version
            if not await persist(lambda: save_handles(answers, self._target_id, handles, version)):
                raise self.overtaken()
            self._version += 1
            self._written_at = time.monotonic()

    @asynccontextmanager
    async def deferring(self) -> AsyncIterator[None]:
        """Let saves of the block wait for the statement that begins the send. A block that fails writes them."""
        self._deferring = True
        try:
            yield
        except BaseException:
            await self.flush()
            raise
        finally:
            self._deferring = False

    def hand_over(self) -> tuple[int, dict[str, Any] | None]:
        """Return the version that the row must have, and what is to be written into it; None: what it holds."""
        version, handles = self._version, self._waiting
        if handles is None:
            return version, None
        self._waiting, self._version = None, version + 1
        return version, {**handles, VERSION: version + 1}

    def overtaken(self) -> PlatformError:
        """Return the error of a step that another run has gone on from: `unconfirmed` once it may have been sent."""
        # A run that Temporal gave up on may still be at it: the row is its, read it again.
        kind = ErrorKind.UNCONFIRMED if self.going_public else ErrorKind.TRANSIENT
        return PlatformError(kind, "Another run is preparing this post.", code="overtaken")
