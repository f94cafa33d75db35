"""Wait, for as long as a client wants, until a post has come to rest."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from api.dependencies import Dependencies
from store.posts import is_moving

MOST_WAITING = 1_000
"""Requests of one workspace that may wait for outcomes at a time, in one process: half of its connections."""


class Patience:
    """The seconds that one request may wait, counted from its beginning.

    `granted` is false if its workspace has so many waiting requests that it gets none.
    """

    def __init__(self, seconds: float, *, granted: bool = True) -> None:
        self.granted = granted
        self._end = asyncio.get_running_loop().time() + seconds

    @property
    def left(self) -> float:
        """Return the seconds that are left."""
        return max(0.0, self._end - asyncio.get_running_loop().time())


class Waiting:
    """Which workspaces' requests wait. One too many is answered with the post as it stands, as if it would not wait."""

    def __init__(self, most: int = MOST_WAITING) -> None:
        self._most = most
        self._waiting: Counter[str] = Counter()

    @contextmanager
    def patience(self, workspace_id: str, seconds: float) -> Iterator[Patience]:
        """Give a request of a workspace its time to wait, until the block ends."""
        counts = int(seconds > 0)
        self._waiting[workspace_id] += counts
        granted = self._waiting[workspace_id] <= self._most
        try:
            yield Patience(seconds if granted else 0, granted=granted)
        finally:
            self._waiting[workspace_id] -= counts
            if not self._waiting[workspace_id]:
                del self._waiting[workspace_id]


async def wait_until_at_rest(
    deps: "Dependencies",
    post_id: str,
    patience: Patience,
    *,
    new: bool = False,
) -> None:
    """Return once publishing is over or held, the post is gone, or patience is.

    `new` says that the post was made just now, so that a first look is not worth its query.
    """

    async def at_rest() -> bool:
        async with deps.database.reading() as session:
            return not await is_moving(session, post_id)

    await deps.outcomes.wait(post_id, at_rest, patience.left, new=new)
