"""Wait, for as long as a client wants, until a post has come to rest."""

import asyncio

from api.dependencies import Dependencies
from store.posts import is_moving


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
    new: bool = False,
) -> None:
    """Return once publishing is over or held, the post is gone, or patience is.

    `new` says that the post was made just now, so that a first look is not worth its query.
    """

    async def at_rest() -> bool:
        async with deps.database.reading() as session:
            return not await is_moving(session, post_id)

    await deps.outcomes.wait(post_id, at_rest, patience.left, new=new)
