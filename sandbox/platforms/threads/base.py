"""The state that Threads' routes share: containers and ids."""

from abc import ABC

import msgspec

from sandbox.authorization import ConsentRules
from sandbox.graph import graph_error
from sandbox.ids import Scrambled
from sandbox.journal import Collection
from sandbox.meta_consent import LongLivedTokens
from sandbox.posts import ShownMedia
from sandbox.wire import RefusedError
from sandbox.world import World

EPOCH_MILLISECONDS = 1_767_225_600_000
"""1 January 2026; the ids last until the middle of 2035."""
FIRST_ID, ID_RANGE = 17_800_000_000_000_000, 300_000_000_000_000
CONTAINER_SECONDS = 86_400
POSTS_PER_DAY, REPLIES_PER_DAY = 250, 1000


class Container(msgspec.Struct, rename="camel"):
    """One container. Times are seconds since 1970; `error` is the code that its status shows."""

    id: str
    account_id: str
    kind: str
    created_at: float
    ready_at: float
    text: str = ""
    is_child: bool = False
    media: list[ShownMedia] = []
    error: str | None = None
    reply_to: str | None = None
    quotes: str | None = None
    note: str | None = None
    post_id: str | None = None

    def status(self, now: float) -> str:
        """Return the status as Threads reports it."""
        if self.post_id is not None:
            return "PUBLISHED"
        if self.error is not None:
            return "ERROR"
        if now - self.created_at >= CONTAINER_SECONDS:
            return "EXPIRED"
        return "FINISHED" if now >= self.ready_at else "IN_PROGRESS"


class FakeThreads(LongLivedTokens, ABC):
    """State and methods that all routes share."""

    consent = ConsentRules(
        "/oauth/authorize",
        frozenset(("threads_basic", "threads_content_publish", "threads_manage_replies", "threads_read_replies")),
        code_seconds=3600,
        pkce="none",
        scope_separator=",",
        declinable=True,
    )
    conditions = {  # noqa: RUF012
        **LongLivedTokens.conditions,
        "children_unseen": "The items of a carousel are finished, and not found by its own container.",
        "own_posts_only": "Posts that are not known here are others', which the app may not answer.",
        "links_refused": "Link attachments are refused, as those that redirect are.",
    }
    exchange_grant = "th_exchange_token"
    refresh_grant = "th_refresh_token"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.ids = Scrambled(world.now, EPOCH_MILLISECONDS, FIRST_ID, ID_RANGE)
        self.containers: Collection[Container] = world.collection("threads", "container", Container)
        self.attempted: set[str] = set()
        """Containers that a client asked to publish; reading one of them is now part of confirm instead of prepare."""


def not_there() -> RefusedError:
    """Return the error for an object that does not exist, or not yet; the subcode is unverified."""
    return RefusedError(graph_error("The requested resource does not exist", 24, 4279009))
