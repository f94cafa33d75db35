"""Pinterest's videos: registered first, uploaded to a storage by a signed form, then processed."""

import secrets

import msgspec

from sandbox.fake_platform import route
from sandbox.formats import probe
from sandbox.platforms.pinterest.base import INVALID, FakePinterest, Video, error, read, refused
from sandbox.wire import Answer, MalformedBodyError, Request

PROCESSING_SECONDS = 5
STORAGE_ERROR = '<?xml version="1.0" encoding="UTF-8"?><Error><Code>{}</Code></Error>'


class NewMedia(msgspec.Struct, forbid_unknown_fields=True):
    """The request that registers an upload."""

    media_type: str


class VideoRoutes(FakePinterest):
    """The routes of /v5/media and the storage."""

    @route("POST", "/v5/media", "prepare")
    async def register(self, request: Request) -> Answer:
        """Register a video."""
        account = self.account(request)
        if read(request, NewMedia).media_type != "video":
            raise refused(400, INVALID, "media_type must be video")
        video = Video(self.ids.next(), account.account_id, f"uploads/{secrets.token_hex(8)}:video")
        self.videos.put(video.id, video)
        parameters = {
            "x-amz-date": "20260115T100000Z",
            "x-amz-signature": secrets.token_hex(32),
            "x-amz-security-token": secrets.token_urlsafe(64),
            "x-amz-algorithm": "AWS4-HMAC-SHA256",
            "key": video.key,
            "policy": secrets.token_urlsafe(96),
            "x-amz-credential": "ASIA0000000000000000/20260115/us-east-1/s3/aws4_request",
            "Content-Type": "multipart/form-data",
        }
        answer = {
            "media_id": video.id,
            "media_type": "video",
            "upload_url": f"{request.base_url}/storage/{video.id}",
            "upload_parameters": parameters,
        }
        return Answer.json(answer, 201)

    @route("POST", "/storage/{id}", "prepare")
    async def store(self, request: Request) -> Answer:
        """Receive the file, which must be the last field of the form, after all fields of the registration."""
        video = self.videos.get(request.params["id"])
        try:
            fields = request.fields()
        except MalformedBodyError:
            fields = []
        names = [name for name, _ in fields]
        if video is None or dict(fields).get("key") != video.key or not {"policy", "x-amz-signature"} <= set(names):
            return Answer.text(STORAGE_ERROR.format("AccessDenied"), 403, "application/xml")
        if (
            names[-1] != "file"
            or not isinstance(content := fields[-1][1], bytes)
            or not request.header("content-length")
        ):
            return Answer.text(STORAGE_ERROR.format("InvalidArgument"), 400, "application/xml")
        file_format = probe(content)
        video.failed = file_format is None or file_format.is_image
        video.ready_at = self.world.now() + (PROCESSING_SECONDS if self.world.realistic else 0)
        if file_format is not None and not video.failed:
            video.src = self.keep_upload(video.id, file_format.content_type, content)
        self.videos.put(video.id, video)
        return Answer(204)

    @route("GET", "/v5/media/{id}", "prepare")
    async def status(self, request: Request) -> Answer:
        """Return the state of a video."""
        account = self.account(request)
        video = self.videos.get(request.params["id"])
        if video is None or video.account_id != account.account_id:
            return error(404, INVALID, "Media not found.")
        return Answer.json({"media_id": video.id, "media_type": "video", "status": video.status(self.world.now())})
