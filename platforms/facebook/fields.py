"""The request fields that make a post on Facebook; the names are those of Meta's description of each edge."""

import json
from typing import Any

from platforms.base import Draft
from platforms.facebook.rules import FacebookPostType
from platforms.facebook.settings import FacebookSettings
from platforms.meta.graph import Fields


def feed_fields(draft: Draft[FacebookSettings], photos: list[str]) -> Fields:
    """Return the fields that make a post of text, link or uploaded photos."""
    fields = _without_empty({"message": draft.text, "link": draft.settings.link})
    fields |= {f"attached_media[{index}]": json.dumps({"media_fbid": photo}) for index, photo in enumerate(photos)}
    if draft.settings.draft:
        fields |= {"published": "false", "unpublished_content_type": "DRAFT"}
    return fields


def finish_fields(draft: Draft[FacebookSettings], post_type: FacebookPostType, video: dict[str, Any]) -> Fields:
    """Return the fields that make an uploaded video public."""
    settings = draft.settings
    if post_type is FacebookPostType.VIDEO_STORY:
        return {"upload_phase": "finish", "video_id": video["id"]}
    fields = {"upload_phase": "finish", **_without_empty({"description": draft.text, "title": settings.title})}
    if post_type is FacebookPostType.REEL:
        state = "DRAFT" if settings.draft else "PUBLISHED"
        return {**fields, "video_id": video["id"], "video_state": state}
    fields["upload_session_id"] = video["session"]
    if settings.draft:
        return {**fields, "published": "false", "unpublished_content_type": "DRAFT"}
    return {**fields, "published": "true"}


def _without_empty(fields: dict[str, str | None]) -> Fields:
    return {name: value for name, value in fields.items() if value}
