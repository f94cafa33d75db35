"""The request bodies that make a pin on Pinterest."""

from typing import Any

from platforms.base import Draft
from platforms.pinterest import rules
from platforms.pinterest.settings import PinterestSettings


def pin_body(draft: Draft[PinterestSettings], media_id: str | None) -> dict[str, Any]:
    """Return the body of the request that makes the pin; source: Pinterest's OpenAPI document v5, PinCreate."""
    settings = draft.settings
    body = {
        "board_id": settings.board_id,
        "board_section_id": settings.board_section_id,
        "title": settings.title,
        "description": draft.text or None,
        "alt_text": rules.joined_alt_text(draft),
        "link": settings.link,
        "media_source": _media_source(draft, media_id),
    }
    return {name: value for name, value in body.items() if value is not None}


def _media_source(draft: Draft[PinterestSettings], media_id: str | None) -> dict[str, Any]:
    settings = draft.settings
    if media_id is not None:
        cover: dict[str, Any] = {"cover_image_key_frame_time": settings.cover_image_key_frame_time or 0}
        if settings.cover_image_url:
            cover = {"cover_image_url": settings.cover_image_url}
        return {"source_type": "video_id", "media_id": media_id, **cover}
    if len(draft.media) > 1:
        return {"source_type": "multiple_image_urls", "items": [{"url": item.url} for item in draft.media], "index": 0}
    return {"source_type": "image_url", "url": draft.media[0].url}
