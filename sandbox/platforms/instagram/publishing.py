"""POST /{ig-id}/media_publish, and the requests that change published media."""

from sandbox.accounts import Account
from sandbox.fake_platform import route
from sandbox.graph import flag, invalid, missing_object, parameters, refused
from sandbox.ids import shortcode
from sandbox.meta_containers import publishing
from sandbox.platforms.instagram.base import Comment, FakeInstagram, InstagramContainer
from sandbox.posts import PublicPost
from sandbox.wire import Answer, RefusedError, Request

POSTS_PER_DAY = 100
"""Meta's pages say 100 in one place and 50 in another."""
COMMENT_LENGTH = 2200


class PublishRoutes(FakeInstagram):
    """The routes of media_publish, comments and the comment switch."""

    @route("POST", "/{id}/media_publish", publishing)
    async def publish_media(self, request: Request) -> Answer:
        """Make a finished container public, once."""
        return await self.publish(request)

    @route("POST", "/{id}/comments", "edit")
    async def comment(self, request: Request) -> Answer:
        """Write a comment below a published post."""
        account, post = self._own_post(request)
        message = str(parameters(request).get("message") or "")
        if not 0 < len(message) <= COMMENT_LENGTH:
            raise invalid(f"param message must have 1 to {COMMENT_LENGTH} characters.")
        comment = Comment(self.ids.next(), post.platform_post_id, account.account_id, message, self.world.now())
        self.comments.put(comment.id, comment)
        post.note = message
        self.world.posts.changed(post)
        return Answer.json({"id": comment.id})

    @route("POST", "/{id}", "edit")
    async def switch_comments(self, request: Request) -> Answer:
        """Allow or forbid comments; nothing else can be changed after publishing."""
        _, post = self._own_post(request)
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

    def _own_post(self, request: Request) -> tuple[Account, PublicPost]:
        account = self.account(request)
        post = self.world.posts.get(self.platform, request.params["id"])
        if post is None or post.account_id != account.account_id:
            raise missing_object(request.params["id"], "post")
        return account, post

    def _missing(self, object_id: str) -> RefusedError:
        return missing_object(object_id)

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
        day = self.world.windows.take((self.platform, account.account_id, "posts"), POSTS_PER_DAY, 86_400)
        if not day.allowed:
            raise refused(
                "Application request limit reached", 9, 2207042, "You reached the maximum number of posts for today."
            )

    def _public_post(self, account: Account, container: InstagramContainer, now: float, post_id: str) -> PublicPost:
        code = shortcode(now, post_id)
        kind = {"REELS": "reel", "STORIES": "story", "CAROUSEL": "carousel"}.get(container.kind, "post")
        path = f"reel/{code}" if kind == "reel" else f"p/{code}"
        if kind == "story":
            path = f"stories/{account.username}/{post_id}"
        return PublicPost(
            platform=self.platform,
            account_id=account.account_id,
            platform_post_id=post_id,
            text=container.text,
            created_at=now,
            kind=kind,
            url=f"https://www.instagram.com/{path}/",
            media=container.media,
            detail={"shortcode": code},
        )
