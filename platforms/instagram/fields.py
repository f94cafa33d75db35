"""The request fields of a post's containers on Instagram."""

import json
from collections.abc import Mapping

from domain.post import MediaType
from platforms.base import Draft
from platforms.instagram.rules import InstagramPostType, choose_post_type
from platforms.instagram.settings import InstagramSettings
from platforms.meta.graph import Fields


def item_fields(draft: Draft[InstagramSettings]) -> list[Fields]:
    """Return the fields that make the containers of a carousel's items; an empty list for every other form."""
    return (
        [_fields_of_one_item(draft, index) for index in range(len(draft.media))]
        if choose_post_type(draft) is InstagramPostType.CAROUSEL
        else []
    )


def _fields_of_one_item(draft: Draft[InstagramSettings], index: int) -> Fields:
    video = draft.media[index].type is MediaType.VIDEO
    # Whether Instagram wants a type for a carousel's video is unverified; working publishers send VIDEO.
    return _encode({"is_carousel_item": True, "media_type": "VIDEO" if video else None, **_media(draft, index)})


def post_fields(draft: Draft[InstagramSettings], items: list[str]) -> Fields:
    """Return the fields of the container that is published; `items` are a carousel's finished items."""
    settings = draft.settings
    # In a carousel only the container that is published takes this; source: Instagram's changelog of June 22, 2026.
    label = {"is_ai_generated": settings.is_ai_generated}
    caption = {
        **label,
        "caption": draft.text or None,
        "collaborators": settings.collaborators or None,
        "location_id": settings.location_id,
    }
    match choose_post_type(draft):
        case InstagramPostType.IMAGE:
            return _encode({**_media(draft, 0), **caption})
        case InstagramPostType.CAROUSEL:
            return _encode({"media_type": "CAROUSEL", "children": ",".join(items), **caption})
        case InstagramPostType.STORY:
            return _encode({"media_type": "STORIES", **_media(draft, 0), **label, "alt_text": None})
        case InstagramPostType.REEL:
            trial = settings.trial_params
            return _encode(
                {
                    "media_type": "REELS",
                    **_media(draft, 0),
                    **caption,
                    "share_to_feed": settings.share_to_feed,
                    "audio_name": settings.audio_name,
                    "thumb_offset": settings.thumb_offset,
                    "cover_url": settings.instagram_thumbnail or settings.reel_cover,
                    "trial_params": {"graduation_strategy": trial.graduation_strategy} if trial else None,
                }
            )


def _media(draft: Draft[InstagramSettings], index: int) -> dict[str, object]:
    item = draft.media[index]
    video = item.type is MediaType.VIDEO
    # A tag on a video has no position, and only images take an alt text.
    tags = [
        tag.model_dump(include={"username"} if video else {"username", "x", "y"}, exclude_none=True)
        for tag in draft.settings.user_tags
        if tag.media_index == index
    ]
    return {
        "video_url" if video else "image_url": item.url,
        "alt_text": None if video else item.alt_text,
        "user_tags": tags or None,
    }


def _encode(fields: Mapping[str, object]) -> Fields:
    return {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in fields.items()
        if value is not None
    }
