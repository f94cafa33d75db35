"""The request bodies that make a post on LinkedIn."""

from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from domain.post import MediaType
from platforms.base import Draft
from platforms.linkedin.little import little
from platforms.linkedin.media import THUMBNAIL, Uploads
from platforms.linkedin.settings import LinkedInSettings


def post_body(draft: Draft[LinkedInSettings], author: str, uploads: Uploads) -> dict[str, Any]:
    """Return the body of the request that makes the post; source: LinkedIn's page on the Posts API."""
    body: dict[str, Any] = {
        "author": author,
        "commentary": little(draft.text),
        "visibility": draft.settings.visibility,
        "distribution": {"feedDistribution": "MAIN_FEED", "targetEntities": [], "thirdPartyDistributionChannels": []},
        "lifecycleState": "PUBLISHED",
        "isReshareDisabledByAuthor": False,
    }
    if content := _content(draft, uploads):
        body["content"] = content
    return body


def _content(draft: Draft[LinkedInSettings], uploads: Uploads) -> dict[str, Any]:
    settings, media = draft.settings, draft.media
    if len(media) > 1:
        return {
            "multiImage": {"images": [_image(uploads.urn(str(at)), item.alt_text) for at, item in enumerate(media)]}
        }
    if media and media[0].type is MediaType.DOCUMENT:
        file = PurePosixPath(unquote(urlsplit(media[0].url).path)).name
        return {"media": {"id": uploads.urn("0"), "title": settings.document_title or file or "Document"}}
    if media:
        return {"media": _image(uploads.urn("0"), media[0].alt_text)}
    if settings.poll:
        poll = settings.poll
        options = [{"text": option} for option in poll.options]
        return {"poll": {"question": poll.question, "options": options, "settings": {"duration": poll.duration}}}
    if settings.article is None or settings.disable_link_preview:
        return {}
    card = settings.article.model_dump(include={"source", "title", "description"}, exclude_none=True)
    return {"article": {**card, "thumbnail": uploads.urn(THUMBNAIL)} if settings.article.thumbnail else card}


def _image(urn: str, alt_text: str | None) -> dict[str, str]:
    return {"id": urn, "altText": alt_text} if alt_text else {"id": urn}
