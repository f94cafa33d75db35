"""POST /{ig-id}/media_publish, and the requests that change published media."""

from contextlib import suppress

from sandbox.accounts import Account
from sandbox.fake_platform import route
from sandbox.graph import flag, invalid, missing_object, parameters, refused
from sandbox.ids import shortcode
from sandbox.operations import Operation
from sandbox.platforms.instagram.base import Comment, Container, FakeInstagram
from sandbox.posts import PublicPost
from sandbox.wire import Answer, RefusedError, Request

POSTS_PER_DAY = 100
"""Meta's pages say 100 in one place and 50 in another."""
COMMENT_LENGTH = 2200


def _publish(fake: "PublishRoutes", request: Request) -> Operation:
    # Recorded before anything can fail: if a client reads the container after this, it confirms whether it was
    # published.
    with suppress(RefusedError):
        fake.attempted.add(str(parameters(request).get("creation_id", "")))
    return "publish"


class PublishRoutes(FakeInstagram):
    """The routes of media_publish, comments and the comment switch."""

    @route("POST", "/{id}/media_publish", _publish)
    async def publish(self, request: Request) -> Answer:
        """Make a finished container public, once."""
        account = self.owner(request)
        creation_id = str(parameters(request).get("creation_id") or "")
        if not creation_id:
            raise invalid("The parameter creation_id is required")
        container = self.containers.get(creation_id)
        if container is None or container.account_id != account.account_id or container.is_child:
            raise refused("Media not found", 24, 2207006, f"The media with id {creation_id} cannot be found.")
        match container.status_code(self.world.now()):
            case "IN_PROGRESS":
                raise refused("Media is not ready", 9007, 2207027, "The media is not ready, please wait for a moment")
            case "ERROR":
                raise refused("Media upload failed", -1, 2207053, container.error)
            case "EXPIRED":
                raise refused("Media expired", -1, 2207020, "The media you are trying to access has expired.")
            case "PUBLISHED":
                # The code is unverified. Observed: a second publish fails and publishes nothing twice.
                raise refused("Media already published", 9007, 2207027, "The media has already been published.")
        day = self.world.windows.take((self.platform, account.account_id, "posts"), POSTS_PER_DAY, 86_400)
        if not day.allowed:
            raise refused(
                "Application request limit reached", 9, 2207042, "You reached the maximum number of posts for today."
            )
        made = self._make_public(account, container)
        if self.holds("publishes_and_refuses", account):
            raise refused("Action is blocked", 4, 2207051, "We restrict certain activity to protect our community.")
        return Answer.json({"id": made.platform_post_id})

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

    def _make_public(self, account: Account, container: Container) -> PublicPost:
        now, media_id = self.world.now(), self.ids.next()
        code = shortcode(now, media_id)
        kind = {"REELS": "reel", "STORIES": "story", "CAROUSEL": "carousel"}.get(container.kind, "post")
        path = f"reel/{code}" if kind == "reel" else f"p/{code}"
        if kind == "story":
            path = f"stories/{account.username}/{media_id}"
        post = self.world.posts.add(
            PublicPost(
                platform=self.platform,
                account_id=account.account_id,
                platform_post_id=media_id,
                text=container.caption,
                created_at=now,
                kind=kind,
                url=f"https://www.instagram.com/{path}/",
                media=container.media,
                detail={"shortcode": code},
            )
        )
        container.media_id = media_id
        self.containers.put(container.id, container)
        return post
