"""The embed of a post's record: its media or link card, and the post that it quotes."""

from typing import Any

from domain.post import Media, MediaType
from platforms.base import Draft, PublishContext
from platforms.bluesky.media import Blobs
from platforms.bluesky.settings import BlueskySettings

POST = "post"
"""The name of the first post in the handles; the further posts of the thread are named by their index."""
CARD = "card"
"""The name of the link card's picture in the handles."""


def card_picture(draft: Draft[BlueskySettings]) -> tuple[Media, ...]:
    """Return the picture of the link card, if it has one."""
    address = draft.settings.card_thumbnail
    return (Media(type=MediaType.IMAGE, url=address),) if address else ()


def build_embed(blobs: Blobs, context: PublishContext[BlueskySettings]) -> dict[str, Any] | None:
    """Return the embed of the post itself; source: lexicons app.bsky.embed.external, record and recordWithMedia."""
    embed = blobs.embed(POST, context.draft.media) or _card(blobs, context.draft)
    if not context.draft.settings.quote_post_id:
        return embed
    quoted = {"$type": "app.bsky.embed.record", "record": context.handles["references"]["quote"]}
    return {"$type": "app.bsky.embed.recordWithMedia", "record": quoted, "media": embed} if embed else quoted


def _card(blobs: Blobs, draft: Draft[BlueskySettings]) -> dict[str, Any] | None:
    card = draft.settings.link_card
    if card is None:
        return None
    external: dict[str, Any] = {"uri": card.url, "title": card.title, "description": card.description}
    if picture := card_picture(draft):
        external["thumb"] = blobs.uploaded(CARD, picture)[0]["blob"]
    return {"$type": "app.bsky.embed.external", "external": external}
