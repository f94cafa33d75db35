"""The one request that makes a post on X public, the same for a post and for those of its thread."""

from typing import Any

from platforms.base import Draft, PublishContext
from platforms.errors import ErrorKind, PlatformError
from platforms.twitter.connection import TwitterConnection, call, require_object
from platforms.twitter.media import media_ids
from platforms.twitter.settings import TwitterSettings


async def send(connection: TwitterConnection, context: PublishContext[TwitterSettings]) -> str:
    """Make the post and return its id. Raises PlatformError, `unconfirmed` if it may have been made."""
    body = post_body(context.draft, media_ids(context.handles) if context.draft.media else [])
    try:
        answer = await call(connection, "POST", "/2/tweets", public=True, json=body)
    except PlatformError as error:
        if error.kind is ErrorKind.REJECTED and "media" in error.message.lower():
            # X does not accept these uploads, so the next attempt must upload again.
            context.handles.pop("media", None)
            await context.save(context.handles)
        raise
    post_id: str = require_object(answer, public=True)["id"]
    return post_id


def post_body(draft: Draft[TwitterSettings], uploads: list[str]) -> dict[str, Any]:
    """Return the body of the request that makes the post; source: X API v2 OpenAPI document, CreatePostsRequest."""
    settings = draft.settings
    body: dict[str, Any] = {"text": draft.text} if draft.text or not uploads else {}
    if uploads:
        body["media"] = {"media_ids": uploads}
    if settings.reply_to_tweet_id:
        body["reply"] = {"in_reply_to_tweet_id": settings.reply_to_tweet_id}
    if settings.quote_tweet_id:
        body["quote_tweet_id"] = settings.quote_tweet_id
    if settings.reply_settings:
        body["reply_settings"] = settings.reply_settings
    if settings.poll:
        body["poll"] = {"options": settings.poll.options, "duration_minutes": settings.poll.duration_minutes}
    return body
