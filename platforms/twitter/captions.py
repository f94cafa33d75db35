"""Captions of a post's video on X, which are added once the post is public.

They may be added before or after it; source: X's reference of POST media/subtitles/create. After it, a refusal costs
the post nothing.
"""

from functools import partial
from typing import Any

from domain.post import Media, MediaType
from platforms.base import PublishContext
from platforms.files import MediaFile
from platforms.http.multipart import FilePart, MultipartForm
from platforms.http.wire import segment
from platforms.steps.captions import add_each, video_unknown
from platforms.twitter.connection import TwitterConnection, call, require_object
from platforms.twitter.media import media_id
from platforms.twitter.settings import Subtitles, TwitterSettings

_TYPES = {"application/x-subrip": "text/srt", "text/vtt": "text/vtt"}
"""X's names of types; source: X API v2 OpenAPI document, InitializeMediaUploadRequest."""


async def add_captions(connection: TwitterConnection, context: PublishContext[TwitterSettings]) -> list[str]:
    """Add each file of captions once; return warnings about those that X did not take.

    Raises PlatformError of a retryable kind: the call may be repeated.
    """
    return await add_each(connection, context, context.draft.settings.captions, partial(_add, connection, context))


async def _add(connection: TwitterConnection, context: PublishContext[TwitterSettings], caption: Subtitles) -> None:
    async with context.media.open(Media(type=MediaType.DOCUMENT, url=caption.url)) as file:
        track = await _upload(connection, file)
    body = association(_video_id(context), track, caption)
    await call(connection, "POST", "/2/media/subtitles", json=body)


async def _upload(connection: TwitterConnection, file: MediaFile) -> str:
    """Upload a file in one piece, and return its id. X's guide wants the requests of large files for it."""
    begin = {"media_type": _TYPES[file.content_type], "total_bytes": file.size, "media_category": "subtitles"}
    track: str = require_object(await call(connection, "POST", "/2/media/upload/initialize", json=begin))["id"]
    form = MultipartForm({"segment_index": "0"}, [FilePart("media", "captions", file)])
    await call(connection, "POST", f"/2/media/upload/{segment(track)}/append", form=form)
    await call(connection, "POST", f"/2/media/upload/{segment(track)}/finalize")
    return track


def association(video_id: str, track: str, caption: Subtitles) -> dict[str, Any]:
    """Return the body that adds captions; source: X API v2 OpenAPI document, CreateMediaSubtitlesRequest."""
    named = {"display_name": caption.name} if caption.name else {}
    subtitles = {"id": track, "language_code": caption.language.upper(), **named}
    return {"id": video_id, "media_category": "TweetVideo", "subtitles": subtitles}


def _video_id(context: PublishContext[TwitterSettings]) -> str:
    position = [item.type for item in context.draft.media].index(MediaType.VIDEO)
    if video_id := media_id(context.handles, position):
        return video_id
    raise video_unknown("X")
