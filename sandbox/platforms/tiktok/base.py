"""TikTok's answers and ids, and its state of a post before and after it is public."""

import secrets
from abc import ABC
from typing import Any

import msgspec

from sandbox.accounts import Account
from sandbox.fake_platform import FakePlatform, Route
from sandbox.formats import probe
from sandbox.ids import Snowflakes
from sandbox.journal import Collection
from sandbox.operations import Operation
from sandbox.posts import PublicPost, ShownMedia
from sandbox.wire import Answer, MalformedBodyError, RefusedError, Request
from sandbox.world import World

EPOCH_MILLISECONDS = 0
PER_MINUTE = {
    "/v2/post/publish/creator_info/query/": 20,
    "/v2/post/publish/video/init/": 6,
    "/v2/post/publish/inbox/video/init/": 6,
    "/v2/post/publish/content/init/": 6,
    "/v2/post/publish/status/fetch/": 30,
}
"""Requests per token; source: TikTok's page on each."""
DIRECT_POSTS = {"/v2/post/publish/video/init/", "/v2/post/publish/content/init/"}
MODERATION_SECONDS = 20.0
"""How long a public post waits for its id if `realistic` is set (unverified; sometimes hours)."""
PROCESSING_SECONDS = 5.0
"""How long media are processed if `realistic` is set (unverified)."""
PUBLIC = "PUBLIC_TO_EVERYONE"
PRIVACY_OPTIONS = [PUBLIC, "MUTUAL_FOLLOW_FRIENDS", "SELF_ONLY"]
"""The privacy levels of a public account; FOLLOWER_OF_CREATOR is for private ones."""


class Publication(msgspec.Struct, rename="camel"):
    """The post of one publish_id. `whole_at` is when TikTok had received all of it, in seconds since 1970."""

    id: str
    account_id: str
    is_photo: bool
    to_inbox: bool
    text: str = ""
    title: str = ""
    privacy: str = ""
    upload_id: str = ""
    upload_token: str = ""
    size: int = 0
    chunk: int = 0
    count: int = 0
    created_at: float = 0
    whole_at: float | None = None
    failure: str | None = None
    post_id: str | None = None


def envelope(data: dict[str, Any]) -> Answer:
    """Return a successful response."""
    return Answer.json({"data": data, "error": {"code": "ok", "message": "", "log_id": _log_id()}})


def problem(code: str, message: str, status: int) -> Answer:
    """Return an error."""
    return Answer.json({"data": {}, "error": {"code": code, "message": message, "log_id": _log_id()}}, status)


def refused(code: str, message: str, status: int = 400) -> RefusedError:
    """Refuse a request."""
    return RefusedError(problem(code, message, status))


def _log_id() -> str:
    return secrets.token_hex(16).upper()


class FakeTikTok(FakePlatform, ABC):
    """State and methods that all of TikTok's routes share."""

    renewal_path = "/v2/oauth/token/"
    conditions = {  # noqa: RUF012
        "no_profile_scope": "The token may not read the user name, and a request for it is refused as a whole.",
        "public_account": "The account is not private: an app that is not audited may not even post with SELF_ONLY.",
        "no_list_scope": "The token may not read the account's videos.",
        "unverified_addresses": "Photos are fetched from addresses with the path /media/ only.",
        "short_videos": "The creator may publish videos of half a second.",
        "count_lags": "Of an upload fewer bytes are counted than have arrived.",
    }

    def refuses_app(self, operation: Operation, request: Request) -> bool:
        """Return whether TikTok refuses to begin a post, because it has not audited the app.

        Such an app may upload to inboxes, and may post for the creator alone (SELF_ONLY) to private accounts
        (brightbeanxyz/brightbean-studio#144).
        """
        if request.path not in DIRECT_POSTS:
            return False
        try:
            body = json_body(request)
        except RefusedError:
            return False
        info = body.get("post_info")
        only_self = isinstance(info, dict) and info.get("privacy_level") == "SELF_ONLY"
        is_public = self.world.conditions.holds(self.platform, "public_account", self.account_id(request))
        return body.get("post_mode") != "MEDIA_UPLOAD" and (is_public or not only_self)

    def app_refused(self) -> Answer:
        """Return the response to an app that is not audited."""
        code = "unaudited_client_can_only_post_to_private_accounts"
        return problem(code, "Please review our integration guidelines.", 403)

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.ids = Snowflakes(world.now, EPOCH_MILLISECONDS)
        self.publications: Collection[Publication] = world.collection("tiktok", "publication", Publication)
        self.received: dict[str, bytearray] = {}
        self.attempted: set[str] = set()
        """Posts that a client tried to publish; asking for one of them is now part of confirm instead of prepare."""

    def failure(self, status: int, message: str | None = None) -> Answer:
        """Return the response to a failure, by its status alone."""
        if status >= 500:
            return problem("internal_error", message or "Something went wrong. Please try again later.", status)
        return problem("invalid_params", message or "The request is not supported.", status)

    def unauthorized(self) -> Answer:
        """Return the response to an unknown or missing token."""
        return problem("access_token_invalid", "The access token is invalid or not found in the request.", 401)

    def rate_limited(self, seconds: float) -> Answer:
        """Return the response to a reached limit; TikTok never gives the wait."""
        return problem("rate_limit_exceeded", "The API rate limit was exceeded. Please try again later.", 429)

    async def serve(self, route: Route, request: Request) -> Answer:
        """Count the request against the limit per minute."""
        key = (self.platform, self.token(request), route.path)
        if route.path in PER_MINUTE and not self.world.windows.take(key, PER_MINUTE[route.path], 60).allowed:
            return self.rate_limited(60)
        return await route.handler(request)

    def shown(self, content: bytes, *, video: bool) -> ShownMedia | None:
        """Return uploaded bytes as a post shows them; None if they are not of this kind."""
        file_format = probe(content)
        if file_format is None or file_format.is_image is video:
            return None
        source = self.keep_upload(self.ids.next(), file_format.content_type, content)
        return ShownMedia("video" if video else "image", source)

    def publish(self, account: Account, publication: Publication, media: list[ShownMedia], failure: str | None) -> None:
        """Record that TikTok has received everything, and publish the post unless it is for the owner's inbox."""
        publication.whole_at, publication.failure = self.world.now(), failure
        if failure is None and not publication.to_inbox:
            # If the post is not visible to everybody, the client gets no id and knows the post by its publish_id only.
            is_public = publication.privacy == PUBLIC
            publication.post_id = self.ids.next() if is_public else publication.id
            kind = "photo" if publication.is_photo else "video"
            self.world.posts.add(
                PublicPost(
                    platform=self.platform,
                    account_id=account.account_id,
                    platform_post_id=publication.post_id,
                    text=publication.text,
                    created_at=publication.whole_at,
                    kind=kind,
                    url=f"https://www.tiktok.com/@{account.username}/{kind}/{publication.post_id}",
                    media=media,
                    note=publication.title or None,
                    detail={"privacy": publication.privacy},
                )
            )
        self.publications.put(publication.id, publication)


def json_body(request: Request) -> dict[str, Any]:
    """Return the body of a request, which is a JSON object or empty."""
    if not request.body:
        return {}
    try:
        body = request.json()
    except MalformedBodyError as error:
        raise refused("invalid_params", "The request body is no JSON.") from error
    if not isinstance(body, dict):
        raise refused("invalid_params", "The request body is no JSON object.")
    return body
