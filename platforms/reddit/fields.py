"""The request bodies that make a post on Reddit."""

from typing import Any

from platforms.base import PublishContext
from platforms.reddit.media import uploads
from platforms.reddit.rules import RedditPostType, choose_post_type, title_and_text
from platforms.reddit.settings import RedditSettings


def submit_fields(context: PublishContext[RedditSettings]) -> dict[str, str]:
    """Return the form that makes a post; source: github.com/praw-dev/praw, Subreddit.submit."""
    draft, (title, text) = context.draft, title_and_text(context.draft)
    settings, post_type = draft.settings, choose_post_type(draft)
    fields = {
        "api_type": "json",
        "extension": "json",
        "sr": settings.subreddit,
        "title": title,
        "kind": str(post_type),
        # Reddit refuses a link that the subreddit has already, so that a repeat makes no duplicate.
        "resubmit": "false",
        "sendreplies": _flag(settings.send_replies),
        "nsfw": _flag(settings.nsfw),
        "spoiler": _flag(settings.spoiler),
        "validate_on_submit": "true",
    }
    if settings.flair_id:
        fields["flair_id"] = settings.flair_id
    if post_type is RedditPostType.LINK and settings.url:
        fields["url"] = settings.url
    if post_type is RedditPostType.IMAGE:
        fields["url"] = uploads(context)[0]["url"]
    if text or post_type is RedditPostType.SELF:
        fields["text"] = text
    return fields


def gallery_body(context: PublishContext[RedditSettings]) -> dict[str, Any]:
    """Return the body that makes a gallery; source: github.com/praw-dev/praw, Subreddit.submit."""
    settings, (title, text) = context.draft.settings, title_and_text(context.draft)
    body: dict[str, Any] = {
        "api_type": "json",
        "show_error_list": True,
        "sr": settings.subreddit,
        "title": title,
        "items": [{"caption": "", "outbound_url": "", "media_id": item["assetId"]} for item in uploads(context)],
        "sendreplies": settings.send_replies,
        "nsfw": settings.nsfw,
        "spoiler": settings.spoiler,
        "validate_on_submit": True,
    }
    if settings.flair_id:
        body["flair_id"] = settings.flair_id
    if text:
        body["text"] = text
    return body


def _flag(value: bool) -> str:
    return "true" if value else "false"
