"""Publishing to X: upload media, make the post by one request and each post of its thread by one, confirm, edit."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from platforms.access.oauth import RenewsByRefreshToken
from platforms.base import (
    AccountFacts,
    ApiVersion,
    Draft,
    Finding,
    Handles,
    Identity,
    Platform,
    PublishContext,
    Published,
)
from platforms.capabilities import Editable
from platforms.errors import PlatformError
from platforms.rules import FileRule
from platforms.steps.thread import ended_early
from platforms.twitter import edits, errors, lookup, posts, rules, thread
from platforms.twitter.access import ENDPOINT, TOKENS
from platforms.twitter.captions import add_captions
from platforms.twitter.connection import TwitterConnection, call, require_object
from platforms.twitter.media import Uploads
from platforms.twitter.settings import TwitterCredentials, TwitterSettings


class Twitter(
    Platform[TwitterSettings, TwitterCredentials],
    Editable[TwitterSettings, TwitterCredentials],
    RenewsByRefreshToken[TwitterCredentials],
):
    """X's API v2, for user accounts."""

    name = "twitter"
    label = "X"
    base_url = "https://api.x.com"
    api = ApiVersion("v2")
    account_prefix = "tw"
    request_id_header = errors.REQUEST_ID_HEADER
    # X promises no consistency; the number is our choice. X refuses a repeat of the same text in any case.
    read_lag = timedelta(seconds=45)
    finds_without_handles = True
    # X's changelog of 2025-10-03. Its page on edits says 30 minutes, so each edit asks for the post's own time first.
    edit_window = timedelta(hours=1)
    strips_metadata = True  # general knowledge, unverified
    read_error = staticmethod(errors.read_error)
    quota_in = staticmethod(errors.quota_in)
    refusals = errors.REFUSALS
    broken_rules = staticmethod(rules.check)
    cautions = staticmethod(rules.cautions)
    covers = {"captions": rules.CAPTIONS}  # noqa: RUF012
    rules = rules.RULES
    settings = TwitterSettings
    credentials = TwitterCredentials
    tokens = TOKENS
    token_endpoint = ENDPOINT

    def file_rules(self, draft: Draft[TwitterSettings], account: AccountFacts) -> tuple[FileRule, ...]:
        """Return the rules of files, which are wider for a long video."""
        return rules.file_rules(premium=account.premium)

    def prepares(self, draft: Draft[TwitterSettings]) -> bool:
        """Return whether there are media to upload, in the post or in the thread after it."""
        return bool(draft.media) or any(item.media for item in draft.settings.thread_items)

    async def whoami(self, connection: TwitterConnection) -> Identity:
        """Ask X whose token this is, and whether the account pays for X Premium."""
        query = {"user.fields": "username,verified_type,subscription_type"}
        user = require_object(await call(connection, "GET", "/2/users/me", params=query))
        return Identity(user["id"], str(user.get("username", "")), _is_premium(user))

    async def prepare(self, connection: TwitterConnection, context: PublishContext[TwitterSettings]) -> None:
        """Upload and describe the media, including those of the thread. Repeatable: continues from the handles."""
        await Uploads(connection, context).run()
        await thread.upload(connection, context)

    async def publish(self, connection: TwitterConnection, context: PublishContext[TwitterSettings]) -> Published:
        """Make the post. `editable_until` stays unknown, which means an hour: asking for it would cost another read."""
        return lookup.published(await posts.send(connection, context))

    async def confirm_sent(
        self, connection: TwitterConnection, context: PublishContext[TwitterSettings], sent_at: datetime
    ) -> Finding:
        """Look for the post on the account's timeline."""
        return await lookup.find(connection, context, sent_at)

    async def complete(
        self, connection: TwitterConnection, context: PublishContext[TwitterSettings], published: Published
    ) -> Published:
        """Make the thread that follows, each post a reply to the one before, then add the captions. Repeatable."""
        threaded = await self._follow(connection, context, published)
        warnings = [threaded.warning, *await add_captions(connection, context)]
        return replace(threaded, warning=" ".join(filter(None, warnings)) or None)

    async def _follow(
        self, connection: TwitterConnection, context: PublishContext[TwitterSettings], published: Published
    ) -> Published:
        parent = published.platform_post_id
        for number in range(len(context.draft.settings.thread_items)):
            try:
                parent = await thread.follow(connection, context, number, parent, self.read_lag)
            except PlatformError as error:
                return ended_early(published, number, error)
        return published

    async def edit(self, connection: TwitterConnection, published: Published, text: str, handles: Handles) -> Published:
        """Replace the text; the new version has a new id, and the same media."""
        return await edits.edit(connection, published, text, handles)

    async def confirm_edit(self, connection: TwitterConnection, published: Published, text: str) -> Finding:
        """Look among the versions of the post for the new text."""
        return await edits.confirm(connection, published, text)


def _is_premium(user: dict[str, Any]) -> bool:
    plan = user.get("subscription_type")
    if plan is not None:
        return str(plan).lower() not in {"", "none"}
    # A blue check mark comes with a paid plan; organisations have other marks.
    return user.get("verified_type") == "blue"
