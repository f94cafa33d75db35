"""The state that the platforms of one sandbox share."""

import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec

from sandbox.accounts import Accounts
from sandbox.authorization import AppsAndCodes
from sandbox.faults import Conditions, Operation
from sandbox.journal import Collection, Journal
from sandbox.posts import PublicPosts, iso_milliseconds

KEPT = 100_000


@dataclass(slots=True)
class Entry:
    """One logged request. `status` is None until the answer, and stays None if the connection was dropped."""

    at: float
    platform: str
    operation: Operation
    method: str
    path: str
    account_id: str | None = None
    status: int | None = None

    def public(self) -> dict[str, object]:
        """Return the entry as the control side lists it."""
        return {
            "at": iso_milliseconds(self.at),
            "platform": self.platform,
            "operation": self.operation,
            "method": self.method,
            "path": self.path,
            "accountId": self.account_id,
            "status": self.status,
        }


class RequestLog:
    """The newest requests; their paths are without the query, which may contain a token."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque(maxlen=KEPT)

    def add(self, entry: Entry) -> Entry:
        """Log a request as it arrives."""
        self._entries.append(entry)
        return entry

    def newest_first(self) -> Iterator[Entry]:
        """Yield the requests, newest first."""
        return reversed(self._entries)


class Window(NamedTuple):
    """The state of a window after a request: `allowed`, what remains, and when it resets (seconds since 1970)."""

    allowed: bool
    limit: int
    remaining: int
    resets_at: float


class Windows:
    """Counts of requests per key; if switched off, everything is allowed and nothing counts as used."""

    def __init__(self, clock: Callable[[], float], *, on: bool) -> None:
        self._clock = clock
        self._on = on
        self._open: dict[tuple[str, ...], tuple[float, int]] = {}

    def take(self, key: tuple[str, ...], limit: int, seconds: float) -> Window:
        """Count one request against a key that may have `limit` of them in `seconds`."""
        now = self._clock()
        if not self._on:
            return Window(True, limit, limit, now + seconds)
        resets_at, used = self._open.get(key, (0.0, 0))
        if now >= resets_at:
            resets_at, used = now + seconds, 0
        if used >= limit:
            return Window(False, limit, 0, resets_at)
        self._open[key] = (resets_at, used + 1)
        return Window(True, limit, limit - used - 1, resets_at)


BYTES_KEPT = 128 * 1024 * 1024
LARGEST_KEPT = 16 * 1024 * 1024


class Uploads:
    """The newest uploads in memory, by a name that ends in their file extension."""

    def __init__(self) -> None:
        self._files: OrderedDict[str, tuple[str, bytes]] = OrderedDict()
        self._size = 0

    def keep(self, name: str, content_type: str, content: bytes) -> str | None:
        """Keep an upload and return the sandbox's address of it, or None if it is too large to keep."""
        if len(content) > LARGEST_KEPT or name in self._files:
            return None
        self._files[name] = (content_type, content)
        self._size += len(content)
        while self._size > BYTES_KEPT:
            _, (_, dropped) = self._files.popitem(last=False)
            self._size -= len(dropped)
        return f"/_/uploads/{name}"

    def get(self, name: str) -> tuple[str, bytes] | None:
        """Return content type and bytes, or None if they are no longer kept."""
        return self._files.get(name)


T = TypeVar("T", bound=msgspec.Struct)


class World:
    """Accounts, posts and uploads; `realistic` switches on the platforms' own rate limits and processing times."""

    def __init__(
        self,
        data_dir: Path | None = None,
        *,
        realistic: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.journal = Journal(data_dir)
        self.realistic = realistic
        self.now = clock
        self.accounts = Accounts(self.journal, clock)
        self.apps_and_codes = AppsAndCodes(self.journal)
        self.posts = PublicPosts(self.journal)
        self.uploads = Uploads()
        self.conditions = Conditions()
        self.windows = Windows(clock, on=realistic)

    def collection(self, platform: str, name: str, kind: type[T]) -> Collection[T]:
        """Return a platform's collection for values of one kind that must survive a restart."""
        return Collection(self.journal, f"{platform}.{name}", kind)
