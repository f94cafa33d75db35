"""Uploads of media to an account's server as blobs.

Videos of accounts that Bluesky itself hosts go through its video service, which makes them playable before the post is
public.
"""

import asyncio
import re
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx

from domain.post import Media, MediaType
from platforms.base import Draft
from platforms.bluesky import errors
from platforms.bluesky.identity import read_document, server_in
from platforms.bluesky.rules import MOST_IN_A_ROW, RULES, BlueskyConnection, BlueskyContext, BlueskySettings
from platforms.bluesky.session import call, open_session
from platforms.errors import ErrorKind, PlatformError, unreadable
from platforms.files import MediaFile, ShrinksPictures
from platforms.http.body import FileBody
from platforms.http.wire import json_object

POST = "post"
"""The name of the first post in the handles; the further posts of the thread are named by their index."""
CARD = "card"
"""The name of the link card's picture in the handles."""


VIDEO_SERVICE = "https://video.bsky.app"
TOKEN_LIFETIME = timedelta(minutes=30)
"""How long a token for the video service is valid; source: Bluesky's guide to videos."""

_HOSTED = (".bsky.social", ".bsky.network")


def is_hosted(connection: BlueskyConnection) -> bool:
    """Return whether Bluesky itself hosts the account."""
    host = urlsplit(connection.credentials.service).hostname or ""
    return f".{host}".endswith(_HOSTED)


async def check_limits(connection: BlueskyConnection, size: int) -> None:
    """Raise PlatformError if the account may not upload a video of `size` bytes now.

    If the service does not respond, the video is uploaded anyway: the upload is refused for the same reasons. Source:
    lexicon app.bsky.video.getUploadLimits.
    """
    service = urlsplit(VIDEO_SERVICE).netloc
    try:
        token = await _token(connection, f"did:web:{service}", "app.bsky.video.getUploadLimits")
        headers = {"Authorization": f"Bearer {token}"}
        answer = await connection.wire.send("GET", _address(connection, "getUploadLimits"), headers=headers)
    except PlatformError:
        return
    limits = json_object(answer)
    if limits.get("canUpload") is False:
        raise errors.read_video_error(answer)
    if _is_below(limits.get("remainingDailyVideos"), 1) or _is_below(limits.get("remainingDailyBytes"), size):
        raise errors.video_day_used_up()


async def upload_video(connection: BlueskyConnection, body: FileBody, content_type: str) -> Mapping[str, Any]:
    """Upload a video to the service; return the state of the job that processes it. Raises PlatformError."""
    did = await open_session(connection)
    token = await _token(connection, f"did:web:{await _host(connection, did)}", "com.atproto.repo.uploadBlob")
    answer = await connection.wire.send(
        "POST",
        _address(connection, "uploadVideo"),
        params={"did": did, "name": f"{secrets.token_hex(12)}.mp4"},
        headers={"Authorization": f"Bearer {token}", "Content-Type": content_type, **body.headers},
        content=body,
        # The service words its own errors, and a video that was uploaded before is answered 409 with its job.
        accept=range(400, 500),
    )
    job = _job_in(answer)
    if job.get("jobId"):
        return job
    if answer.is_error or job.get("error"):
        raise errors.read_video_error(answer)
    raise unreadable("Bluesky")


async def read_job(connection: BlueskyConnection, job_id: str) -> Mapping[str, Any]:
    """Return the state of a job. Raises PlatformError."""
    return _job_in(await connection.wire.send("GET", _address(connection, "getJobStatus"), params={"jobId": job_id}))


async def _token(connection: BlueskyConnection, audience: str, method: str) -> str:
    allowed = {"aud": audience, "lxm": method, "exp": str(int((datetime.now(UTC) + TOKEN_LIFETIME).timestamp()))}
    answer = await call(connection, "GET", "com.atproto.server.getServiceAuth", params=allowed)
    return str(answer.get("token"))


async def _host(connection: BlueskyConnection, did: str) -> str:
    """Return the host of the account, to which the service uploads the video: a session need not name it."""
    if connection.credentials.pds:
        return connection.credentials.pds
    try:
        endpoint = server_in(await read_document(connection, did), did)
    except PlatformError:
        endpoint = None
    return urlsplit(endpoint or connection.credentials.service).netloc


def _address(connection: BlueskyConnection, method: str) -> str:
    # If this platform's requests are redirected to another host (a sandbox), those to the video service are, too.
    service = VIDEO_SERVICE if connection.wire.base_url == connection.credentials.service else connection.wire.base_url
    return f"{service}/xrpc/app.bsky.video.{method}"


def _job_in(answer: httpx.Response) -> Mapping[str, Any]:
    """Return the state of a job, which may be wrapped in `jobStatus`."""
    body = json_object(answer)
    wrapped = body.get("jobStatus")
    return wrapped if isinstance(wrapped, dict) else body


def _is_below(remaining: object, needed: int) -> bool:
    return isinstance(remaining, int) and not isinstance(remaining, bool) and remaining < needed


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

    def __init__(self, connection: BlueskyConnection, context: BlueskyContext) -> None:
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
        return is_hosted(self._connection) and self._context.handles.get(LOST, 0) <= MOST_LOST

    async def _start_job(self, name: str, known: Handle, file: MediaFile) -> None:
        await check_limits(self._connection, file.size)
        status = await upload_video(self._connection, self._body(file), file.content_type)
        known["job"] = status["jobId"]
        await self._is_processed(name, known, status)

    async def _finish_job(self, name: str, known: Handle) -> None:
        for pause in CHECK_PAUSES:
            await asyncio.sleep(pause)
            status = await read_job(self._connection, known["job"])
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


def card_picture(draft: Draft[BlueskySettings]) -> tuple[Media, ...]:
    """Return the picture of the link card, if it has one."""
    address = draft.settings.card_thumbnail
    return (Media(type=MediaType.IMAGE, url=address),) if address else ()


def build_embed(blobs: Blobs, context: BlueskyContext) -> dict[str, Any] | None:
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
