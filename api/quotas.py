"""How many posts a workspace may have that are not settled yet: drafts, scheduled ones and those that go out."""

import time

from domain.errors import Problem, RateLimited
from store.database import Database
from store.posts import count_open

MOST_OPEN_POSTS = 100_000
_COUNTED_FOR_S = 60.0
"""In between, only the posts that this process takes are added; those that settle are seen at the next count."""
_COUNTED_AGAIN_AFTER_S = 5.0
"""How soon a workspace that has reached its limit is counted again."""
_MOST_WORKSPACES = 10_000


class OpenPosts:
    """Counts of workspaces' open posts, exact only when they are made: a limit may be exceeded by some posts."""

    def __init__(self, database: Database, most: int = MOST_OPEN_POSTS) -> None:
        self._database = database
        self._most = most
        self._counts: dict[str, tuple[int, float]] = {}

    async def take(self, workspace_id: str) -> None:
        """Count a post that is about to be saved. Raises RateLimited if the workspace has too many."""
        if not self._most:
            return
        count, since = self._counts.get(workspace_id, (0, float("-inf")))
        age = time.monotonic() - since
        if age > (_COUNTED_FOR_S if count < self._most else _COUNTED_AGAIN_AFTER_S):
            since = time.monotonic()
            count = await count_open(self._database, workspace_id, self._most)
            if len(self._counts) >= _MOST_WORKSPACES:
                self._counts.clear()
        taken = count < self._most
        self._counts[workspace_id] = (count + taken, since)
        if not taken:
            most = f"This workspace may have {self._most:,} posts that are drafts, scheduled or publishing"
            sentence = f"{most}, and has them; publish or delete some first"
            raise RateLimited(Problem(sentence, "too_many_open_posts"), retry_after=60)
