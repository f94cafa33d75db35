"""The content of a target's row, as its platform gets it."""

from typing import Any

from domain.content import merge_settings
from domain.post import Media, media_in_effect, text_in_effect
from store.models import Post, Target


def content_to_send(post: Post, target: Target) -> tuple[str, list[Media], dict[str, Any]]:
    """Return text, media and settings of a target."""
    own_media = None if target.custom_media is None else [Media.model_validate(item) for item in target.custom_media]
    return (
        text_in_effect(post.content, target.custom_content),
        media_in_effect([Media.model_validate(item) for item in post.media_items], own_media),
        merge_settings(target.platform, target.settings, post.tiktok_settings, post.facebook_settings),
    )
