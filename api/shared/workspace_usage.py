"""The usage of a workspace, held to limits: posts, their bytes, accounts, and how fast it writes bytes."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from domain.codes import ProblemCode
from domain.errors import Problem, TooManyRequests, Unprocessable
from domain.request_limits import Rates
from domain.workspaces import MOST_ACCOUNTS
from store.database import Database
from store.models import ConnectedAccount
from store.posts.queries import count_kept, count_open
from store.rows import count_rows

MOST_OPEN_POSTS = 100_000
MOST_POSTS = 1_000_000
MOST_MB = 10_240

_COUNTED_FOR_S = 60.0
"""Seconds between two counts. In between, only what this process adds is counted: no end of a post and no deletion."""
_KEPT_COUNTED_FOR_S = 600.0
"""The same for all posts of a workspace: PostgreSQL takes some 0.1 s to count a million."""
_COUNTED_AGAIN_AFTER_S = 5.0
"""Seconds after which a workspace that has reached a limit is counted again."""
_MOST_WORKSPACES = 10_000

WRITES_PER_S = 256 * 1024
WRITE_BURST = 2**30
"""Bytes of posts: a deleted post still leaves its stored answer (24 hours) and its workflow (7 days)."""
_TOO_MUCH = Problem("This workspace writes too many bytes of posts; please slow down", "rate_limited")


@dataclass(frozen=True, slots=True)
class WorkspaceLimits:
    """The most of each that a workspace may have; 0 for any number."""

    open_posts: int = MOST_OPEN_POSTS
    """Drafts, scheduled posts and those that are being published."""
    posts: int = MOST_POSTS
    """Posts in all, settled ones included."""
    megabytes: int = MOST_MB
    """MiB of these posts, as `Post.answer_bytes` counts them."""
    accounts: int = MOST_ACCOUNTS
    """Connected accounts."""


@dataclass(frozen=True, slots=True)
class CurrentUsage:
    """The usage of a workspace, some minutes old at most, and its limits."""

    open_posts: int
    posts: int
    bytes: int
    accounts: int
    limits: WorkspaceLimits


class WorkspaceUsage:
    """The usage of each workspace, held to limits. Counts are rarely made: a limit may be exceeded by some posts."""

    def __init__(self, database: Database, limits: WorkspaceLimits | None = None) -> None:
        limits = limits or WorkspaceLimits()
        self._limits = limits
        self._database = database
        self._written = Rates(WRITES_PER_S, WRITE_BURST, problem=_TOO_MUCH)

        async def open_(workspace_id: str) -> tuple[int, ...]:
            return (await count_open(database, workspace_id, limits.open_posts or MOST_OPEN_POSTS),)

        async def stored(workspace_id: str) -> tuple[int, ...]:
            return await count_kept(database, workspace_id)

        self._open = _Counts(open_, (limits.open_posts,), _COUNTED_FOR_S)
        self._stored = _Counts(stored, (limits.posts, limits.megabytes * 2**20), _KEPT_COUNTED_FOR_S)

    async def count_post(self, workspace_id: str, size: int) -> None:
        """Count a post of `size` bytes before it is saved. Raises TooManyRequests if the workspace has too much."""
        await self._count(workspace_id, 1, size, room=(1, 1))

    async def count_posts(self, workspace_id: str, posts: int, size: int) -> None:
        """Count posts of `size` bytes in all before they are saved together. Raises TooManyRequests if one is too many.

        A single post may exceed the limit of bytes by its own size; many may not.
        """
        if posts:
            await self._count(workspace_id, posts, size, room=(posts, size))

    async def _count(self, workspace_id: str, posts: int, size: int, room: tuple[int, int]) -> None:
        limits = self._limits
        consequence = (
            "and has them; {} some first" if posts == 1 else f"and has no room for {posts:,} more; {{}} some first"
        )
        if await self._open.full(workspace_id, (posts,), room[:1]) is not None:
            most = f"This workspace may have {limits.open_posts:,} posts that are drafts, scheduled or publishing"
            raise _refusal(f"{most}, {consequence.format('publish or delete')}", "too_many_open_posts")
        full = await self._stored.full(workspace_id, (posts, size), room)
        if full == 0:
            sentence = f"This workspace may have {limits.posts:,} posts, {consequence.format('delete')}"
            raise _refusal(sentence, "too_many_posts")
        if full == 1:
            sentence = f"This workspace may have {limits.megabytes:,} MiB of posts, {consequence.format('delete')}"
            raise _refusal(sentence, "too_many_bytes")
        self.count_bytes(workspace_id, size)

    async def read(self, workspace_id: str) -> CurrentUsage:
        """Return what a workspace has."""
        (open_posts,) = await self._open.current(workspace_id)
        posts, size = await self._stored.current(workspace_id)
        async with self._database.reading() as session:
            accounts = await count_rows(
                session, ConnectedAccount.workspace_id == workspace_id, most=self._limits.accounts or MOST_ACCOUNTS
            )
        return CurrentUsage(open_posts, posts, size, accounts, self._limits)

    async def require_room_for_account(self, workspace_id: str) -> None:
        """Raise Unprocessable if the workspace has as many accounts as it may connect. The worker counts them again."""
        most = self._limits.accounts
        if not most:
            return
        async with self._database.reading() as session:
            if await count_rows(session, ConnectedAccount.workspace_id == workspace_id, most=most) < most:
                return
        sentence = (
            f"This workspace has as many accounts as it may connect: {most:,}. Remove one first, or name the account "
            "to reconnect in accountId."
        )
        raise Unprocessable(Problem(sentence, "too_many_accounts"))

    def count_bytes(self, workspace_id: str, size: int) -> None:
        """Count `size` bytes of a post that are about to be written. Raises TooManyRequests."""
        self._written.take(workspace_id, size)


def _refusal(sentence: str, code: ProblemCode) -> TooManyRequests:
    return TooManyRequests(Problem(sentence, code), retry_after=60)


class _Counts:
    """Cached counts of each workspace."""

    def __init__(
        self, count: Callable[[str], Awaitable[tuple[int, ...]]], most: tuple[int, ...], counted_for_s: float
    ) -> None:
        self._count = count
        self._most = most
        self._counted_for_s = counted_for_s
        self._counts: dict[str, tuple[tuple[int, ...], float]] = {}

    async def full(self, workspace_id: str, more: tuple[int, ...], room: tuple[int, ...]) -> int | None:
        """Add `more` to the numbers; if one has no `room` below its limit, add nothing and return its place."""
        if not any(self._most):
            return None
        counts, since = await self._recent(workspace_id, room)
        reached = self._reached(counts, room)
        if reached is None:
            counts = tuple(count + addition for count, addition in zip(counts, more, strict=True))
        self._counts[workspace_id] = (counts, since)
        return reached

    async def current(self, workspace_id: str) -> tuple[int, ...]:
        """Return the numbers."""
        counts, since = await self._recent(workspace_id, tuple(0 for _ in self._most))
        self._counts[workspace_id] = (counts, since)
        return counts

    async def _recent(self, workspace_id: str, room: tuple[int, ...]) -> tuple[tuple[int, ...], float]:
        """Return the numbers and when they were counted; those that leave no `room` are counted again soon."""
        counts, since = self._counts.get(workspace_id, ((), float("-inf")))
        age = time.monotonic() - since
        if age > (self._counted_for_s if self._reached(counts, room) is None else _COUNTED_AGAIN_AFTER_S):
            since = time.monotonic()
            counts = await self._count(workspace_id)
            if len(self._counts) >= _MOST_WORKSPACES:
                self._counts.clear()
        return counts, since

    def _reached(self, counts: tuple[int, ...], room: tuple[int, ...]) -> int | None:
        numbers = enumerate(zip(counts, room, self._most, strict=False))
        return next((place for place, (count, needed, most) in numbers if most and count + needed > most), None)
