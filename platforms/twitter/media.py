"""Uploads of a post's media to X, and captions of its video, which are added once the post is public."""

import asyncio
import time
from datetime import timedelta
from enum import StrEnum
from functools import partial
from typing import Any

import httpx

from domain.post import Media, MediaType
from platforms.errors import ErrorKind, PlatformError
from platforms.files import MediaFile
from platforms.http.multipart import FilePart, MultipartForm
from platforms.http.untrusted import wait
from platforms.http.wire import segment
from platforms.steps.follow_up import add_each, video_unknown
from platforms.twitter.access import TwitterConnection, TwitterContext, call, require_object
from platforms.twitter.rules import MEGABYTE, Subtitles, file_rules

PIECE_BYTES, SMALL_PIECE_BYTES = 4 * 1024 * 1024, 1024 * 1024
"""X's guide allows up to 5 MB a piece; sometimes its servers answer 413 to that, and accept smaller ones."""
MOST_PIECES = 10_000
"""Source: X's guide to chunked uploads, segment_index."""
LIFETIME_LEFT = 300
"""Seconds for which an upload must still be valid to be used; our choice."""
UNNAMED_LIFETIME = 86_400
"""Seconds for which an upload is valid if X does not say; source: the examples in X's guide to chunked uploads."""
EARLIEST_CHECK = 1
"""The shortest time in seconds between checks of what X processes."""

Handle = dict[str, Any]
"""One item's upload as it is stored: url, stage, id, key, expiresAt (Unix seconds); for pieces also size and number."""


class Stage(StrEnum):
    """The progress of an upload."""

    SENDING = "sending"
    PROCESSING = "processing"
    TAKEN = "taken"
    READY = "ready"


def media_ids(handles: dict[str, Any]) -> list[str]:
    """Return the ids of the uploaded media in the order of the draft."""
    uploads: dict[str, Handle] = handles.get("media", {})
    return [uploads[name]["id"] for name in sorted(uploads, key=int)]


def media_id(handles: dict[str, Any], position: int) -> str | None:
    """Return the id of the uploaded item at a position of the draft; None if it is not known."""
    upload: Handle = handles.get("media", {}).get(str(position), {})
    return upload.get("id")


def media_keys(handles: dict[str, Any]) -> set[str]:
    """Return the names under which X shows the uploaded media on a post."""
    return {upload["key"] for upload in handles.get("media", {}).values() if upload.get("key")}


def are_valid(handles: dict[str, Any]) -> bool:
    """Return whether a post may still name all the uploaded media."""
    return all(upload.get("expiresAt", 0) > time.time() for upload in handles.get("media", {}).values())


class Uploads:
    """The uploads of one post."""

    def __init__(self, connection: TwitterConnection, context: TwitterContext) -> None:
        self._connection = connection
        self._context = context
        self._known: dict[str, Handle] = context.handles.setdefault("media", {})
        self._saving = asyncio.Lock()

    async def run(self) -> None:
        """Upload every item until a post may use it; the rules allow at most four, so all are uploaded in parallel.

        Raises PlatformError: `not_ready` while X processes one.
        """
        items = self._context.draft.media
        for name in [name for name in self._known if int(name) >= len(items)]:
            del self._known[name]
        # If one item fails, the others still finish, so that the next attempt finds them.
        outcomes = await asyncio.gather(
            *(self._upload(str(index), item) for index, item in enumerate(items)), return_exceptions=True
        )
        failures = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        for failure in sorted(failures, key=lambda error: getattr(error, "kind", None) is ErrorKind.NOT_READY):
            raise failure

    async def _upload(self, name: str, item: Media) -> None:
        upload = self._known.get(name, {})
        is_continued = upload.get("url") == item.url and upload.get("expiresAt", 0) > time.time() + LIFETIME_LEFT
        if not is_continued:
            upload = self._known[name] = {"url": item.url}
        try:
            await self._continue_upload(upload, item)
        except PlatformError as error:
            if error.kind is not ErrorKind.REJECTED:
                raise
            # X refused the stored upload, so it is forgotten. If there is a next attempt, it uploads again.
            self._known.pop(name, None)
            await self._save()
            if is_continued:
                raise PlatformError(ErrorKind.TRANSIENT, error.message, code=error.code, status=error.status) from error
            raise

    async def _continue_upload(self, upload: Handle, item: Media) -> None:
        if upload.get("stage") in {None, Stage.SENDING}:
            async with self._context.media.open(item) as file:
                _check(item, file, premium=self._connection.account.premium)
                await (self._whole(upload, file) if item.type is MediaType.IMAGE else self._pieces(upload, item, file))
        if upload["stage"] == Stage.PROCESSING:
            query = {"command": "STATUS", "media_id": upload["id"]}
            await self._save_report(upload, await call(self._connection, "GET", "/2/media/upload", params=query))
        if upload["stage"] == Stage.TAKEN:
            # X documents alt text for images and GIFs only, and a refused call costs money, too.
            if item.alt_text and item.type is not MediaType.VIDEO:
                described = {"id": upload["id"], "metadata": {"alt_text": {"text": item.alt_text}}}
                await call(self._connection, "POST", "/2/media/metadata", json=described)
            upload["stage"] = Stage.READY
            await self._save()

    async def _whole(self, upload: Handle, file: MediaFile) -> None:
        form = MultipartForm({"media_category": "tweet_image"}, [FilePart("media", "image", file)])
        await self._save_report(upload, await call(self._connection, "POST", "/2/media/upload", content=form))

    async def _pieces(self, upload: Handle, item: Media, file: MediaFile) -> None:
        if upload.get("size") != file.size:
            begin = {"media_type": file.content_type, "total_bytes": file.size, "media_category": self._category(item)}
            self._record(upload, await call(self._connection, "POST", "/2/media/upload/initialize", json=begin))
            upload |= {"stage": Stage.SENDING, "size": file.size, "pieces": 0}
            await self._save()
        size = upload.get("pieceBytes", PIECE_BYTES)
        for index, start in enumerate(range(0, file.size, size)):
            if index < upload["pieces"]:
                continue
            await self._append(upload, index, file.part(start, size))
            upload["pieces"] = index + 1
            await self._save()
            self._context.heartbeat(f"{min(upload['pieces'] * size, file.size):,} of {file.size:,} bytes")
        await self._save_report(
            upload, await call(self._connection, "POST", f"/2/media/upload/{segment(upload['id'])}/finalize")
        )

    async def _append(self, upload: Handle, index: int, piece: MediaFile) -> None:
        form = MultipartForm({"segment_index": str(index)}, [FilePart("media", "piece", piece)])
        try:
            await call(self._connection, "POST", f"/2/media/upload/{segment(upload['id'])}/append", content=form)
        except PlatformError as error:
            if error.status != httpx.codes.REQUEST_ENTITY_TOO_LARGE or "pieceBytes" in upload:
                raise
            # The upload begins again with smaller pieces, because X counts them by their index.
            upload["pieceBytes"] = max(SMALL_PIECE_BYTES, -(-upload["size"] // MOST_PIECES))
            upload.pop("size", None)
            await self._save()
            raise PlatformError(
                ErrorKind.TRANSIENT, "X wants smaller pieces of the file.", code="smaller_pieces"
            ) from error

    def _category(self, item: Media) -> str:
        if item.type is MediaType.GIF:
            return "tweet_gif"
        return "tweet_video"

    async def _save_report(self, upload: Handle, answer: dict[str, Any]) -> None:
        """Store what X reports of a complete upload. Raises PlatformError: `not_ready` while X processes it."""
        processing = self._record(upload, answer).get("processing_info") or {}
        state = processing.get("state", "succeeded")
        if state == "failed":
            raise PlatformError(ErrorKind.REJECTED, "X could not process the media.", code="media_processing_failed")
        upload["stage"] = Stage.TAKEN if state == "succeeded" else Stage.PROCESSING
        await self._save()
        if state != "succeeded":
            soonest = timedelta(seconds=EARLIEST_CHECK)
            check_after = max(wait(processing.get("check_after_secs")) or soonest, soonest)
            raise PlatformError(
                ErrorKind.NOT_READY, "X is still processing the media.", code=f"media_{state}", retry_after=check_after
            )

    def _record(self, upload: Handle, answer: dict[str, Any]) -> dict[str, Any]:
        data = require_object(answer)
        upload["id"] = data["id"]
        upload["key"] = data.get("media_key") or upload.get("key")
        if lifetime := wait(data.get("expires_after_secs")):
            upload["expiresAt"] = int(time.time() + lifetime.total_seconds())
        else:
            upload.setdefault("expiresAt", int(time.time() + UNNAMED_LIFETIME))
        return data

    async def _save(self) -> None:
        async with self._saving:
            await self._context.save(self._context.handles)


def _check(item: Media, file: MediaFile, *, premium: bool) -> None:
    [rule] = [rule for rule in file_rules(premium=premium) if rule.kind is item.type]
    if file.content_type not in rule.types:
        known = ", ".join(rule.types)
        message = f"X accepts no {file.content_type} if the media type is {item.type}; it accepts {known}."
        raise PlatformError(ErrorKind.REJECTED, message, code="media_type")
    if rule.max_bytes is not None and file.size > rule.max_bytes:
        message = (
            f"X takes {item.type}s of up to {rule.max_bytes // MEGABYTE:,} MB; this has {file.size / MEGABYTE:,.2f} MB."
        )
        raise PlatformError(ErrorKind.REJECTED, message, code="media_too_large")


_TYPES = {"application/x-subrip": "text/srt", "text/vtt": "text/vtt"}
"""X's names of types; source: X API v2 OpenAPI document, InitializeMediaUploadRequest."""


async def add_captions(connection: TwitterConnection, context: TwitterContext) -> list[str]:
    """Add each file of captions once; return warnings about those that X did not take.

    Raises PlatformError of a retryable kind: the call may be repeated.
    """
    return await add_each(connection, context, context.draft.settings.captions, partial(_add, connection, context))


async def _add(connection: TwitterConnection, context: TwitterContext, caption: Subtitles) -> None:
    async with context.media.open(Media(type=MediaType.DOCUMENT, url=caption.url)) as file:
        track = await _upload(connection, file)
    body = association(_video_id(context), track, caption)
    await call(connection, "POST", "/2/media/subtitles", json=body)


async def _upload(connection: TwitterConnection, file: MediaFile) -> str:
    """Upload a file in one piece, and return its id. X's guide wants the requests of large files for it."""
    begin = {"media_type": _TYPES[file.content_type], "total_bytes": file.size, "media_category": "subtitles"}
    track: str = require_object(await call(connection, "POST", "/2/media/upload/initialize", json=begin))["id"]
    form = MultipartForm({"segment_index": "0"}, [FilePart("media", "captions", file)])
    await call(connection, "POST", f"/2/media/upload/{segment(track)}/append", content=form)
    await call(connection, "POST", f"/2/media/upload/{segment(track)}/finalize")
    return track


def association(video_id: str, track: str, caption: Subtitles) -> dict[str, Any]:
    """Return the body that adds captions; source: X API v2 OpenAPI document, CreateMediaSubtitlesRequest."""
    named = {"display_name": caption.name} if caption.name else {}
    subtitles = {"id": track, "language_code": caption.language.upper(), **named}
    return {"id": video_id, "media_category": "TweetVideo", "subtitles": subtitles}


def _video_id(context: TwitterContext) -> str:
    position = [item.type for item in context.draft.media].index(MediaType.VIDEO)
    if video_id := media_id(context.handles, position):
        return video_id
    raise video_unknown("X")
