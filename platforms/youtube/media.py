"""The upload of a video to YouTube by one resumable session, which yields one video at most, however often it resumes.

Anyone who knows the session's address can continue the upload, so it is as secret as the handles that contain it.
"""

from collections.abc import Iterator
from typing import Any

from platforms.base import Draft
from platforms.errors import ErrorKind, PlatformError, require_same, unreadable
from platforms.files import MediaFile
from platforms.http.body import FileBody
from platforms.http.wire import json_object
from platforms.steps.matching import Likeness, likeness
from platforms.youtube.access import YouTubeConnection, YouTubeContext, send
from platforms.youtube.rules import YouTubeSettings, video_title

PARTS = "snippet,status"


def video_body(draft: Draft[YouTubeSettings]) -> dict[str, Any]:
    """Return the body that describes a video."""
    settings = draft.settings
    snippet: dict[str, Any] = {
        "title": video_title(draft),
        "description": draft.text,
        "categoryId": settings.category_id,
    }
    if settings.tags:
        snippet["tags"] = settings.tags
    status: dict[str, Any] = {
        "privacyStatus": settings.visibility,
        "selfDeclaredMadeForKids": settings.made_for_kids,
    }
    if settings.contains_synthetic_media is not None:
        status["containsSyntheticMedia"] = settings.contains_synthetic_media
    return {"snippet": snippet, "status": status}


def playlist_item(playlist_id: str, video_id: str) -> dict[str, Any]:
    """Return the body that adds a video to a playlist."""
    video = {"kind": "youtube#video", "videoId": video_id}
    return {"snippet": {"playlistId": playlist_id, "resourceId": video}}


def caption_track(video_id: str, language: str, name: str) -> dict[str, Any]:
    """Return the description of captions that are added to a video."""
    return {"snippet": {"videoId": video_id, "language": language, "name": name}}


def comment_thread(channel_id: str, video_id: str, text: str) -> dict[str, Any]:
    """Return the body that adds a comment to a video."""
    comment = {"snippet": {"textOriginal": text}}
    return {"snippet": {"channelId": channel_id, "videoId": video_id, "topLevelComment": comment}}


PIECE_BYTES = 8 * 1024 * 1024
"""A multiple of 256 KiB, which the size of every piece but the last must be."""
INCOMPLETE = 308
_GONE = {404, 410}


class SessionGoneError(Exception):
    """Error: YouTube does not know the session any more."""


class Upload:
    """The upload of one video."""

    def __init__(self, connection: YouTubeConnection, context: YouTubeContext) -> None:
        self._connection = connection
        self._context = context
        self._handles = context.handles

    @property
    def session(self) -> dict[str, Any] | None:
        """Return the session: its address, the video's size, whether the last piece was sent."""
        return self._handles.get("session")

    @property
    def video_id(self) -> str | None:
        """Return the id of the video that the session has yielded."""
        return self._handles.get("video")

    async def forget(self) -> None:
        """Drop the session."""
        self._handles.pop("session", None)
        await self._save()

    async def probe(self) -> int:
        """Ask how many bytes YouTube has; set `video_id` if it has all. Raises SessionGoneError, PlatformError."""
        headers = {"Content-Length": "0", "Content-Range": f"bytes */{self._known['size']}"}
        return await self._put(headers, b"")

    async def prepare(self) -> None:
        """Begin the session, or continue it, up to the last piece."""
        offset = 0
        if self.session is not None:
            try:
                offset = await self.probe()
            except SessionGoneError:
                await self.forget()
            else:
                if self.video_id or offset >= self._last_begins:
                    return
        async with self._context.media.open(self._context.draft.media[0]) as file:
            if self.session is None or self.session["size"] != file.size:
                await self._begin(file)
                offset = 0
            for start, piece in _pieces(file, offset):
                if start + piece.size >= file.size:
                    return
                await self._send(start, piece)

    async def finish(self) -> None:
        """Send the missing bytes; the last piece makes the video. Raises PlatformError, SessionGoneError."""
        offset = await self.probe()
        if self.video_id:
            return
        async with self._context.media.open(self._context.draft.media[0]) as file:
            if file.size != self._known["size"]:
                await self.forget()
                raise PlatformError(
                    ErrorKind.TRANSIENT, "The video has changed since its upload began.", code="changed"
                )
            for start, piece in _pieces(file, offset):
                is_last = start + piece.size >= file.size
                if is_last:
                    # Noted before it is sent: from now on a session that is gone may have yielded its video.
                    self._known["last"] = True
                    await self._save()
                await self._send(start, piece, public=is_last)
        if self.video_id is None:
            raise PlatformError(ErrorKind.UNCONFIRMED, "YouTube took the video without naming it.", code="no_id")

    @property
    def _known(self) -> dict[str, Any]:
        if self.session is None:
            raise PlatformError(ErrorKind.TRANSIENT, "YouTube must be given the video again.", code="no_session")
        return self.session

    @property
    def _last_begins(self) -> int:
        size: int = self._known["size"]
        return max(size - 1, 0) // PIECE_BYTES * PIECE_BYTES

    async def _begin(self, file: MediaFile) -> None:
        if not file.content_type.startswith("video/"):
            raise PlatformError(
                ErrorKind.REJECTED, f"YouTube takes no {file.content_type}, only videos.", code="media_type"
            )
        answer = await send(
            self._connection,
            "POST",
            "/upload/youtube/v3/videos",
            params={"uploadType": "resumable", "part": PARTS},
            headers={"X-Upload-Content-Length": str(file.size), "X-Upload-Content-Type": file.content_type},
            json=video_body(self._context.draft),
        )
        if not (address := answer.headers.get("location")):
            raise PlatformError(ErrorKind.TRANSIENT, "YouTube began no upload.", code="unreadable_answer")
        self._handles["session"] = {"url": address, "size": file.size, "type": file.content_type}
        await self._save()

    async def _send(self, start: int, piece: MediaFile, *, public: bool = False) -> None:
        end, body = start + piece.size, FileBody(piece)
        headers = {
            "Content-Type": self._known["type"],
            "Content-Range": f"bytes {start}-{end - 1}/{self._known['size']}",
        }
        stored = await self._put(headers, body, public=public)
        self._context.heartbeat(f"{stored * 100 // max(self._known['size'], 1)}%")
        if self.video_id is None and (stored != end or public):
            # YouTube kept fewer bytes than it was sent, so the next attempt continues where it stopped.
            raise PlatformError(ErrorKind.TRANSIENT, "YouTube wants other bytes of the video.", code="upload_offset")

    async def _put(self, headers: dict[str, str], content: bytes | FileBody, *, public: bool = False) -> int:
        """Return how many bytes YouTube has; if it has all of them, there is a video."""
        try:
            answer = await send(
                self._connection,
                "PUT",
                self._known["url"],
                headers=headers,
                content=content,
                public=public,
                accept=(INCOMPLETE,),
            )
        except PlatformError as error:
            if error.status in _GONE:
                raise SessionGoneError from error
            if error.kind is ErrorKind.REJECTED:
                # The session yielded no video, so the next attempt must start again.
                await self.forget()
            raise
        if answer.status_code == INCOMPLETE:
            return _stored(answer.headers.get("range", ""))
        video = json_object(answer).get("id")
        if not video:
            kind = ErrorKind.UNCONFIRMED if public else ErrorKind.TRANSIENT
            raise PlatformError(kind, "YouTube took the video without naming it.", code="no_id")
        snippet = json_object(answer).get("snippet") or {}
        require_same("YouTube", snippet.get("channelId"), self._connection.account.user_id, public=public)
        if likeness(snippet.get("title"), video_title(self._context.draft)) is Likeness.OTHER and "title" in snippet:
            raise unreadable("YouTube", public=public)
        self._handles["video"] = str(video)
        await self._save()
        return int(self._known["size"])

    async def _save(self) -> None:
        await self._context.save(self._handles)


def _stored(written: str) -> int:
    """Return the number of bytes in a Range header; 0 if there is none."""
    last = written.rpartition("-")[2]
    return int(last) + 1 if last.isdecimal() else 0


def _pieces(file: MediaFile, offset: int) -> Iterator[tuple[int, MediaFile]]:
    """Yield the pieces of a file from an offset on, each with its own offset."""
    while offset < file.size:
        length = PIECE_BYTES - offset % PIECE_BYTES
        yield offset, file.part(offset, length)
        offset += length
