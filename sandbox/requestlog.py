"""The newest requests to the platforms, for developers and tests that check what was sent."""

from collections import deque
from collections.abc import Iterator

from sandbox.faults import Operation
from sandbox.posts import iso_milliseconds

KEPT = 100_000


class Entry:
    """One logged request. `status` is None until the answer, and stays None if the connection was dropped."""

    __slots__ = ("account_id", "at", "method", "operation", "path", "platform", "status")

    def __init__(
        self, at: float, platform: str, operation: Operation, method: str, path: str, account_id: str | None = None
    ) -> None:
        self.at = at
        self.platform = platform
        self.operation = operation
        self.method = method
        self.path = path
        self.account_id = account_id
        self.status: int | None = None

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
