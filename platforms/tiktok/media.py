"""The upload of a video to TikTok in chunks. `prepare` sends all but the last; the last one publishes the video."""

import time
from typing import Any

from platforms.base import PublishContext
from platforms.errors import ErrorKind, PlatformError
from platforms.files import MediaFile
from platforms.http.body import FileBody
from platforms.tiktok.connection import TikTokConnection, call
from platforms.tiktok.fields import video_body
from platforms.tiktok.rules import RULES
from platforms.tiktok.settings import TikTokSettings
from platforms.tiktok.status import PublishVerdict

CHUNK_BYTES = 10_000_000
"""TikTok takes chunks of 5 to 64 MB, and a last one of up to 128 MB; our last has less than two of these."""
LIFETIME = 55 * 60
"""Seconds; an upload's address is valid for an hour."""

LONGEST = "max_video_post_duration_sec"
"""TikTok's field for the creator's own limit."""
_GONE = {403, 404, 410}


class Upload:
    """The upload of one video, kept in the handles with its publish_id, which identifies it at TikTok."""

    def __init__(self, connection: TikTokConnection, context: PublishContext[TikTokSettings]) -> None:
        self._connection = connection
        self._context = context

    @property
    def known(self) -> dict[str, Any] | None:
        """Return the stored upload, if there is one."""
        return self._context.handles.get("upload")

    async def forget(self) -> None:
        """Drop the upload, which can no longer publish anything."""
        self._context.handles.pop("upload", None)
        await self._save()

    async def prepare(self, creator: dict[str, Any]) -> None:
        """Begin the upload, or continue it, up to its last chunk."""
        if self.known is not None and self.known.get("last"):
            return
        if self.known is not None and self.known["expiresAt"] < time.time():
            await self.forget()
        if self.known is not None and self.known["sent"] == self.known["count"] - 1:
            return
        async with self._context.media.open(self._context.draft.media[0]) as file:
            _check_length(file, creator)
            if self.known is None or self.known["size"] != file.size:
                await self._begin(file, creator)
            await self._send_up_to_the_last(file)

    async def finish(self) -> None:
        """Send the last chunk. TikTok then processes and publishes the video. Raises PlatformError."""
        if self.known is None:
            raise PlatformError(ErrorKind.TRANSIENT, "TikTok must be given the video again.", code="no_upload")
        upload = self.known
        async with self._context.media.open(self._context.draft.media[0]) as file:
            if file.size != upload["size"]:
                await self.forget()
                raise PlatformError(
                    ErrorKind.TRANSIENT, "The video has changed since its upload began.", code="changed"
                )
            start = (upload["count"] - 1) * upload["chunk"]
            # Noted before it is sent: after a crash, the next attempt must ask TikTok first.
            upload["last"] = True
            await self._save()
            try:
                await self._put(upload, start, file.part(start, file.size), public=True)
            except PlatformError as error:
                if error.status == 416:
                    # TikTok has these bytes already, or wants others; its status shows which.
                    raise error.as_unconfirmed() from error
                raise

    async def _begin(self, file: MediaFile, creator: dict[str, Any]) -> None:
        [_, rule] = RULES.files
        if file.content_type not in rule.types:
            raise PlatformError(
                ErrorKind.REJECTED, f"TikTok takes no {file.content_type} as a video.", code="media_type"
            )
        count = max(file.size // CHUNK_BYTES, 1)
        chunk = CHUNK_BYTES if count > 1 else file.size
        source = {"source": "FILE_UPLOAD", "video_size": file.size, "chunk_size": chunk, "total_chunk_count": count}
        inbox = "inbox/" if self._context.draft.settings.draft else ""
        body = video_body(self._context.draft, creator, source)
        data = await call(self._connection, f"/v2/post/publish/{inbox}video/init/", body)
        if not data.get("publish_id") or not data.get("upload_url"):
            raise PlatformError(ErrorKind.TRANSIENT, "TikTok began no upload.", code="unreadable_answer")
        self._context.handles["upload"] = {
            "publishId": data["publish_id"],
            "url": data["upload_url"],
            "type": file.content_type,
            "size": file.size,
            "chunk": chunk,
            "count": count,
            "sent": 0,
            "expiresAt": int(time.time()) + LIFETIME,
        }
        await self._save()

    async def _send_up_to_the_last(self, file: MediaFile) -> None:
        upload = self._context.handles["upload"]
        for index in range(upload["sent"], upload["count"] - 1):
            start = index * upload["chunk"]
            await self._put(upload, start, file.part(start, upload["chunk"]))
            upload["sent"] = index + 1
            await self._save()
            self._context.heartbeat(f"{upload['sent'] * 100 // upload['count']}%")

    async def _put(self, upload: dict[str, Any], start: int, piece: MediaFile, *, public: bool = False) -> None:
        body = FileBody(piece)
        headers = {
            "Content-Type": upload["type"],
            "Content-Range": f"bytes {start}-{start + piece.size - 1}/{upload['size']}",
            **body.headers,
        }
        try:
            await self._connection.wire.send("PUT", upload["url"], public=public, headers=headers, content=body)
        except PlatformError as error:
            if error.status == 416 and not public and await self._has_received(start + piece.size):
                # The chunk has arrived before, and the response to it was lost.
                return
            if error.status in _GONE and public and not PublishVerdict(self._connection, self._context).has_settled():
                # The last chunk may have arrived before. TikTok's status shows that, but lags, so it must not be
                # trusted too soon.
                raise error.as_unconfirmed() from error
            if error.status in _GONE or (error.status == 416 and not public):
                await self.forget()
                message = "TikTok must be given the video again."
                raise PlatformError(ErrorKind.TRANSIENT, message, code=error.code, status=error.status) from error
            raise

    async def _has_received(self, size: int) -> bool:
        uploaded = (await PublishVerdict(self._connection, self._context).status()).uploaded
        return uploaded is not None and uploaded >= size

    async def _save(self) -> None:
        await self._context.save(self._context.handles)


def _check_length(file: MediaFile, creator: dict[str, Any]) -> None:
    """Reject a video that is too long for this creator before it is uploaded. Raises PlatformError."""
    longest = creator.get(LONGEST)
    if isinstance(longest, int | float) and file.seconds is not None and file.seconds > longest:
        message = (
            f"TikTok lets this account publish videos of up to {longest:,g} seconds; this has {file.seconds:,.0f}."
        )
        raise PlatformError(ErrorKind.REJECTED, message, code="duration_check_failed")
