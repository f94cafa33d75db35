"""Uploads of media to an account's server as blobs.

Videos of accounts that Bluesky itself hosts go through its video service, which makes them playable before the post is
public.
"""

import asyncio
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from domain.post import Media, MediaType
from platforms.base import PublishContext
from platforms.bluesky import errors, video
from platforms.bluesky.connection import BlueskyConnection, call
from platforms.bluesky.rules import MOST_IN_A_ROW, RULES
from platforms.bluesky.settings import BlueskySettings
from platforms.errors import ErrorKind, PlatformError, unreadable
from platforms.files import MediaFile, ShrinksPictures
from platforms.http.body import FileBody

BLOB_LIFETIME = timedelta(minutes=5)
"""How long an uploaded blob may wait for its record. Servers delete unused ones after minutes (lexicon
com.atproto.repo.uploadBlob); the number is unverified. The same bytes uploaded again are the same blob."""
CHECK_PAUSES = (0, 1, 2)
"""Seconds before each check of a video in one step."""
NEXT_CHECK = timedelta(seconds=5)
MOST_FAILURES = 2
"""How often a video is uploaded again after Bluesky failed on it for no fault of the video; our choice."""

LOST = "lostBlobs"
"""The count, in the handles, of how often the server had lost the uploaded blobs."""
MOST_BYTES = "mostBytes"
"""The most bytes of a picture, in the handles, that the server has named in a refusal of the record."""
_NAMED_MAXIMUM = re.compile(r"\bblob too big \(maximum ([0-9]{4,9})\b")
"""Source: a refusal of @atproto/pds 0.4.217, whose lexicons allow half of what today's do."""
MOST_LOST = 1
"""After so many losses a video is uploaded to the server itself, because the service would name the same blob again."""

_AT_FAULT = {
    "validation_failure": "Bluesky does not take this video.",
    "encoding_failure": "Bluesky could not convert the video.",
    "pds_upload_unsupported_blob_size": "The video is too large for the account's server.",
}
"""Source: lexicon app.bsky.video.defs, failureCode; the other codes are no fault of the video."""

Handle = dict[str, Any]
"""One item as it is stored: url, blob, time of the upload (at) and size in pixels; of a video in work its job."""


class Blobs:
    """The uploads of one post and of the thread after it."""

    def __init__(self, connection: BlueskyConnection, context: PublishContext[BlueskySettings]) -> None:
        self._connection = connection
        self._context = context
        self._known: dict[str, Handle] = context.handles.setdefault("media", {})

    async def upload(self, part: str, media: tuple[Media, ...]) -> None:
        """Upload the media of one post of the thread. Raises PlatformError: `not_ready` while a video is processed."""
        if MOST_BYTES in self._context.handles and isinstance(self._context.media, ShrinksPictures):
            self._context.media.shrink_to(self._context.handles[MOST_BYTES])
        for index, item in enumerate(media):
            name = f"{part}.{index}"
            known = self._known.get(name, {})
            if known.get("url") != item.url or (known.get("blob") and _age(known) > BLOB_LIFETIME):
                known = {"url": item.url, "failures": known.get("failures", 0)}
                self._known[name] = known
            if not known.get("blob"):
                await self._upload(name, known, item)

    async def refused(self, error: PlatformError) -> PlatformError:
        """Return what a refusal of a record means for its blobs: pictures that are too large are sent once more."""
        if error.code == errors.BLOB_GONE:
            await self.forget()
        named, handles = _NAMED_MAXIMUM.search(error.message), self._context.handles
        blobs = [known.get("blob") or {} for known in self._known.values()]
        shrinks = any(str(blob.get("mimeType")).startswith("image/") for blob in blobs)
        if error.kind is not ErrorKind.REJECTED or not named or not shrinks or MOST_BYTES in handles:
            return error
        handles[MOST_BYTES] = int(named[1])
        self._known.clear()
        await self._save()
        message = "This Bluesky server takes smaller pictures only. They are made smaller and sent again."
        return PlatformError(ErrorKind.TRANSIENT, message, code="no_blob", status=error.status)

    async def forget(self) -> None:
        """Forget the blobs, which the server no longer has."""
        self._known.clear()
        self._context.handles[LOST] = self._context.handles.get(LOST, 0) + 1
        await self._save()

    def embed(self, part: str, media: tuple[Media, ...]) -> dict[str, Any] | None:
        """Return the embed that shows the uploaded media in a record."""
        if not media:
            return None
        shown = self.uploaded(part, media)
        if media[0].type is MediaType.VIDEO:
            alt = {"alt": media[0].alt_text} if media[0].alt_text else {}
            return {"$type": "app.bsky.embed.video", "video": shown[0]["blob"], **alt, **_ratio(shown[0])}
        images = [
            {"image": known["blob"], "alt": item.alt_text or "", **_ratio(known)}
            for known, item in zip(shown, media, strict=True)
        ]
        if len(images) <= MOST_IN_A_ROW:
            return {"$type": "app.bsky.embed.images", "images": images}
        # Every picture of a gallery must have an aspect ratio; one that was not measured is shown as a square.
        items = [
            {"$type": "app.bsky.embed.gallery#image", "aspectRatio": {"width": 1, "height": 1}, **image}
            for image in images
        ]
        return {"$type": "app.bsky.embed.gallery", "items": items}

    def uploaded(self, part: str, media: tuple[Media, ...]) -> list[Handle]:
        """Return the uploads of one post's media. Raises PlatformError if one is missing."""
        shown = [self._known.get(f"{part}.{index}", {}) for index in range(len(media))]
        if not all(known.get("blob") for known in shown):
            raise PlatformError(ErrorKind.TRANSIENT, "Bluesky must be given the media again.", code="no_blob")
        return shown

    async def _upload(self, name: str, known: Handle, item: Media) -> None:
        if "job" not in known:
            async with self._context.media.open(item) as file:
                _check(item, file)
                known |= {"width": file.width, "height": file.height}
                if item.type is MediaType.VIDEO and self._uses_service():
                    await self._start_job(name, known, file)
                else:
                    body = self._body(file)
                    headers = {"Content-Type": file.content_type, **body.headers}
                    answer = await call(
                        self._connection,
                        "POST",
                        "com.atproto.repo.uploadBlob",
                        headers=headers,
                        content=body,
                    )
                    await self._save_blob(known, answer.get("blob"))
        if "job" in known:
            await self._finish_job(name, known)

    def _uses_service(self) -> bool:
        return video.is_hosted(self._connection) and self._context.handles.get(LOST, 0) <= MOST_LOST

    async def _start_job(self, name: str, known: Handle, file: MediaFile) -> None:
        await video.check_limits(self._connection, file.size)
        status = await video.upload(self._connection, self._body(file), file.content_type)
        known["job"] = status["jobId"]
        await self._is_processed(name, known, status)

    async def _finish_job(self, name: str, known: Handle) -> None:
        for pause in CHECK_PAUSES:
            await asyncio.sleep(pause)
            status = await video.job(self._connection, known["job"])
            self._context.heartbeat(f"processing {status.get('progress', 0)}%")
            if await self._is_processed(name, known, status):
                return
        message = "Bluesky is still processing the video."
        raise PlatformError(ErrorKind.NOT_READY, message, code="video_in_progress", retry_after=NEXT_CHECK)

    async def _is_processed(self, name: str, known: Handle, status: Mapping[str, Any]) -> bool:
        """Store a job's state; return whether it is done. Raises PlatformError if it failed."""
        if status.get("blob"):
            del known["job"]
            await self._save_blob(known, status["blob"])
            return True
        if status.get("state") != "JOB_STATE_FAILED":
            await self._save()
            return False
        del known["job"]
        known["failures"] = known.get("failures", 0) + 1
        await self._save()
        code = str(status.get("failureCode") or "generic_failure")
        if sentence := _AT_FAULT.get(code):
            raise PlatformError(ErrorKind.REJECTED, sentence, code=code)
        error = PlatformError(ErrorKind.TRANSIENT, "Bluesky failed while processing the video.", code=code)
        raise error.as_rejected() if known["failures"] > MOST_FAILURES else error

    async def _save_blob(self, known: Handle, blob: object) -> None:
        if not isinstance(blob, dict) or not blob:
            raise unreadable("Bluesky")
        known |= {"blob": blob, "at": datetime.now(UTC).isoformat()}
        await self._save()

    def _body(self, file: MediaFile) -> FileBody:
        return FileBody(file, lambda sent: self._context.heartbeat(f"uploading {sent * 100 // file.size}%"))

    async def _save(self) -> None:
        await self._context.save(self._context.handles)


def _ratio(known: Handle) -> dict[str, Any]:
    if not known.get("width") or not known.get("height"):
        return {}
    return {"aspectRatio": {"width": known["width"], "height": known["height"]}}


def _age(known: Handle) -> timedelta:
    return datetime.now(UTC) - datetime.fromisoformat(known["at"])


def _check(item: Media, file: MediaFile) -> None:
    """Reject what a record cannot hold; otherwise the server would say so only when the post is due."""
    [rule] = [rule for rule in RULES.files if rule.kind is item.type]
    if file.content_type not in rule.types:
        message = f"Bluesky takes no {file.content_type}; it takes {', '.join(rule.types)}."
        raise PlatformError(ErrorKind.REJECTED, message, code="media_type")
    if rule.max_bytes and file.size > rule.max_bytes:
        message = f"Bluesky takes {item.type}s of up to {rule.max_bytes:,} bytes; this has {file.size:,}."
        raise PlatformError(ErrorKind.REJECTED, message, code="media_too_large")
