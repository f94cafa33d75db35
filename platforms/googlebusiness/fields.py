"""The request bodies that make a post on Google."""

from typing import Any

from platforms.base import Draft
from platforms.googlebusiness.settings import GoogleBusinessSettings

DEFAULT_LANGUAGE = "en"
"""Whether Google accepts a post without a language is unverified."""


def post_body(draft: Draft[GoogleBusinessSettings], language: str | None = None) -> dict[str, Any]:
    """Return the body of the request that makes the post; source: the page of localPosts, LocalPost.

    `language` is the account's, for posts that name none.
    """
    settings = draft.settings
    body: dict[str, Any] = {
        "languageCode": settings.language_code or language or DEFAULT_LANGUAGE,
        "summary": draft.text,
        "topicType": settings.topic,
    }
    if settings.call_to_action:
        button = {"actionType": settings.call_to_action.type, "url": settings.call_to_action.url}
        body["callToAction"] = {name: value for name, value in button.items() if value}
    if settings.event:
        body["event"] = settings.event.model_dump(by_alias=True)
    if settings.offer:
        body["offer"] = settings.offer.model_dump(by_alias=True, exclude_none=True)
    if draft.media:
        body["media"] = [{"mediaFormat": "PHOTO", "sourceUrl": item.url} for item in draft.media]
    return body
