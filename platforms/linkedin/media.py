"""Uploads of a post's media to LinkedIn, and the request bodies that make a post of them."""

import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

import httpx

from domain.post import Media, MediaType
from platforms.access.oauth import bearer
from platforms.base import Draft
from platforms.errors import ErrorKind, PlatformError
from platforms.files import MediaFile
from platforms.http.body import FileBody
from platforms.http.wire import json_object, segment
from platforms.linkedin.access import LinkedInConnection, LinkedInContext, call
from platforms.linkedin.errors import MEDIA_WAIT
from platforms.linkedin.rules import LinkedInSettings, little

GRACE = timedelta(seconds=20)
"""How long images and documents of members may be processed, because their state can be read for pages only. Working
publishers wait up to 20 seconds. If LinkedIn then refuses the post because media are not ready, it is sent again."""
THUMBNAIL = "thumbnail"
"""The name under which an article's picture is stored; media items are stored by their index."""

_EDGE = {
    MediaType.IMAGE: "images",
    MediaType.GIF: "images",
    MediaType.VIDEO: "videos",
    MediaType.DOCUMENT: "documents",
}

Handle = dict[str, Any]
"""One item's upload as it is stored: url, author, stage, urn, uploadedAt (Unix seconds); for videos also size, parts
(address and length of each), expiresAt (Unix seconds), token and etags."""


class Stage(StrEnum):
    """The progress of an upload."""

    SENDING = "sending"
    PROCESSING = "processing"
    READY = "ready"


class Uploads:
    """The uploads of one post; at LinkedIn they belong to the author of the post."""

    def __init__(self, connection: LinkedInConnection, context: LinkedInContext, author: str) -> None:
        self._connection = connection
        self._context = context
        self._author = author
        self._known: dict[str, Handle] = context.handles.setdefault("media", {})

    def urn(self, name: str) -> str:
        """Return LinkedIn's URN of an uploaded item."""
        return str(self._known[name]["urn"])

    async def run(self) -> None:
        """Upload every item for a post to use. Raises PlatformError: `not_ready` while LinkedIn processes one."""
        items = dict(media_to_upload(self._context.draft))
        for name in self._known.keys() - items.keys():
            del self._known[name]
        for name, item in items.items():
            await self._upload(name, item)
        for name, item in items.items():
            if self._known[name]["stage"] != Stage.READY:
                await self._check_processing(name, item)

    async def drop(self) -> None:
        """Forget everything, so that the next attempt uploads again."""
        self._known.clear()
        await self._save()

    async def _upload(self, name: str, item: Media) -> None:
        handle = self._known.get(name, {})
        if (handle.get("url"), handle.get("author")) != (item.url, self._author):
            handle = self._known[name] = {"url": item.url, "author": self._author, "stage": Stage.SENDING}
        if handle["stage"] != Stage.SENDING:
            return
        async with self._context.media.open(item) as file:
            try:
                await (self._parts if item.type is MediaType.VIDEO else self._whole)(handle, item, file)
            except PlatformError as error:
                if error.code == "EXPIRED_UPLOAD_URL":
                    del self._known[name]
                    await self._save()
                raise
        handle |= {"stage": Stage.PROCESSING, "uploadedAt": int(time.time())}
        await self._save()

    async def _whole(self, handle: Handle, item: Media, file: MediaFile) -> None:
        value = await self._begin(item)
        handle["urn"] = value["image" if _EDGE[item.type] == "images" else "document"]
        await self._put(value["uploadUrl"], file, bearer(self._connection.credentials))

    async def _parts(self, handle: Handle, item: Media, file: MediaFile) -> None:
        if handle.get("size") != file.size or handle["expiresAt"] < time.time():
            value = await self._begin(item, fileSizeBytes=file.size, uploadCaptions=False, uploadThumbnail=False)
            handle |= {
                "urn": value["video"],
                "size": file.size,
                "token": value.get("uploadToken", ""),
                "expiresAt": value["uploadUrlsExpireAt"] // 1000,
                "parts": [
                    [part["uploadUrl"], part["lastByte"] - part["firstByte"] + 1]
                    for part in value["uploadInstructions"]
                ],
                "etags": [],
            }
            await self._save()
        etags: list[str] = handle["etags"]
        start = sum(length for _, length in handle["parts"][: len(etags)])
        for url, length in handle["parts"][len(etags) :]:
            etags.append(await self._put_part(url, file.part(start, length)))
            start += length
            await self._save()
            self._context.heartbeat(f"{len(etags) * 100 // len(handle['parts'])}%")
        done = {"video": handle["urn"], "uploadToken": handle["token"], "uploadedPartIds": etags}
        await call(self._connection, "POST", "/rest/videos?action=finalizeUpload", json={"finalizeUploadRequest": done})

    async def _begin(self, item: Media, **more: object) -> dict[str, Any]:
        body = {"initializeUploadRequest": {"owner": self._author, **more}}
        path = f"/rest/{_EDGE[item.type]}?action=initializeUpload"
        value = json_object(await call(self._connection, "POST", path, json=body)).get("value")
        if not isinstance(value, dict) or not value:
            raise PlatformError(ErrorKind.TRANSIENT, "LinkedIn began no upload.", code="unreadable_answer")
        return value

    async def _put_part(self, url: str, part: MediaFile) -> str:
        """Send a part of a video; return its ETag without quotes, as the request that finishes the upload wants it.

        LinkedIn's page on videos says that this takes no token. If LinkedIn demands one, the part is sent with it.
        """
        try:
            answer = await self._put(url, part, {})
        except PlatformError as error:
            if error.status != httpx.codes.UNAUTHORIZED:
                raise
            answer = await self._put(url, part, bearer(self._connection.credentials))
        return str(answer.headers.get("etag", "")).strip('"')

    async def _put(self, url: str, file: MediaFile, headers: Mapping[str, str]) -> httpx.Response:
        headers = {**headers, "Content-Type": "application/octet-stream"}
        return await self._connection.wire.send("PUT", url, content=FileBody(file), headers=headers)

    async def _check_processing(self, name: str, item: Media) -> None:
        """Check whether LinkedIn has processed an item."""
        handle = self._known[name]
        state, reason, wait = await self._state(handle, item)
        if state == "PROCESSING_FAILED":
            del self._known[name]
            await self._save()
            message = f"LinkedIn could not process the {item.type}. {reason}".rstrip()
            raise PlatformError(ErrorKind.REJECTED, message, code="MEDIA_ASSET_PROCESSING_FAILED")
        if state != "AVAILABLE":
            message = "LinkedIn is still processing the media."
            raise PlatformError(ErrorKind.NOT_READY, message, code=state.lower(), retry_after=wait)
        handle["stage"] = Stage.READY
        await self._save()

    async def _state(self, handle: Handle, item: Media) -> tuple[str, str, timedelta]:
        """Return an item's state, why it failed, and when to ask again; if the state is not readable, time decides."""
        if ":person:" not in self._author or item.type is MediaType.VIDEO:
            try:
                answer = json_object(
                    await call(self._connection, "GET", f"/rest/{_EDGE[item.type]}/{segment(handle['urn'])}")
                )
                return str(answer.get("status")), str(answer.get("processingFailureReason") or ""), MEDIA_WAIT
            except PlatformError as error:
                if error.status != httpx.codes.FORBIDDEN:
                    raise
        remaining = GRACE - timedelta(seconds=time.time() - handle["uploadedAt"])
        return "PROCESSING" if remaining > timedelta() else "AVAILABLE", "", remaining

    async def _save(self) -> None:
        await self._context.save(self._context.handles)


def upload_kinds(draft: Draft[LinkedInSettings]) -> set[str]:
    """Return what must be uploaded for a draft: images, videos or documents."""
    return {_EDGE[item.type] for _, item in media_to_upload(draft)}


def media_to_upload(draft: Draft[LinkedInSettings]) -> Sequence[tuple[str, Media]]:
    """Return the media that must be uploaded, by the name under which each is stored."""
    settings = draft.settings
    if settings.article and settings.article.thumbnail and not settings.disable_link_preview:
        return [(THUMBNAIL, Media(type=MediaType.IMAGE, url=settings.article.thumbnail))]
    return [(str(index), item) for index, item in enumerate(draft.media)]


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
