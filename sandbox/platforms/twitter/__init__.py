"""X (Twitter), API v2: one call publishes, media are uploaded before it, Premium accounts may edit for an hour."""

import re
from typing import Any, ClassVar

from sandbox.accounts import Account
from sandbox.fake_platform import route
from sandbox.faults import Operation
from sandbox.platforms.twitter.base import PROBLEMS, CreatePost, forbidden, invalid, problem, read_post
from sandbox.platforms.twitter.media import Medium
from sandbox.platforms.twitter.reads import (
    FREE_LENGTH,
    PREMIUM_LENGTH,
    ReadRoutes,
    edit_controls,
    is_long,
    rendered,
    weight,
)
from sandbox.posts import PublicPost
from sandbox.wire import Answer, RefusedError, Request
from sandbox.world import World

DUPLICATE_SECONDS = 86_400
"""How long the same text with the same media of the same account counts as a duplicate (both unverified)."""
DUPLICATE = "You are not allowed to create a Tweet with duplicate content."
NOT_EDITABLE = "You are not permitted to edit this Tweet."
"""Unverified wording."""


Words = tuple[str, str, tuple[str, ...]]
"""Posts with the same account, text and media are duplicates."""


def _words(post: PublicPost) -> Words:
    return post.account_id, post.text, tuple(post.detail.get("media_keys", ()))


def _publish_or_edit(_fake: object, request: Request) -> Operation:
    return "edit" if b'"edit_options"' in request.body else "publish"


_CASHTAG = re.compile(r"(?<![\w$])\$[A-Za-z]{1,6}(?!\w)")


class Twitter(ReadRoutes):
    """The fake X, in place of https://api.x.com."""

    without_effect: ClassVar[frozenset[str]] = frozenset({"client_id"})
    platform: ClassVar[str] = "twitter"
    label: ClassVar[str] = "X"
    colour: ClassVar[str] = "#14171a"
    account_prefix: ClassVar[str] = "tw"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._by_words = {_words(post): post for post in self.own_posts()}

    @route("POST", "/2/tweets", _publish_or_edit)
    async def create(self, request: Request) -> Answer:
        """Publish a post, or a new version of one."""
        account = self.account(request)
        body = read_post(request)
        media = self._attached(account, body)
        _check_text(account, body)
        if len(_CASHTAG.findall(body.text or "")) > 1:
            raise forbidden("Posts are limited to a maximum of one cashtag.")
        minutes = 125 if account.premium else 20
        short = self.holds("short_videos", account)
        if any(medium.kind == "video" and (short or medium.seconds > minutes * 60) for medium in media):
            raise forbidden(f"This user is not allowed to post a video longer than {2 if short else minutes} minutes.")
        if body.reply is not None:
            self._check_target(account, body.reply.in_reply_to_tweet_id, "reply to")
        if body.quote_tweet_id is not None:
            self._check_target(account, body.quote_tweet_id, "quote")
        previous = self._editable(account, body.edit_options.previous_post_id) if body.edit_options else None
        if previous and previous.detail.get("media_keys", []) != [medium.key for medium in media]:
            # X makes such a version, and the post's media are gone.
            raise forbidden("The edit does not keep the media.")
        if body.text and self._is_duplicate((account.account_id, body.text, tuple(medium.key for medium in media))):
            raise forbidden(DUPLICATE)
        post = self._publish(account, body, media, previous)
        text, _ = rendered(post, account)
        # Seen in 2026: the list of a new post contains an empty string.
        data = {"id": post.platform_post_id, "text": text, "edit_history_tweet_ids": [""]}
        return Answer.json({"data": data}, 201)

    @route("DELETE", "/2/tweets/{id}", "delete")
    async def delete(self, request: Request) -> Answer:
        """Delete a post with all its versions."""
        account = self.account(request)
        post = self.world.posts.get(self.platform, request.params["id"])
        if post is None or post.deleted:
            return Answer.json({"data": {"deleted": False}})
        if post.account_id != account.account_id:
            raise forbidden("You are not authorized to delete this Tweet.")
        newest = post
        while newest.superseded_by is not None:
            newest = self.world.posts.get(self.platform, newest.superseded_by) or newest
        for version_id in newest.detail["history"]:
            version = self.world.posts.get(self.platform, version_id)
            if version is not None:
                self.world.posts.delete(version)
        return Answer.json({"data": {"deleted": True}})

    def _attached(self, account: Account, body: CreatePost) -> list[Medium]:
        if body.media is None:
            return []
        attached = [self.usable(account, media_id) for media_id in body.media.media_ids]
        media = [medium for medium in attached if medium is not None]
        if len(media) < len(attached):
            raise invalid("Your media IDs are invalid.", **{"media.media_ids": body.media.media_ids})
        if len(media) > 1 and any(medium.kind != "image" for medium in media):
            raise invalid("A post has up to 4 images, or one GIF, or one video.", **{"media.media_ids": []})
        return media

    def _check_target(self, account: Account, post_id: str, what: str) -> None:
        """Refuse a target that is deleted, or that belongs to another account and does not mention this one.

        Posts that the sandbox does not know count as existing on X, and as mentioning the account.
        """
        post = self.world.posts.get(self.platform, post_id)
        foreign = post is None or post.account_id != account.account_id
        mentions = post is None or f"@{account.username}".lower() in post.text.lower()
        if foreign and (not mentions or self.holds("not_mentioned", account)):
            message = "You can only reply to or quote posts where you are mentioned or are the author."
            raise RefusedError(problem(403, "Forbidden", message, f"{PROBLEMS}not-authorized-for-resource"))
        if post is not None and post.deleted:
            raise forbidden(f"You attempted to {what} a Tweet that is deleted or not visible to you.")

    def _is_duplicate(self, words: Words) -> bool:
        post = self._by_words.get(words)
        if post is None or post.deleted or post.superseded_by is not None:
            return False
        return self.world.now() - post.created_at < DUPLICATE_SECONDS

    def _editable(self, account: Account, post_id: str) -> PublicPost:
        post = self.visible_post(post_id)
        if post is None:
            raise RefusedError(
                problem(
                    404,
                    "Not Found Error",
                    f"Could not find tweet with previous_post_id: [{post_id}].",
                    f"{PROBLEMS}resource-not-found",
                    resource_type="tweet",
                    parameter="previous_post_id",
                    value=post_id,
                )
            )
        may_edit = edit_controls(post, account, self.world.now()).is_eligible
        if post.account_id != account.account_id or not may_edit:
            raise forbidden(NOT_EDITABLE)
        return post

    def _publish(
        self, account: Account, body: CreatePost, media: list[Medium], previous: PublicPost | None
    ) -> PublicPost:
        now, post_id = self.world.now(), self.ids.next()
        history = [*previous.detail["history"], post_id] if previous else [post_id]
        detail: dict[str, Any] = {"history": history, "first_at": previous.detail["first_at"] if previous else now}
        if media:
            detail["media_keys"] = [medium.key for medium in media]
        if body.reply is not None:
            detail["reply_to"] = body.reply.in_reply_to_tweet_id
        if body.quote_tweet_id is not None:
            detail["quote"] = body.quote_tweet_id
        if body.poll is not None:
            detail["poll"] = body.poll.options
        kind = "poll" if body.poll else "reply" if body.reply else "quote" if body.quote_tweet_id else "post"
        if previous is not None:
            previous.superseded_by = post_id
            self.world.posts.changed(previous)
        post = self.add_post(
            account,
            post_id,
            body.text,
            created_at=now,
            kind=kind,
            url=f"https://x.com/{account.username}/status/{post_id}",
            media=[medium.shown() for medium in media],
            note=" · ".join(body.poll.options) if body.poll else None,
            edits=len(history) - 1,
            detail=detail,
        )
        self._by_words[_words(post)] = post
        return post


def _check_text(account: Account, body: CreatePost) -> None:
    if not body.text.strip() and body.media is None:
        raise invalid("text is missing.", text=[body.text])
    limit = PREMIUM_LENGTH if account.premium else FREE_LENGTH
    if is_long(body.text) and weight(body.text) > limit:
        raise invalid(f"Your Tweet text is too long: the limit is {limit} weighted characters.", text=[])
