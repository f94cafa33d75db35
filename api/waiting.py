"""Wait, for as long as a client wants, until a post has come to rest."""

import asyncio
from datetime import datetime

from api.dependencies import Dependencies
from store.posts import progress_of


class Patience:
    """Count down the seconds that one request may wait, from its beginning."""

    def __init__(self, seconds: float) -> None:
        self._end = asyncio.get_running_loop().time() + seconds

    @property
    def left(self) -> float:
        """Return the seconds that are left."""
        return max(0.0, self._end - asyncio.get_running_loop().time())


async def wait_until_at_rest(
    deps: Dependencies,
    post_id: str,
    patience: Patience,
    *,
    changed_since: datetime | None = None,
    new: bool = False,
) -> None:
    """Return once publishing is over or held, the post is gone, or patience is.

    `new` says that the post was made just now, so that a first look is not worth its query. `changed_since` is when the
    post last changed before it was set in motion: that rest does not count.
    """

    async def at_rest() -> bool:
        async with deps.database.reading() as session:
            progress = await progress_of(session, post_id)
        if progress is None:
            return True
        moving, changed_at = progress
        # Not later than, but other than: the clocks of workers differ.
        return not moving and changed_at != changed_since

    await deps.outcomes.wait(post_id, at_rest, patience.left, new=new)
