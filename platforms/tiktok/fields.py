"""The request bodies that make a post on TikTok."""

from typing import Any

from platforms.base import Draft
from platforms.tiktok.rules import is_video, photo_title
from platforms.tiktok.settings import TikTokSettings

Json = dict[str, Any]


def video_body(draft: Draft[TikTokSettings], creator: dict[str, Any], source: Json) -> Json:
    """Return the body that begins a video; in the app's inbox a person chooses everything but the file."""
    if draft.settings.draft:
        return {"source_info": source}
    settings = draft.settings
    info = {
        "title": draft.text,
        **_audience(draft, creator),
        "disable_duet": not settings.allow_duet or bool(creator.get("duet_disabled")),
        "disable_stitch": not settings.allow_stitch or bool(creator.get("stitch_disabled")),
        "is_aigc": settings.video_made_with_ai,
    }
    if settings.video_cover_timestamp_ms is not None:
        info["video_cover_timestamp_ms"] = settings.video_cover_timestamp_ms
    return {"post_info": info, "source_info": source}


def photo_body(draft: Draft[TikTokSettings], creator: dict[str, Any]) -> Json:
    """Return the body that makes a post of photos, which TikTok fetches itself."""
    settings = draft.settings
    info: Json = {"description": settings.description or draft.text}
    if settings.description:
        info["title"] = photo_title(draft.text)
    if not settings.draft:
        info |= _audience(draft, creator)
        if settings.auto_add_music is not None:
            info["auto_add_music"] = settings.auto_add_music
    return {
        "media_type": "PHOTO",
        "post_mode": "MEDIA_UPLOAD" if settings.draft else "DIRECT_POST",
        "post_info": info,
        "source_info": {
            "source": "PULL_FROM_URL",
            "photo_images": [item.url for item in draft.media],
            "photo_cover_index": settings.photo_cover_index or 0,
        },
    }


def caption_text(draft: Draft[TikTokSettings]) -> str:
    """Return the text by which the post is recognised among the account's others."""
    return draft.text if is_video(draft) else draft.settings.description or draft.text


def _audience(draft: Draft[TikTokSettings], creator: dict[str, Any]) -> Json:
    settings = draft.settings
    kind = settings.commercial_content_type
    return {
        "privacy_level": settings.privacy_level,
        "disable_comment": not settings.allow_comment or bool(creator.get("comment_disabled")),
        "brand_content_toggle": settings.brand_partner_promote or kind == "brand_content",
        "brand_organic_toggle": settings.is_brand_organic_post or kind == "brand_organic",
    }
