"""Uploads of a post's media to a Page before anything is public: photos unpublished, videos resumable."""

import asyncio
import re
from typing import Any

from domain.post import Media, MediaType
from platforms.errors import ErrorKind, PlatformError
from platforms.facebook.errors import WrongOffsetError, is_gone
from platforms.facebook.rules import (
    FacebookConnection,
    FacebookContext,
    FacebookPostType,
    choose_post_type,
    choose_video_type,
)
from platforms.files import MediaFile
from platforms.http import multipart
from platforms.http.addresses import is_within
from platforms.http.body import FileBody
from platforms.http.wire import segment
from platforms.meta.graph import GRAPH, Answer, Fields, required_text

BASE_URL = "https://graph.facebook.com"
VIDEO_URL = "https://graph-video.facebook.com"
"""The host to which Meta's guide and its own libraries upload videos; source:
developers.facebook.com/docs/graph-api/video-uploads."""
DOMAIN = "facebook.com"
CONCURRENCY = 3
"""How many photos are uploaded at the same time; our choice, Facebook names no number."""
EDGE = {
    FacebookPostType.VIDEO: "videos",
    FacebookPostType.REEL: "video_reels",
    FacebookPostType.VIDEO_STORY: "video_stories",
}
"""The edge at which the upload of each form of video begins and ends."""

HOST = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+")

_EXTENSION = {"image/jpeg": "jpg", "image/png": "png", "image/gif": "gif"}


def photo_ids(handles: dict[str, Any]) -> list[str]:
    """Return the ids of the uploaded photos in the order of the draft."""
    photos: dict[str, str] = handles.get("photos", {})
    return [photos[name] for name in sorted(photos, key=int)]


class Uploads:
    """The uploads of one post; all that Facebook returns is saved in the handles immediately."""

    def __init__(self, connection: FacebookConnection, context: FacebookContext) -> None:
        self._connection = connection
        self._context = context
        self._saving = asyncio.Lock()
        self._page = f"/{segment(connection.account.user_id)}"

    async def run(self) -> None:
        """Upload all media, so that one request can make them public."""
        post_type = choose_post_type(self._context.draft)
        if post_type.is_video:
            await self._video()
        elif post_type is not FacebookPostType.TEXT:
            await self._photos()

    async def forget(self) -> None:
        """Drop the uploads, so that the next attempt uploads again."""
        self._context.handles.pop("photos", None)
        self._context.handles.pop("video", None)
        await self.save()

    async def save(self) -> None:
        """Save the handles."""
        async with self._saving:
            await self._context.save(self._context.handles)

    async def _photos(self) -> None:
        known: dict[str, str] = self._context.handles.setdefault("photos", {})
        gate = asyncio.Semaphore(CONCURRENCY)

        async def upload(index: int, item: Media) -> None:
            if str(index) in known:
                return
            async with gate:
                known[str(index)] = await self._photo(item)
                await self.save()
                self._context.heartbeat(f"{len(known)} of {len(self._context.draft.media)} photos")

        # If one photo fails, the others still finish, so that the next attempt finds them.
        outcomes = await asyncio.gather(
            *map(upload, *zip(*enumerate(self._context.draft.media), strict=True)), return_exceptions=True
        )
        for failure in sorted(
            filter(None, outcomes), key=lambda error: getattr(error, "kind", None) is ErrorKind.TRANSIENT
        ):
            raise failure

    async def _photo(self, item: Media) -> str:
        fields = {"published": "false"}
        if item.alt_text:
            fields["alt_text_custom"] = item.alt_text
        async with self._context.media.open(item) as file:
            if item.type is MediaType.VIDEO or file.content_type not in _EXTENSION:
                raise PlatformError(
                    ErrorKind.REJECTED, f"Facebook takes no {file.content_type} as a photo.", code="media_type"
                )
            name = f"photo.{_EXTENSION[file.content_type]}"
            part = multipart.FilePart("source", name, file)
            return required_text(
                self._connection, await GRAPH.post_file(self._connection, f"{self._page}/photos", fields, part), "id"
            )

    async def _video(self) -> None:
        video: dict[str, Any] = self._context.handles.get("video", {})
        if video.get("done"):
            return
        is_continued = bool(video)
        try:
            async with self._context.media.open(self._context.draft.media[0]) as file:
                if video.get("size") != file.size:
                    video = await self._start(choose_video_type(self._context.draft, file), file.size)
                await (self._transfer if video["form"] == FacebookPostType.VIDEO else self._stream)(video, file)
        except PlatformError as error:
            if error.kind is not ErrorKind.REJECTED or not is_continued:
                raise
            # The upload from an earlier attempt may have expired. If Facebook refuses a new one too, the video is at
            # fault.
            await self.forget()
            raise PlatformError(ErrorKind.TRANSIENT, error.message, code=error.code, status=error.status) from error
        video["done"] = True
        await self.save()

    async def _start(self, post_type: FacebookPostType, size: int) -> dict[str, Any]:
        fields = {"upload_phase": "start"} | ({"file_size": str(size)} if post_type is FacebookPostType.VIDEO else {})
        answer = await GRAPH.post(self._connection, f"{self._page}/{EDGE[post_type]}", fields)
        video_id = required_text(self._connection, answer, "video_id")
        video: dict[str, Any] = {"id": video_id, "form": str(post_type), "size": size, "offset": 0}
        if post_type is FacebookPostType.VIDEO:
            video["session"] = required_text(self._connection, answer, "upload_session_id")
            video["end"] = int(answer.get("end_offset", size))
            video["domain"] = answer.get("upload_domain")
        else:
            video["url"] = required_text(self._connection, answer, "upload_url")
        self._context.handles["video"] = video
        await self.save()
        return video

    async def _transfer(self, video: dict[str, Any], file: MediaFile) -> None:
        """Send a video piece by piece; each is the whole range that Facebook asked for last."""
        while video["offset"] < file.size:
            part = file.part(video["offset"], max(video["end"] - video["offset"], 1))
            fields = {
                "upload_phase": "transfer",
                "upload_session_id": video["session"],
                "start_offset": str(video["offset"]),
            }
            chunk = multipart.FilePart("video_file_chunk", "chunk", part)
            try:
                answer = await self._send_piece(video, fields, chunk, self._hosts(video))
            except WrongOffsetError as error:
                # A piece has arrived whose response was lost, or Facebook has lost one.
                ahead = error.start > video["offset"]
                video |= {"offset": error.start, "end": error.end}
                await self.save()
                if not ahead:
                    raise
                continue
            next_offset = int(required_text(self._connection, answer, "start_offset"))
            in_step = next_offset == video["offset"] + part.size
            video |= {"offset": next_offset, "end": int(answer.get("end_offset", video["size"]))}
            await self.save()
            if not in_step:
                raise PlatformError(
                    ErrorKind.TRANSIENT, "Facebook wants other bytes of the video.", code="upload_offset"
                )
            self._report_progress(video)

    async def _send_piece(
        self, video: dict[str, Any], fields: Fields, chunk: multipart.FilePart, hosts: list[str]
    ) -> Answer:
        """Send a piece to the first of these hosts that takes it; later pieces go to the same host."""
        host, *others = hosts
        try:
            answer = await GRAPH.post_file(self._connection, f"{self._page}/videos", fields, chunk, host=host)
        except WrongOffsetError:
            raise
        except PlatformError as error:
            if not others or error.kind not in {ErrorKind.TRANSIENT, ErrorKind.REJECTED}:
                raise
            return await self._send_piece(video, fields, chunk, others)
        video["host"] = host
        return answer

    def _hosts(self, video: dict[str, Any]) -> list[str]:
        """Return the base URLs that may take the bytes of a video, the likeliest first; only the one that took some.

        Some working clients use the host that the response to the start names. Meta's own libraries use the host for
        videos, and others the usual one.
        """
        if known := video.pop("host", None):
            return [known]
        wire, named = self._connection.wire, str(video.get("domain") or "")
        reported = [f"https://{named}"] if HOST.fullmatch(named) and is_within(named, (DOMAIN,)) else []
        return list(dict.fromkeys([*reported, wire.address(BASE_URL, VIDEO_URL), wire.base_url]))

    async def _stream(self, video: dict[str, Any], file: MediaFile) -> None:
        """Send in one request all bytes of a reel or story that Facebook does not have yet."""
        try:
            status = await GRAPH.get(self._connection, f"/{segment(video['id'])}", fields="status")
        except PlatformError as error:
            if not is_gone(error) or video["offset"]:
                raise
            # Meta has at times answered so for days to reads of new objects; no bytes of this one were sent yet.
            status = {}
        uploading = (status.get("status") or {}).get("uploading_phase") or {}
        if uploading.get("status") == "complete":
            return
        start = int(uploading.get("bytes_transferred") or uploading.get("bytes_transfered") or 0)

        def reported(sent: int) -> None:
            video["offset"] = start + sent
            self._report_progress(video)

        body = FileBody(file.part(start, file.size), reported)
        headers = {
            "Authorization": f"OAuth {self._connection.credentials.access_token.get_secret_value()}",
            "offset": str(start),
            "file_size": str(file.size),
            **body.headers,
        }
        await self._connection.wire.send("POST", video["url"], headers=headers, content=body)

    def _report_progress(self, video: dict[str, Any]) -> None:
        self._context.heartbeat(f"{video['offset'] * 100 // max(video['size'], 1)}%")
