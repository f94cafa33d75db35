"""The state that all of a Facebook Page's routes share: photos and videos that are not published yet."""

from abc import ABC
from typing import Any

import msgspec

from sandbox.accounts import Account
from sandbox.formats import probe
from sandbox.graph import FakeGraph, missing_object
from sandbox.ids import Scrambled
from sandbox.journal import Collection
from sandbox.posts import PublicPost, ShownMedia
from sandbox.wire import Request
from sandbox.world import World

EPOCH_MILLISECONDS = 1_767_225_600_000
"""1 January 2026; the ids last for decades."""
FIRST_ID = 122_100_000_000_000_000
ID_RANGE = 900_000_000_000_000


class Photo(msgspec.Struct, rename="camel"):
    """One uploaded photo; `used` is true once a post or story shows it."""

    id: str
    account_id: str
    shown: ShownMedia
    used: bool = False


class Video(msgspec.Struct, rename="camel"):
    """One video that is not published yet; `edge` is where its upload began. Times are seconds since 1970."""

    id: str
    account_id: str
    edge: str
    session: str
    size: int = 0
    complete: bool = False
    shown: ShownMedia | None = None
    error: str | None = None
    seconds: float = 0
    finished_at: float | None = None
    ready_at: float = 0
    draft: bool = False
    post_id: str | None = None
    captions: list[str] = msgspec.field(default_factory=list)
    """The locales of its captions."""


class Comment(msgspec.Struct, rename="camel"):
    """One comment."""

    id: str
    post_id: str
    account_id: str
    message: str
    created_at: float


class FakePage(FakeGraph, ABC):
    """State and methods that all of Facebook's routes share."""

    conditions = {  # noqa: RUF012
        **FakeGraph.conditions,
        "videos_stay_drafts": "Videos that are published stay drafts, as upright ones have.",
        "videos_elsewhere": "Bytes of videos are refused unless they come to graph-video.facebook.com.",
        "videos_at_the_usual_host": "Bytes of videos are refused at graph-video.facebook.com.",
        "page_withdrawn": "The person has withdrawn this Page from what the app may publish to.",
        "several_pages": "A person has three Pages, one of them without the task to publish.",
        "upload_domain_told": "An upload names a host of its own in upload_domain, which alone takes its bytes.",
    }
    limit = ("(#32) Page request limit reached", 32, 400)
    usage_type = "pages"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.ids = Scrambled(world.now, EPOCH_MILLISECONDS, FIRST_ID, ID_RANGE)
        self.photos: Collection[Photo] = world.collection("facebook", "photo", Photo)
        self.videos: Collection[Video] = world.collection("facebook", "video", Video)
        self.comments: Collection[Comment] = world.collection("facebook", "comment", Comment)
        self.received: dict[str, bytearray] = {}
        """The bytes received of incomplete videos. A restart loses them, as the end of a session does."""
        self.attempted: set[str] = set()
        """Videos that a client asked to publish; reading one of them is then part of confirm, no longer of prepare."""

    def own_post(self, request: Request) -> tuple[Account, PublicPost]:
        """Return a post of the token's Page, by its own id or that of its video."""
        account = self.account(request)
        video = self.videos.get(request.params["id"])
        post = self.world.posts.get(self.platform, (video and video.post_id) or request.params["id"])
        if post is None or post.account_id != account.account_id or post.deleted:
            raise missing_object(request.params["id"], request.method.lower())
        return account, post

    def shown(self, content: bytes, kind: str, alt: str | None = None) -> ShownMedia | None:
        """Return uploaded bytes as a post shows them; None if they are not of this kind."""
        file_format = probe(content)
        if file_format is None or file_format.is_image == (kind == "video"):
            return None
        source = self.keep_upload(self.ids.next(), file_format.content_type, content)
        return ShownMedia("video" if kind == "video" else "image", source, alt)

    def make_public(
        self, account: Account, post_id: str, text: str, kind: str, media: list[ShownMedia], **detail: Any
    ) -> PublicPost:
        """Make a post public."""
        path = {
            "reel": f"reel/{detail.get('media_id')}/",
            "video": f"{account.user_id}/videos/{detail.get('media_id')}/",
            "story": f"stories/{account.user_id}/{post_id}/",
        }.get(kind, f"{account.user_id}/posts/{post_id.rpartition('_')[2]}")
        return self.world.posts.add(
            PublicPost(
                platform=self.platform,
                account_id=account.account_id,
                platform_post_id=post_id,
                text=text,
                created_at=self.world.now(),
                kind=kind,
                url=f"https://www.facebook.com/{path}",
                media=media,
                detail=detail,
            )
        )
