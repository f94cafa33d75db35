"""Instagram's state, its reads, and its requests that publish containers and change media."""

from abc import ABC
from collections.abc import Iterator
from itertools import dropwhile
from typing import Any

import msgspec

from sandbox.accounts import Account
from sandbox.authorization import ConsentRules
from sandbox.fake_platform import route
from sandbox.graph import flag, invalid, missing_object, parameters, refused, timestamp
from sandbox.meta_containers import Container, FakeContainers, quota_of_day
from sandbox.posts import PublicPost
from sandbox.wire import Answer, RefusedError, Request

_SCOPES = frozenset(
    ("instagram_business_basic", "instagram_business_content_publish", "instagram_business_manage_comments")
)


class InstagramContainer(Container, rename="camel"):
    """One container of Instagram, whose text is its caption."""

    text: str = msgspec.field(default="", name="caption")
    post_id: str | None = msgspec.field(default=None, name="mediaId")


POSTS_PER_DAY = 100
"""Meta's pages say 100 in one place and 50 in another."""
COMMENT_LENGTH = 2200

STORY_SECONDS = 86_400

_TYPES = {"story": "STORY", "reel": "REELS"}


class FakeInstagram(FakeContainers[InstagramContainer], ABC):
    """State, reads and publishing that all of Instagram's routes share."""

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
    publish_path = "/{id}/media_publish"
    exchange_grant = "ig_exchange_token"
    refresh_grant = "ig_refresh_token"
    limit = ("(#80002) There have been too many calls to this Instagram account. Wait a bit and try again.", 80002, 400)
    usage_type = "instagram"

    def renewed(self, token: str) -> dict[str, object]:
        """Return the answer to a renewal, which names the permissions."""
        return {**super().renewed(token), "permissions": ",".join(sorted(_SCOPES))}

    def short_lived(self, token: dict[str, str], scopes: list[str]) -> Answer:
        """Return the answer in a list, as Instagram does since its business login."""
        return Answer.json({"data": [{**token, "permissions": ",".join(scopes)}]})

    @route("POST", "/{id}/comments", "edit")
    async def comment(self, request: Request) -> Answer:
        """Write a comment below a published post."""
        return self.write_comment(request, longest=COMMENT_LENGTH)

    @route("POST", "/{id}", "edit")
    async def switch_comments(self, request: Request) -> Answer:
        """Allow or forbid comments; nothing else can be changed after publishing."""
        _, post = self.own_post(request)
        enabled = flag(parameters(request), "comment_enabled")
        if enabled is None:
            raise invalid("The parameter comment_enabled is required")
        post.detail["comment_enabled"] = enabled
        self.world.posts.changed(post)
        return Answer.json({"success": True})

    @route("DELETE", "/{id}", "delete")
    async def delete(self, request: Request) -> Answer:
        """Refuse the request: with this login Instagram deletes nothing."""
        self.account(request)
        raise missing_object(request.params["id"], "delete")

    def _missing_container(self, container_id: str) -> RefusedError:
        return refused("Media not found", 24, 2207006, f"The media with id {container_id} cannot be found.")

    def _unpublishable(self, container: InstagramContainer, status: str) -> RefusedError:
        match status:
            case "IN_PROGRESS":
                return refused("Media is not ready", 9007, 2207027, "The media is not ready, please wait for a moment")
            case "ERROR":
                return refused("Media upload failed", -1, 2207053, container.error)
            case "EXPIRED":
                return refused("Media expired", -1, 2207020, "The media you are trying to access has expired.")
            case _:
                # The code is unverified. Observed: a second publish fails and publishes nothing twice.
                return refused("Media already published", 9007, 2207027, "The media has already been published.")

    def _count_post(self, account: Account, container: InstagramContainer) -> None:
        if not self.count(account, POSTS_PER_DAY, 86_400, "posts").allowed:
            message = "You reached the maximum number of posts for today."
            raise refused("Application request limit reached", 9, 2207042, message)

    def _post(self, account: Account, container: InstagramContainer, post_id: str, code: str) -> dict[str, Any]:
        kind = {"REELS": "reel", "STORIES": "story", "CAROUSEL": "carousel"}.get(container.kind, "post")
        path = {"reel": f"reel/{code}", "story": f"stories/{account.username}/{post_id}"}.get(kind, f"p/{code}")
        return {"kind": kind, "url": f"https://www.instagram.com/{path}/"}

    @route("GET", "/{id}/media", "confirm")
    async def media(self, request: Request) -> Answer:
        """List published media, newest first, without stories."""
        return self._list(request, stories=False)

    @route("GET", "/{id}/stories", "confirm")
    async def stories(self, request: Request) -> Answer:
        """List the stories of the last day."""
        return self._list(request, stories=True)

    @route("GET", "/{id}/content_publishing_limit", "confirm")
    async def quota(self, request: Request) -> Answer:
        """Return how many posts of the day are used up; none if limits are off."""
        account = self.owner(request)
        used = {"quota_usage": len(self.counted_posts(account)), "config": quota_of_day(POSTS_PER_DAY)}
        return Answer.json({"data": [used]})

    @route("GET", "/{id}/comments", "confirm")
    async def list_comments(self, request: Request) -> Answer:
        """List the comments below a post, newest first."""
        return Answer.json({"data": self.comments_below(request, "text", "timestamp")[::-1]})

    def _container_fields(self, container: InstagramContainer, account: Account) -> dict[str, Any]:
        code = container.status(self.world.now())
        status = {
            "IN_PROGRESS": "In Progress: Media is still being processed.",
            "FINISHED": "Finished: Media has been uploaded and it is ready to be published.",
            "PUBLISHED": "Published: Media has been successfully published.",
            "EXPIRED": "Expired: Media was not published within 24 hours.",
        }.get(code, container.error)
        checks = {"status": "completed", "matches_found": False}
        if self.holds("state_unnamed", account) and code == "ERROR":
            code = ""
        return {"id": container.id, "status_code": code, "status": status, "copyright_check_status": checks}

    def _list(self, request: Request, *, stories: bool) -> Answer:
        account = self.owner(request)
        values = parameters(request)
        fields, after = str(values.get("fields", "")), values.get("after")
        limit = str(values.get("limit", "25"))
        since = self.world.now() - STORY_SECONDS if stories else 0
        matching_posts: Iterator[PublicPost] = (
            post
            for post in self.world.posts.by_account(account)
            if (post.kind == "story") is stories and post.created_at >= since
            if post.kind != "reel" or not self.holds("reels_unlisted", account)
        )
        if after:
            matching_posts = dropwhile(lambda post: post.platform_post_id != after, matching_posts)
            next(matching_posts, None)
        return self.listed(account, matching_posts, int(limit) if limit.isdecimal() else 25, fields)

    def _profile_fields(self, account: Account) -> dict[str, Any]:
        return {
            "id": account.user_id,
            "user_id": account.user_id,
            "username": account.username,
            "name": account.username,
            "account_type": "BUSINESS",
            "profile_picture_url": None,
        }

    def _post_fields(self, post: PublicPost, account: Account) -> dict[str, Any]:
        first = post.media[0].type if post.media else "image"
        product = _TYPES.get(post.kind, "FEED")
        return {
            "id": post.platform_post_id,
            "caption": post.text or None,
            "permalink": post.url,
            "shortcode": post.detail["shortcode"],
            "timestamp": timestamp(post.created_at),
            "media_type": "CAROUSEL_ALBUM" if post.kind == "carousel" else "VIDEO" if first == "video" else "IMAGE",
            "media_product_type": product,
            "media_url": None,
            "thumbnail_url": None,
            "username": account.username,
            "owner": {"id": account.user_id},
            "is_comment_enabled": post.detail.get("comment_enabled", True),
            "comments_count": 0,
            "like_count": 0,
            "children": None,
        }
