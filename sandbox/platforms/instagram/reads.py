"""Instagram's reads: containers, media, lists of them, the daily quota, profile and token."""

from collections.abc import Iterator
from itertools import dropwhile
from typing import Any

from sandbox.accounts import Account
from sandbox.fake_platform import route
from sandbox.graph import parameters, timestamp
from sandbox.platforms.instagram.base import FakeInstagram, InstagramContainer
from sandbox.platforms.instagram.publishing import POSTS_PER_DAY
from sandbox.posts import PublicPost
from sandbox.wire import Answer, Request

STORY_SECONDS = 86_400

_TYPES = {"story": "STORY", "reel": "REELS"}


class ReadRoutes(FakeInstagram):
    """The routes of every GET request."""

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
        since = self.world.now() - 86_400
        used = 0
        if self.world.realistic:
            used = sum(1 for post in self.world.posts.by_account(account) if post.created_at >= since)
        config = {"quota_total": POSTS_PER_DAY, "quota_duration": 86_400}
        return Answer.json({"data": [{"quota_usage": used, "config": config}]})

    @route("GET", "/{id}/comments", "confirm")
    async def comments_below(self, request: Request) -> Answer:
        """List the comments below a post, newest first."""
        self.account(request)
        data = [
            {"id": comment.id, "text": comment.text, "timestamp": timestamp(comment.created_at)}
            for comment in reversed(self.comments)
            if comment.media_id == request.params["id"]
        ]
        return Answer.json({"data": data})

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
