"""The steps after an upload: thumbnail, captions, playlist, first comment, each done once, and the video's state."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from domain.post import Media, MediaType
from platforms.base import PublishContext
from platforms.errors import ErrorKind, PlatformError
from platforms.http.body import FileBody
from platforms.http.multipart import RelatedBody
from platforms.steps.captions import add_each
from platforms.steps.follow_up import FIRST_COMMENT, run_once
from platforms.youtube.connection import YouTubeConnection, read, send
from platforms.youtube.fields import caption_track, comment_thread, playlist_item
from platforms.youtube.settings import Caption, YouTubeSettings

NEXT_CHECK = timedelta(minutes=1)
"""The interval of checks whether a video is processed; each costs one unit of the day's quota."""

_EXISTS = "captionExists"
"""YouTube's reason if a video has captions of this language and name; general knowledge, unverified."""
_REASONS = {
    "codec": "it cannot read its codec",
    "conversion": "it cannot convert it",
    "emptyFile": "the file is empty",
    "invalidFile": "it cannot read the file",
    "tooSmall": "the file is too small",
    "claim": "somebody claims its rights",
    "copyright": "of a copyright",
    "duplicate": "it was uploaded before",
    "inappropriate": "it finds it inappropriate",
    "legal": "of the law",
    "length": "it is too long for this channel",
    "termsOfUse": "of its terms of use",
    "trademark": "of a trademark",
    "uploaderAccountClosed": "the channel was closed",
    "uploaderAccountSuspended": "the channel was suspended",
}


class Extras:
    """The steps that are possible only once the video is uploaded."""

    def __init__(self, connection: YouTubeConnection, context: PublishContext[YouTubeSettings], video_id: str) -> None:
        self._connection = connection
        self._context = context
        self._video_id = video_id

    async def run(self) -> str | None:
        """Run the steps; return a warning for what could not be done. Raises PlatformError of a retryable kind.

        The thumbnail comes last: YouTube answers 200 and drops the thumbnail of a Short that it is still processing.
        """
        settings = self._context.draft.settings
        warnings = [
            await self._once(settings.playlist_id, "playlist entry", self._playlist),
            await self._once(settings.first_comment, FIRST_COMMENT, self._comment),
            *await add_each(self._connection, self._context, settings.captions, self._caption),
            await self._verdict(),
            await self._once(settings.thumbnail, "thumbnail", self._thumbnail),
        ]
        return " ".join(filter(None, warnings)) or None

    async def _once(self, setting: str | None, name: str, step: Callable[[], Awaitable[None]]) -> str | None:
        return await run_once(self._connection, self._context, name, step) if setting else None

    async def _thumbnail(self) -> None:
        media = Media(type=MediaType.IMAGE, url=self._context.draft.settings.thumbnail or "")
        async with self._context.media.open(media) as file:
            await send(
                self._connection,
                "POST",
                "/upload/youtube/v3/thumbnails/set",
                params={"videoId": self._video_id, "uploadType": "media"},
                headers={"Content-Type": file.content_type, **FileBody(file).headers},
                content=FileBody(file),
            )

    async def _caption(self, caption: Caption) -> None:
        """Add captions; a repeat after a lost answer finds them there."""
        async with self._context.media.open(Media(type=MediaType.DOCUMENT, url=caption.url)) as file:
            body = RelatedBody(caption_track(self._video_id, caption.language, caption.name), file)
            try:
                await send(
                    self._connection,
                    "POST",
                    "/upload/youtube/v3/captions",
                    params={"part": "snippet", "uploadType": "multipart"},
                    headers=body.headers,
                    content=body,
                )
            except PlatformError as error:
                if error.code != _EXISTS:
                    raise

    async def _playlist(self) -> None:
        await self._insert(
            "playlistItems", playlist_item(self._context.draft.settings.playlist_id or "", self._video_id)
        )

    async def _comment(self) -> None:
        text = self._context.draft.settings.first_comment or ""
        await self._insert("commentThreads", comment_thread(self._connection.account.user_id, self._video_id, text))

    async def _insert(self, resource: str, body: dict[str, Any]) -> None:
        path = f"/youtube/v3/{resource}"
        await send(self._connection, "POST", path, params={"part": "snippet"}, json=body, public=True)

    async def _verdict(self) -> str | None:
        """Return a warning if the video failed. Raises PlatformError, `not_ready` while YouTube processes it."""
        videos = await read(self._connection, "videos", part="status", id=self._video_id)
        if not videos:
            return "YouTube does not find the video any more: it was deleted or removed."
        status: dict[str, Any] = videos[0].get("status") or {}
        asked, shown = self._context.draft.settings.visibility, status.get("privacyStatus")
        match status.get("uploadStatus"):
            case "uploaded":
                message = "YouTube is still processing the video."
                raise PlatformError(ErrorKind.NOT_READY, message, code="processing", retry_after=NEXT_CHECK)
            case "failed" | "rejected":
                reason = str(status.get("failureReason") or status.get("rejectionReason") or "")
                return f"YouTube does not show the video because {_REASONS.get(reason, 'it could not process it')}."
        if shown and shown != asked:
            return f"YouTube made the video {shown} instead of {asked}. Look into the channel's settings and limits."
        return None
