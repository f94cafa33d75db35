"""Instagram's reads: containers, media, lists of them, the daily quota, profile and token."""

from collections.abc import Iterator
from itertools import dropwhile, islice
from typing import Any

from sandbox.accounts import Account
from sandbox.fake_platform import route
from sandbox.graph import missing_object, parameters, selected, timestamp
from sandbox.operations import Operation
from sandbox.platforms.instagram.base import Container, FakeInstagram
from sandbox.platforms.instagram.publishing import POSTS_PER_DAY
from sandbox.posts import PublicPost
from sandbox.wire import Answer, Request

STORY_SECONDS = 86_400

_TYPES = {"story": "STORY", "reel": "REELS"}


def _node(fake: "ReadRoutes", request: Request) -> Operation:
    """Return the step of a read: prepare for a container that no client has tried to publish yet, else confirm."""
    container = fake.containers.get(request.params["id"])
    if container is None:
        return "confirm"
    return "confirm" if container.media_id is not None or container.id in fake.attempted else "prepare"


class ReadRoutes(FakeInstagram):
    """The routes of every GET request."""

    @route("GET", "/me", "auth")
    async def me(self, request: Request) -> Answer:
        """Return the account that the token belongs to."""
        return Answer.json(self._profile(self.account(request), request))

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
            used = sum(1 for post in self.world.posts.of(account) if post.created_at >= since)
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

    @route("GET", "/{id}", _node)
    async def node(self, request: Request) -> Answer:
        """Read a container, a medium or the profile."""
        account = self.account(request)
        object_id, fields = request.params["id"], str(parameters(request).get("fields", ""))
        if object_id == account.user_id:
            return Answer.json(self._profile(account, request))
        if self.holds("reads_refused", account):
            raise missing_object(object_id)
        container = self.containers.get(object_id)
        if container is not None and container.account_id == account.account_id:
            status = self._status(container)
            if self.holds("state_unnamed", account) and status["status_code"] == "ERROR":
                status["status_code"] = ""
            return Answer.json(selected(status, fields, "IGContainer"))
        post = self.world.posts.get(self.platform, object_id)
        if post is None or post.account_id != account.account_id:
            raise missing_object(object_id)
        return Answer.json(selected(_described(post, account), fields, "ShadowIGMedia"))

    def _status(self, container: Container) -> dict[str, Any]:
        code = container.status_code(self.world.now())
        status = {
            "IN_PROGRESS": "In Progress: Media is still being processed.",
            "FINISHED": "Finished: Media has been uploaded and it is ready to be published.",
            "PUBLISHED": "Published: Media has been successfully published.",
            "EXPIRED": "Expired: Media was not published within 24 hours.",
        }.get(code, container.error)
        checks = {"status": "completed", "matches_found": False}
        return {"id": container.id, "status_code": code, "status": status, "copyright_check_status": checks}

    def _list(self, request: Request, *, stories: bool) -> Answer:
        account = self.owner(request)
        values = parameters(request)
        fields, after = str(values.get("fields", "")), values.get("after")
        limit = str(values.get("limit", "25"))
        count = min(int(limit), 100) if limit.isdecimal() else 25
        since = self.world.now() - STORY_SECONDS if stories else 0
        found: Iterator[PublicPost] = (
            post
            for post in self.world.posts.of(account)
            if (post.kind == "story") is stories and post.created_at >= since
            if post.kind != "reel" or not self.holds("reels_unlisted", account)
        )
        if after:
            found = dropwhile(lambda post: post.platform_post_id != after, found)
            next(found, None)
        posts = list(islice(found, count))
        answer: dict[str, Any] = {
            "data": [selected(_described(post, account), fields, "ShadowIGMedia") for post in posts],
        }
        if posts:
            # Meta's cursors are opaque; here a cursor is the id of the post.
            answer["paging"] = {"cursors": {"before": posts[0].platform_post_id, "after": posts[-1].platform_post_id}}
        return Answer.json(answer)

    def _profile(self, account: Account, request: Request) -> dict[str, Any]:
        known = {
            "id": account.user_id,
            "user_id": account.user_id,
            "username": account.username,
            "name": account.username,
            "account_type": "BUSINESS",
            "profile_picture_url": None,
        }
        return selected(known, str(parameters(request).get("fields", "")), "IGUser")


def _described(post: PublicPost, account: Account) -> dict[str, Any]:
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
