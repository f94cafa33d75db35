"""Threads' reads: containers, posts, lists of them, the daily quota, profile and token."""

from typing import Any

from sandbox.accounts import Account
from sandbox.fake_platform import route
from sandbox.graph import invalid, parameters, refused, selected, timestamp
from sandbox.platforms.threads.base import POSTS_PER_DAY, REPLIES_PER_DAY, FakeThreads, ThreadsContainer
from sandbox.posts import PublicPost
from sandbox.wire import Answer, Request

DAY = 86_400


class ReadRoutes(FakeThreads):
    """The routes of every GET request."""

    @route("GET", "/debug_token", "auth")
    async def debug(self, request: Request) -> Answer:
        """Describe a token; the request is authorized by the same token."""
        asked = self.world.accounts.by_token(self.platform, self.token(request))
        if asked is None:
            raise refused("Invalid OAuth access token", 190)
        token = str(parameters(request).get("input_token", ""))
        account = self.world.accounts.by_token(self.platform, token)
        return self.debugged(account, token, asked.scopes or sorted(self.consent.scopes), user_id=asked.user_id)

    @route("GET", "/{id}/threads", "confirm")
    async def posts(self, request: Request) -> Answer:
        """List posts, newest first, without replies."""
        return self._list(request, replies=False)

    @route("GET", "/{id}/replies", "confirm")
    async def replies(self, request: Request) -> Answer:
        """List replies, newest first."""
        return self._list(request, replies=True)

    @route("GET", "/{id}/threads_publishing_limit", "confirm")
    async def quota(self, request: Request) -> Answer:
        """Return how many posts of the day are used up; none if limits are off."""
        account = self.owner(request)
        since = self.world.now() - DAY
        recent = [
            post for post in self.world.posts.by_account(account) if post.created_at >= since and self.world.realistic
        ]
        replies = sum(1 for post in recent if post.detail["reply_to"])
        known = {
            "id": account.user_id,
            "quota_usage": len(recent) - replies,
            "config": {"quota_total": POSTS_PER_DAY, "quota_duration": DAY},
            "reply_quota_usage": replies,
            "reply_config": {"quota_total": REPLIES_PER_DAY, "quota_duration": DAY},
        }
        quota = selected(known, str(parameters(request).get("fields", "")), "ThreadsPublishingLimit")
        return Answer.json({"data": [{name: value for name, value in quota.items() if name != "id"}]})

    def _container_fields(self, container: ThreadsContainer, account: Account) -> dict[str, Any]:
        status = container.status(self.world.now())
        return {"id": container.id, "status": status, "error_message": container.error if status == "ERROR" else None}

    def _list(self, request: Request, *, replies: bool) -> Answer:
        account, values = self.owner(request), parameters(request)
        since, limit = str(values.get("since", "0")), str(values.get("limit", "25"))
        if not since.isdecimal() or not limit.isdecimal():
            raise invalid("param since and limit must be numbers")
        matching_posts = (
            post
            for post in self.world.posts.by_account(account)
            if not post.deleted and bool(post.detail["reply_to"]) is replies and post.created_at >= int(since)
        )
        return self.listed(account, matching_posts, int(limit), str(values.get("fields", "")))

    def _profile_fields(self, account: Account) -> dict[str, Any]:
        return {
            "id": account.user_id,
            "username": account.username,
            "name": account.username,
            "threads_profile_picture_url": None,
            "threads_biography": None,
        }

    def _post_fields(self, post: PublicPost, account: Account) -> dict[str, Any]:
        kinds = {"TEXT": "TEXT_POST", "CAROUSEL": "CAROUSEL_ALBUM"}
        kind = post.detail["media_type"]
        return {
            "id": post.platform_post_id,
            "media_product_type": "THREADS",
            "media_type": kinds.get(kind, kind),
            "permalink": post.url,
            "shortcode": post.detail["shortcode"],
            "text": post.text or None,
            "timestamp": timestamp(post.created_at),
            "username": account.username,
            "owner": {"id": account.user_id},
            "is_quote_post": post.kind == "quote",
            "is_reply": bool(post.detail["reply_to"]),
            "replied_to": {"id": post.detail["reply_to"]} if post.detail["reply_to"] else None,
            "media_url": None,
            "alt_text": post.media[0].alt if post.media else None,
        }
