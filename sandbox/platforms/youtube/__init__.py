"""YouTube: resumable uploads, and the resources of a video."""

import secrets
from contextlib import suppress
from typing import Any, ClassVar

import msgspec

from sandbox.accounts import Account
from sandbox.fake_platform import route
from sandbox.faults import Operation
from sandbox.fetching import probe
from sandbox.journal import in_base64
from sandbox.platforms.youtube.base import Attached, FakeYouTube, Upload, exhausted, refused
from sandbox.wire import Answer, RefusedError, Request

PIECE_UNIT = 256 * 1024
LARGEST = 274_877_906_944
THUMBNAIL_BYTES = 50 * 1024 * 1024
CAPTION_BYTES = 104_857_600
CAPTION = {"videoId", "language", "name"}
UPLOADS_PER_DAY = 100
PARTS = {"snippet", "status", "recordingDetails", "localizations", "paidProductPlacementDetails"}
SNIPPET: dict[str, type] = {"title": str, "description": str, "tags": list, "categoryId": str, "defaultLanguage": str}
STATUS: dict[str, type] = {
    "privacyStatus": str,
    "publishAt": str,
    "selfDeclaredMadeForKids": bool,
    "embeddable": bool,
    "license": str,
    "publicStatsViewable": bool,
    "containsSyntheticMedia": bool,
}


def _put_operation(fake: "YouTube", request: Request) -> Operation:
    upload_id = request.query.get("upload_id", "")
    with suppress(RefusedError):
        span, total = _range(request)
        if span is None:
            return "confirm" if upload_id in fake.attempted else "prepare"
        if span[1] + 1 == total:
            fake.attempted.add(upload_id)
            return "publish"
    return "prepare"


class YouTube(FakeYouTube):
    """The fake YouTube, in place of https://youtube.googleapis.com and https://oauth2.googleapis.com."""

    without_effect: ClassVar[frozenset[str]] = frozenset({"part", "uploadType"})
    platform: ClassVar[str] = "youtube"
    label: ClassVar[str] = "YouTube"
    colour: ClassVar[str] = "#ff0033"
    account_prefix: ClassVar[str] = "yt"

    @route("POST", "/upload/youtube/v3/videos", "prepare")
    async def begin(self, request: Request) -> Answer:
        """Begin a session."""
        account, body, query = self.account(request), request.object(), request.query
        if query.get("uploadType") != "resumable" or not set(query.get("part", "").split(",")) <= PARTS:
            raise refused(400, "badRequest", "uploadType or part is wrong.")
        size = request.header("x-upload-content-length")
        if not size.isdecimal() or not 0 < int(size) <= LARGEST:
            raise refused(400, "mediaBodyRequired", "The request does not include the video content.")
        snippet, status = _checked(body.get("snippet"), SNIPPET), _checked(body.get("status"), STATUS)
        _check_snippet(snippet)
        if status.get("privacyStatus", "public") not in ("public", "unlisted", "private"):
            raise refused(400, "invalidVideoMetadata", "The privacy status is invalid.")
        if self.holds("quota_0", account):
            raise RefusedError(exhausted("Queries", "Queries per day", "defaultPerDayPerProject", "0"))
        window = self.world.windows.take((self.platform, "inserts"), UPLOADS_PER_DAY, 86_400)
        if not window.allowed or self.holds("day_used_up", account):
            name = "VideoUploadsPerDayPerProject"
            raise RefusedError(exhausted("Video Uploads", "Video Uploads per day", name, str(UPLOADS_PER_DAY)))
        upload = Upload(secrets.token_urlsafe(32), account.account_id, int(size), snippet, status)
        self.uploads.put(upload.id, upload)
        part = query["part"]
        where = f"{request.base_url}/upload/youtube/v3/videos?uploadType=resumable&upload_id={upload.id}&part={part}"
        return Answer(200, headers=[(b"location", where.encode())])

    @route("PUT", "/upload/youtube/v3/videos", _put_operation)
    async def piece(self, request: Request) -> Answer:
        """Receive a piece, or return how much has arrived."""
        account, upload = self.account(request), self.uploads.get(request.query.get("upload_id", ""))
        if upload is None or upload.account_id != account.account_id:
            raise refused(404, "notFound", "The upload session is unknown.")
        span, total = _range(request)
        if total != upload.size:
            raise refused(400, "badRequest", "The size is not the one that was announced.")
        if upload.video_id is not None:
            return Answer.json(self.described(upload), 200)
        content = self.received.setdefault(upload.id, bytearray())
        if span is not None:
            start, end = span
            if end - start + 1 != len(request.body) or (end + 1 < total and len(request.body) % PIECE_UNIT):
                raise refused(400, "badRequest", "Content-Range does not fit the piece.")
            if start == len(content):
                content += request.body
        if len(content) < upload.size:
            range_header = [(b"range", f"bytes=0-{len(content) - 1}".encode())] if content else []
            return Answer(308, headers=range_header)
        self._make(account, upload, bytes(self.received.pop(upload.id)))
        return Answer.json(self.described(upload), 201)

    @route("POST", "/upload/youtube/v3/thumbnails/set", "edit")
    async def thumbnail(self, request: Request) -> Answer:
        """Set a video's thumbnail."""
        upload, file_format = self.own_video(request, request.query.get("videoId", "")), probe(request.body)
        if file_format is None or file_format.content_type not in ("image/jpeg", "image/png"):
            raise refused(400, "imageFormatUnsupported", "The image format is not supported.")
        if len(request.body) > THUMBNAIL_BYTES:
            raise refused(413, "uploadTooLarge", "The image is too large.")
        if not self.processed(upload):
            # YouTube does so with Shorts: it answers as if it had accepted the thumbnail, and discards it.
            return Answer.json({"kind": "youtube#thumbnailSetResponse", "items": [{"default": {"url": None}}]})
        upload.thumbnail = self.keep_upload(f"{upload.video_id}", file_format.content_type, request.body)
        self.uploads.put(upload.id, upload)
        return Answer.json({"kind": "youtube#thumbnailSetResponse", "items": [{"default": {"url": upload.thumbnail}}]})

    @route("POST", "/upload/youtube/v3/captions", "edit")
    async def add_captions(self, request: Request) -> Answer:
        """Add captions to a video: a description and a file, as multipart/related."""
        described, content = _related(request)
        snippet = described.get("snippet")
        if not isinstance(snippet, dict) or not all(isinstance(snippet.get(name), str) for name in CAPTION):
            raise refused(400, "invalidMetadata", "The request contains invalid metadata values.")
        if not snippet["language"] or snippet.keys() - CAPTION:
            raise refused(400, "invalidMetadata", "The request contains invalid metadata values.")
        upload = self.own_video(request, snippet["videoId"])
        if not content:
            raise refused(400, "contentRequired", "The request does not contain the caption track contents.")
        if len(content) > CAPTION_BYTES:
            raise refused(413, "uploadTooLarge", "The captions are too large.")
        tracks = [track.snippet for track in self.attached if track.kind == "caption"]
        if any(all(track[name] == snippet[name] for name in CAPTION) for track in tracks):
            raise refused(409, "captionExists", "The specified video already has a caption track with this language.")
        attached = Attached(self.ids.next(), "caption", snippet["videoId"], upload.account_id, dict(snippet))
        self.attached.put(attached.id, attached)
        if not content.startswith(b"WEBVTT") and b" --> " not in content[:200]:
            failed = {"status": "failed", "failureReason": "unknownFormat"}
            return Answer.json({"kind": "youtube#caption", "id": attached.id, "snippet": {**snippet, **failed}})
        return Answer.json({"kind": "youtube#caption", "id": attached.id, "snippet": {**snippet, "status": "serving"}})

    def described(self, upload: Upload) -> dict[str, Any]:
        """Return the video resource that ends an upload."""
        return {
            "kind": "youtube#video",
            "id": upload.video_id,
            "snippet": {**upload.snippet, "channelId": upload.account_id.removeprefix("yt_")},
            "status": {**upload.status, "uploadStatus": "uploaded"},
        }

    def _make(self, account: Account, upload: Upload, content: bytes) -> None:
        upload.video_id, upload.made_at = in_base64(int(self.ids.next()))[:11], self.world.now()
        self.by_video[upload.video_id] = upload
        file_format = probe(content)
        if file_format is None or file_format.is_image:
            upload.failure = "invalidFile"
        else:
            self.add_post(
                account,
                upload.video_id,
                str(upload.snippet.get("description", "")),
                created_at=upload.made_at,
                kind="video",
                url=f"https://www.youtube.com/watch?v={upload.video_id}",
                media=[self.shown_file("video", content)],
                note=str(upload.snippet["title"]),
                detail={"privacy": upload.status.get("privacyStatus", "public")},
            )
        self.uploads.put(upload.id, upload)


def _related(request: Request) -> tuple[dict[str, Any], bytes]:
    """Return the description and the file of a body of multipart/related."""
    kind, _, boundary = request.header("content-type").partition("; boundary=")
    parts = request.body.split(f"--{boundary}".encode())
    if kind != "multipart/related" or not boundary or len(parts) != 4:
        raise refused(400, "badContent", "Unsupported content with type.")
    contents = [part.removeprefix(b"\r\n").partition(b"\r\n\r\n")[2].removesuffix(b"\r\n") for part in parts[1:3]]
    try:
        described = msgspec.json.decode(contents[0])
    except msgspec.DecodeError as error:
        raise refused(400, "parseError", "The description is no JSON.") from error
    return (described if isinstance(described, dict) else {}), contents[1]


def _range(request: Request) -> tuple[tuple[int, int] | None, int]:
    """Return the range of the request's bytes, none if it only asks, and the size of the whole."""
    unit, _, written = request.header("content-range").partition(" ")
    span, _, total = written.partition("/")
    start, _, end = span.partition("-")
    if unit != "bytes" or not total.isdecimal() or (span != "*" and not (start.isdecimal() and end.isdecimal())):
        raise refused(400, "badRequest", "Content-Range is missing or wrong.")
    return (None if span == "*" else (int(start), int(end))), int(total)


def _checked(part: object, known: dict[str, type]) -> dict[str, Any]:
    if not isinstance(part, dict):
        raise refused(400, "invalidVideoMetadata", "The request metadata is invalid.")
    for name, value in part.items():
        if name not in known or not isinstance(value, known[name]):
            raise refused(400, "invalidVideoMetadata", f"{name} is unknown or of the wrong type.")
    return part


def _check_snippet(snippet: dict[str, Any]) -> None:
    title, text, tags = snippet.get("title", ""), snippet.get("description", ""), snippet.get("tags", [])
    if not title.strip() or len(title) > 100 or any(sign in title for sign in "<>"):
        raise refused(400, "invalidTitle", "The request metadata specifies an invalid or empty video title.")
    if len(text.encode()) > 5000 or any(sign in text for sign in "<>"):
        raise refused(400, "invalidDescription", "The request metadata specifies an invalid video description.")
    length = sum(len(str(tag)) + 2 * (" " in str(tag)) for tag in tags) + max(len(tags) - 1, 0)
    if length > 500:
        raise refused(400, "invalidTags", "The request metadata specifies invalid video keywords.")
    if not snippet.get("categoryId", "22").isdecimal():
        raise refused(400, "invalidCategoryId", "The snippet.categoryId property specifies an invalid category.")
