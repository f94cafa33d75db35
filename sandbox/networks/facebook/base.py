"""What all of a Facebook Page's routes share: things that wait to be published, and Meta's words for failing."""

import re
import secrets
from abc import ABC
from typing import Any

import msgspec

from sandbox import media as samples
from sandbox.accounts import Account
from sandbox.formats import probe
from sandbox.ids import Scrambled
from sandbox.journal import Shelf
from sandbox.networks.instagram.base import graph_error, missing_object, parameters
from sandbox.posts import Post, Shown
from sandbox.twin import Route, Twin
from sandbox.wire import Answer, RefusedError, Request
from sandbox.world import World

EPOCH_MILLISECONDS = 1_767_225_600_000
"""1 January 2026; the ids last for decades."""
FIRST_ID = 122_100_000_000_000_000
ID_RANGE = 900_000_000_000_000

_VERSION = re.compile(r"^/v\d+\.\d+(?=/)")


class Photo(msgspec.Struct, rename="camel"):
    """Be one uploaded photo; `used` once a post or story shows it."""

    id: str
    account_id: str
    shown: Shown
    used: bool = False


class Video(msgspec.Struct, rename="camel"):
    """Be one video on its way; `edge` is where it began. Times are seconds since 1970."""

    id: str
    account_id: str
    edge: str
    session: str
    size: int = 0
    complete: bool = False
    shown: Shown | None = None
    error: str | None = None
    finished_at: float | None = None
    ready_at: float = 0
    draft: bool = False
    post_id: str | None = None


class Comment(msgspec.Struct, rename="camel"):
    """Be one comment."""

    id: str
    post_id: str
    account_id: str
    message: str
    created_at: float


class PageTwin(Twin, ABC):
    """Hold what all of Facebook's routes share."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.ids = Scrambled(world.now, EPOCH_MILLISECONDS, FIRST_ID, ID_RANGE)
        self.photos: Shelf[Photo] = world.shelf("facebook", "photo", Photo)
        self.videos: Shelf[Video] = world.shelf("facebook", "video", Video)
        self.comments: Shelf[Comment] = world.shelf("facebook", "comment", Comment)
        self.received: dict[str, bytearray] = {}
        """What has come of videos that are not complete yet; a restart forgets it, as an expired session does."""
        self.attempted: set[str] = set()
        """Videos that somebody asked to publish; reading one of them is to confirm, no longer to prepare."""

    def failure(self, status: int, message: str | None = None) -> Answer:
        """Word a failure by its status alone."""
        if status >= 500:
            words = message or "An unexpected error has occurred. Please retry your request later."
            return graph_error(words, 2, is_transient=True, status=status)
        return graph_error(message or "Unknown path components", 2500, status=status)

    def unauthorized(self) -> Answer:
        """Word an unknown or missing token."""
        return graph_error("Invalid OAuth access token - Cannot parse access token", 190)

    def token_expired(self) -> Answer:
        """Word an expired token."""
        return graph_error("Error validating access token: Session has expired.", 190, 463)

    def rate_limited(self, seconds: float) -> Answer:
        """Word a reached limit; Meta tells the wait in whole minutes, so less than half a minute reads 0."""
        usage = {
            "type": "pages",
            "call_count": 100,
            "total_cputime": 25,
            "total_time": 25,
            "estimated_time_to_regain_access": round(seconds / 60),
        }
        answer = graph_error("(#32) Page request limit reached", 32, is_transient=True, status=429)
        business = msgspec.json.encode({"1755847768034402": [usage]}).decode()
        return answer.with_headers({"X-Business-Use-Case-Usage": business})

    def inner_path(self, path: str) -> str:
        """Strip the version; every one is served alike."""
        return _VERSION.sub("", path)

    async def serve(self, found: Route, request: Request) -> Answer:
        """Answer with Meta's own headers."""
        try:
            answer = await found.handler(request)
        except RefusedError as error:
            answer = error.answer
        usage = '{"call_count":0,"total_cputime":0,"total_time":0}'
        return answer.with_headers({"X-App-Usage": usage, "x-fb-trace-id": secrets.token_urlsafe(8)})

    def token(self, request: Request) -> str:
        """Return the token from header (`Bearer`, or `OAuth` where bytes go), query or body."""
        scheme, _, token = request.header("authorization").partition(" ")
        if scheme.lower() in {"bearer", "oauth"}:
            return token.strip()
        return str(parameters(request).get("access_token", ""))

    def owner(self, request: Request) -> Account:
        """Return the Page whose edge this is; refuses other Pages than the token's own."""
        account = self.account(request)
        if request.params["id"] not in (account.user_id, "me"):
            raise missing_object(request.params["id"], request.method.lower())
        return account

    def own_post(self, request: Request) -> tuple[Account, Post]:
        """Return a post of the Page that the token speaks for."""
        account = self.account(request)
        post = self.world.posts.get(self.platform, request.params["id"])
        if post is None or post.account_id != account.account_id or post.deleted:
            raise missing_object(request.params["id"], request.method.lower())
        return account, post

    def shown(self, content: bytes, kind: str, alt: str | None = None) -> Shown | None:
        """Return uploaded bytes as a post shows them; None where they are nothing of this kind."""
        found = probe(content)
        if found is None or found.is_image == (kind == "video"):
            return None
        name = f"facebook-{self.ids.next()}.{found.content_type.rpartition('/')[2]}"
        source = samples.origin(content) or self.world.uploads.keep(name, found.content_type, content)
        return Shown("video" if kind == "video" else "image", source, alt)

    def make_public(
        self, account: Account, post_id: str, text: str, kind: str, media: list[Shown], **detail: Any
    ) -> Post:
        """Show a post to the world."""
        path = {
            "reel": f"reel/{post_id}/",
            "video": f"{account.user_id}/videos/{post_id}/",
            "story": f"stories/{account.user_id}/{post_id}/",
        }.get(kind, f"{account.user_id}/posts/{post_id.rpartition('_')[2]}")
        return self.world.posts.add(
            Post(
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
