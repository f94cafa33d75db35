"""A target's post as it would be sent to its platform."""

import hashlib
import json
from typing import Any

from pydantic import ValidationError

from domain.content import merge_settings
from domain.post import Media, media_in_effect, text_in_effect
from platforms.base import AnyPlatform, Draft
from platforms.errors import ErrorKind, PlatformError
from store.models import Post, Target


def draft_of(platform: AnyPlatform, post: Post, target: Target) -> Draft[Any]:
    """Return a target's post as it would be sent. Raises PlatformError(rejected) for settings that no longer parse."""
    settings = merge_settings(target.platform, target.settings, post.tiktok_settings, post.facebook_settings)
    try:
        parsed = platform.settings.model_validate(settings)
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors(include_input=False)[0]["loc"])
        raise PlatformError(
            ErrorKind.REJECTED, f"{platform.label} does not take the setting {where}.", code="invalid_settings"
        ) from error
    own_media = None if target.custom_media is None else [Media.model_validate(item) for item in target.custom_media]
    media = media_in_effect([Media.model_validate(item) for item in post.media_items], own_media)
    return Draft(text_in_effect(post.content, target.custom_content), tuple(media), parsed)


def fingerprint(draft: Draft[Any]) -> str:
    """Return 16 hexadecimal digits that differ for drafts that differ."""
    parts = [draft.text, [item.model_dump() for item in draft.media], draft.settings.model_dump(mode="json")]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]
