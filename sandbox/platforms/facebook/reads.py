"""Facebook's reads: the Page, its posts and stories, unpublished videos, comments."""

from typing import Any

from sandbox.accounts import Account
from sandbox.fake_platform import route
from sandbox.graph import invalid, missing_object, parameters, selected, timestamp
from sandbox.operations import Operation
from sandbox.platforms.facebook.base import Video
from sandbox.platforms.facebook.consent import ConsentRoutes
from sandbox.posts import PublicPost
from sandbox.wire import Answer, Request

STORY_SECONDS = 86_400


def _node(fake: "ReadRoutes", request: Request) -> Operation:
    """Return the step of a read: prepare for a video that no client has tried to publish yet, else confirm."""
    video = fake.videos.get(request.params["id"])
    return "prepare" if video is not None and video.id not in fake.attempted and not video.finished_at else "confirm"


class ReadRoutes(ConsentRoutes):
    """The routes of every GET request."""

    @route("GET", "/me", "auth")
    async def me(self, request: Request) -> Answer:
        """Return the Page that the token belongs to."""
        return Answer.json(self._page(self.account(request), request))

    @route("GET", "/{id}/published_posts", "confirm")
    async def published_posts(self, request: Request) -> Answer:
        """List the public posts, newest first, without stories."""
        account, fields = self.owner(request), _fields(request)
        limit = str(parameters(request).get("limit", "25"))
        if not limit.isdecimal() or not 0 < int(limit) <= 100:
            raise invalid("Please reduce the amount of data you're asking for, then retry your request")
        posts = [post for post in self.world.posts.by_account(account) if post.kind != "story" and not post.deleted]
        return Answer.json(
            {"data": [selected(self._described(post, account), fields, "PagePost") for post in posts[: int(limit)]]}
        )

    @route("GET", "/{id}/stories", "confirm")
    async def stories(self, request: Request) -> Answer:
        """List the stories of the last day."""
        account, fields = self.owner(request), _fields(request)
        since = self.world.now() - STORY_SECONDS
        posts = [
            post for post in self.world.posts.by_account(account) if post.kind == "story" and post.created_at >= since
        ]
        return Answer.json({"data": [_story(post, fields) for post in posts]})

    @route("GET", "/{id}/comments", "confirm")
    async def comments_below(self, request: Request) -> Answer:
        """List the comments below a post."""
        self.account(request)
        data = [
            {"id": comment.id, "message": comment.message, "created_time": timestamp(comment.created_at)}
            for comment in self.comments
            if comment.post_id == request.params["id"]
        ]
        return Answer.json({"data": data})

    @route("GET", "/{id}", _node)
    async def node(self, request: Request) -> Answer:
        """Read a video, a post or the Page."""
        account, object_id = self.account(request), request.params["id"]
        if object_id == account.user_id:
            return Answer.json(self._page(account, request))
        if self.holds("reads_refused", account):
            raise missing_object(object_id)
        video = self.videos.get(object_id)
        if video is not None and video.account_id == account.account_id:
            return Answer.json(selected(self._video(video), _fields(request), "Video"))
        post = self.world.posts.get(self.platform, object_id)
        if post is None or post.account_id != account.account_id or post.deleted:
            raise missing_object(object_id)
        return Answer.json(selected(self._described(post, account), _fields(request), "PagePost"))

    def _page(self, account: Account, request: Request) -> dict[str, Any]:
        known = {
            "id": account.user_id,
            "name": account.username,
            "username": account.username,
            "category": "Community",
            "link": f"https://www.facebook.com/{account.user_id}",
        }
        return selected(known, _fields(request), "Page")

    def _video(self, video: Video) -> dict[str, Any]:
        now, finished = self.world.now(), video.finished_at is not None
        ready = finished and now >= video.ready_at
        failed = finished and video.error is not None
        processing: dict[str, Any] = {"status": "not_started"}
        if failed:
            processing = {"status": "error", "errors": [{"code": 1363024, "message": video.error}]}
        elif finished:
            processing = {"status": "complete" if ready else "in_progress"}
        publishing: dict[str, Any] = {"status": "not_started"}
        if ready and not failed:
            publishing = {"status": "complete", "publish_status": "draft" if video.draft else "published"}
        received = len(self.received.get(video.id, b""))
        uploading = (
            {"status": "complete"} if video.complete else {"status": "in_progress", "bytes_transferred": received}
        )
        whole = "ready" if ready else "processing" if finished else "upload_complete" if video.complete else "uploading"
        post = self.world.posts.get(self.platform, video.post_id) if video.post_id else None
        return {
            "id": video.id,
            "status": {
                "video_status": "error" if failed else whole,
                "uploading_phase": uploading,
                "processing_phase": processing,
                "publishing_phase": publishing,
            },
            "published": bool(ready and post),
            "post_id": video.post_id,
            "permalink_url": post.url.removeprefix("https://www.facebook.com") if post and post.url else None,
        }

    def _described(self, post: PublicPost, account: Account) -> dict[str, Any]:
        photos = post.detail.get("photos") or []
        targets = [{"media_type": "photo", "target": {"id": photo}} for photo in photos]
        attachments = targets
        if len(targets) > 1:
            attachments = [{"media_type": "album", "subattachments": {"data": targets}}]
        elif post.detail.get("media_id"):
            attachments = [{"media_type": "video", "target": {"id": post.detail["media_id"]}}]
        return {
            "id": post.platform_post_id,
            "message": post.text or None,
            "created_time": timestamp(post.created_at),
            "permalink_url": post.url,
            "attachments": {"data": attachments} if attachments else None,
            "is_published": True,
            "from": {"id": account.user_id, "name": account.username},
        }


def _story(post: PublicPost, fields: str) -> dict[str, Any]:
    known = {
        "post_id": post.platform_post_id,
        "status": "published",
        "creation_time": str(int(post.created_at)),
        "media_type": post.media[0].type if post.media else "photo",
        "media_id": post.detail["media_id"],
        "url": post.url,
    }
    return {name: value for name, value in known.items() if not fields or name in fields.split(",")}


def _fields(request: Request) -> str:
    return str(parameters(request).get("fields", ""))
