"""Captions of a video on a Page, which are added once it is public."""

from functools import partial

from domain.post import Media, MediaType
from platforms.base import PublishContext
from platforms.errors import ErrorKind, PlatformError
from platforms.facebook.connection import GRAPH, FacebookConnection
from platforms.facebook.settings import FacebookSettings, VideoCaption
from platforms.http.multipart import FilePart
from platforms.http.wire import segment
from platforms.steps.captions import add_each, video_unknown


async def add_captions(connection: FacebookConnection, context: PublishContext[FacebookSettings]) -> list[str]:
    """Add each file of captions once; return warnings about those that Facebook did not take.

    Raises PlatformError of a retryable kind: the call may be repeated.
    """
    return await add_each(connection, context, context.draft.settings.captions, partial(_add, connection, context))


def file_name(caption: VideoCaption) -> str:
    """Return the name by which Facebook knows the language (restfb/restfb#871)."""
    language, region = caption.language.replace("_", "-").split("-")
    return f"captions.{language}_{region}.srt"


async def _add(
    connection: FacebookConnection, context: PublishContext[FacebookSettings], caption: VideoCaption
) -> None:
    video_id = context.handles.get("video", {}).get("id")
    if video_id is None:
        raise video_unknown("Facebook")
    path = f"/{segment(video_id)}/captions"
    async with context.media.open(Media(type=MediaType.DOCUMENT, url=caption.url)) as file:
        part = FilePart("captions_file", file_name(caption), file)
        answer = await GRAPH.post_file(connection, path, {}, part)
    if answer.get("success") is False:
        raise PlatformError(ErrorKind.REJECTED, "Facebook did not take the file.", code="media_refused")
