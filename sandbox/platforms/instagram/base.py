"""The state that Instagram's routes share: containers, comments and ids."""

from abc import ABC

import msgspec

from sandbox.authorization import ConsentRules
from sandbox.ids import Scrambled
from sandbox.journal import Collection
from sandbox.meta_consent import LongLivedTokens
from sandbox.posts import ShownMedia
from sandbox.wire import Answer
from sandbox.world import World

EPOCH_MILLISECONDS = 1_767_225_600_000
"""1 January 2026; the ids last until the middle of 2035."""
FIRST_ID = 17_800_000_000_000_000
ID_RANGE = 300_000_000_000_000
"""Ids of 17 digits that begin with 178, 179 or 180, like those of Instagram's containers and media."""

_SCOPES = frozenset(
    ("instagram_business_basic", "instagram_business_content_publish", "instagram_business_manage_comments")
)
CONTAINER_SECONDS = 86_400
"""An unpublished container expires after a day."""


class Container(msgspec.Struct, rename="camel"):
    """One container. Times are seconds since 1970."""

    id: str
    account_id: str
    kind: str
    created_at: float
    ready_at: float
    caption: str = ""
    is_child: bool = False
    media: list[ShownMedia] = []
    error: str | None = None
    media_id: str | None = None

    def status_code(self, now: float) -> str:
        """Return the status as Instagram reports it."""
        if self.media_id is not None:
            return "PUBLISHED"
        if self.error is not None:
            return "ERROR"
        if now - self.created_at >= CONTAINER_SECONDS:
            return "EXPIRED"
        return "FINISHED" if now >= self.ready_at else "IN_PROGRESS"


class Comment(msgspec.Struct, rename="camel"):
    """One comment."""

    id: str
    media_id: str
    account_id: str
    text: str
    created_at: float


class FakeInstagram(LongLivedTokens, ABC):
    """State and methods that all of Instagram's routes share."""

    consent = ConsentRules(
        "/oauth/authorize",
        _SCOPES,
        code_seconds=3600,
        pkce="none",
        scope_separator=",",
        declinable=True,
        fragment="#_",
    )
    conditions = {  # noqa: RUF012
        **LongLivedTokens.conditions,
        "state_unnamed": "Failed containers show an empty status_code.",
        "videos_unprocessable": "Videos end in error 2207085.",
        "reels_unlisted": "Reels are public and not listed.",
    }
    exchange_grant = "ig_exchange_token"
    refresh_grant = "ig_refresh_token"

    limit = ("(#80002) There have been too many calls to this Instagram account. Wait a bit and try again.", 80002, 400)
    usage_type = "instagram"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.ids = Scrambled(world.now, EPOCH_MILLISECONDS, FIRST_ID, ID_RANGE)
        self.containers: Collection[Container] = world.collection("instagram", "container", Container)
        self.comments: Collection[Comment] = world.collection("instagram", "comment", Comment)
        self.attempted: set[str] = set()
        """Containers that a client asked to publish; reading one of them is now part of confirm instead of prepare."""

    def renewed(self, token: str) -> dict[str, object]:
        """Return the answer to a renewal, which names the permissions."""
        return {**super().renewed(token), "permissions": ",".join(sorted(_SCOPES))}

    def short_lived(self, token: dict[str, str], scopes: list[str]) -> Answer:
        """Return the answer in a list, as Instagram does since its business login."""
        return Answer.json({"data": [{**token, "permissions": ",".join(scopes)}]})
