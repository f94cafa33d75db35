"""The state that Instagram's routes share: containers and comments."""

from abc import ABC

import msgspec

from sandbox.authorization import ConsentRules
from sandbox.journal import Collection
from sandbox.meta_containers import Container, FakeContainers
from sandbox.wire import Answer
from sandbox.world import World

_SCOPES = frozenset(
    ("instagram_business_basic", "instagram_business_content_publish", "instagram_business_manage_comments")
)


class InstagramContainer(Container, rename="camel"):
    """One container of Instagram, whose text is its caption."""

    text: str = msgspec.field(default="", name="caption")
    post_id: str | None = msgspec.field(default=None, name="mediaId")


class Comment(msgspec.Struct, rename="camel"):
    """One comment."""

    id: str
    media_id: str
    account_id: str
    text: str
    created_at: float


class FakeInstagram(FakeContainers[InstagramContainer], ABC):
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
        **FakeContainers.conditions,
        "state_unnamed": "Failed containers show an empty status_code.",
        "videos_unprocessable": "Videos end in error 2207085.",
        "reels_unlisted": "Reels are public and not listed.",
    }
    container_type = InstagramContainer
    node_types = ("IGUser", "IGContainer", "ShadowIGMedia")
    exchange_grant = "ig_exchange_token"
    refresh_grant = "ig_refresh_token"

    limit = ("(#80002) There have been too many calls to this Instagram account. Wait a bit and try again.", 80002, 400)
    usage_type = "instagram"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.comments: Collection[Comment] = world.collection("instagram", "comment", Comment)

    def renewed(self, token: str) -> dict[str, object]:
        """Return the answer to a renewal, which names the permissions."""
        return {**super().renewed(token), "permissions": ",".join(sorted(_SCOPES))}

    def short_lived(self, token: dict[str, str], scopes: list[str]) -> Answer:
        """Return the answer in a list, as Instagram does since its business login."""
        return Answer.json({"data": [{**token, "permissions": ",".join(scopes)}]})
