"""The request fields of a post's containers on Threads."""

import json

from domain.post import Media, MediaType
from platforms.meta.containers import Built
from platforms.meta.graph import Fields
from platforms.threads.settings import ThreadsSettings


def item_fields(media: tuple[Media, ...]) -> list[Fields]:
    """Return the fields that make the containers of a carousel's items; an empty list for every other form."""
    return [{"is_carousel_item": "true", **_content((item,), [])} for item in media] if len(media) > 1 else []


def post_fields(text: str, media: tuple[Media, ...], more: Fields) -> Built:
    """Return the function that makes the fields of the published container, once its items are finished."""
    content = {"text": text} if text else {}
    return lambda items: {**_content(media, items), **content, **more}


def root_fields(settings: ThreadsSettings) -> Fields:
    """Return the further fields of a thread's first post, besides its text and media."""
    poll = settings.poll
    fields = {
        "reply_control": settings.reply_control,
        "topic_tag": settings.topic_tag,
        "quote_post_id": settings.quote_post_id,
        "reply_to_id": settings.reply_to_id,
        "link_attachment": settings.link_attachment,
        "poll_attachment": json.dumps(
            {f"option_{letter}": option for letter, option in zip("abcd", poll.options, strict=False)}
        )
        if poll
        else None,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _content(media: tuple[Media, ...], items: list[str]) -> Fields:
    if not media:
        return {"media_type": "TEXT"}
    if items:
        return {"media_type": "CAROUSEL", "children": ",".join(items)}
    [item] = media
    video = item.type is MediaType.VIDEO
    described = {"alt_text": item.alt_text} if item.alt_text else {}
    return {
        "media_type": "VIDEO" if video else "IMAGE",
        "video_url" if video else "image_url": item.url,
        **described,
    }
