"""LinkedIn's uploads: a URN first, then the bytes; videos come in parts that are joined at the end."""

import secrets

import msgspec

from sandbox.fake_platform import route
from sandbox.fetching import probe
from sandbox.platforms.linkedin.base import FakeLinkedIn, Medium, error, refused
from sandbox.wire import Answer, RefusedError, Request
from sandbox.world import World

PART_BYTES = 4_194_304
SMALLEST_VIDEO, LARGEST_VIDEO = 75_000, 500 << 20
LARGEST_DOCUMENT = 100 << 20
UPLOAD_SECONDS = 86_400
"""Unverified."""
PROCESSING_SECONDS = {"image": 1, "document": 3, "video": 6}
_DOCUMENTS = (b"%PDF-", b"PK\x03\x04", b"\xd0\xcf\x11\xe0")


class Begin(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """The request that begins an upload."""

    owner: str
    file_size_bytes: int | None = None
    upload_captions: bool = False
    upload_thumbnail: bool = False


class BeginBody(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """The body around it."""

    initialize_upload_request: Begin


class Finish(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """The request that ends a video's upload."""

    video: str
    upload_token: str
    uploaded_part_ids: list[str]


class FinishBody(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """The body around it."""

    finalize_upload_request: Finish


class MediaRoutes(FakeLinkedIn):
    """The routes of /rest/images, /rest/documents, /rest/videos and of the addresses that receive the bytes."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._parts: dict[str, dict[str, bytes]] = {}

    @route("POST", "/rest/images", "prepare")
    async def begin_image(self, request: Request) -> Answer:
        """Begin an image."""
        return self._begin(request, "image")

    @route("POST", "/rest/documents", "prepare")
    async def begin_document(self, request: Request) -> Answer:
        """Begin a document."""
        return self._begin(request, "document")

    @route("POST", "/rest/videos", "prepare")
    async def begin_or_finish_video(self, request: Request) -> Answer:
        """Begin a video, or join its parts."""
        return (
            self._finish(request) if request.query.get("action") == "finalizeUpload" else self._begin(request, "video")
        )

    @route("PUT", "/dms-uploads/{urn}/{part}", "prepare")
    async def put(self, request: Request) -> Answer:
        """Receive the bytes."""
        medium = self.media.get(request.params["urn"])
        if medium is None:
            return error(404, "No such upload")
        if medium.kind == "video":
            # LinkedIn's page on videos says that the upload needs no token.
            wants_token = self.world.conditions.holds(self.platform, "parts_need_token")
            if bool(request.header("authorization")) is not wants_token:
                return error(401, "Unauthorized")
            etag = f"/ambry-video/signedId/{secrets.token_urlsafe(24)}.bin"
            self._parts.setdefault(medium.urn, {})[etag] = request.body
            return Answer(200, headers=[(b"etag", f'"{etag}"'.encode())])
        self._take(medium, request.body)
        return Answer(201)

    @route("GET", "/rest/images/{urn}", "prepare")
    @route("GET", "/rest/documents/{urn}", "prepare")
    @route("GET", "/rest/videos/{urn}", "prepare")
    async def status(self, request: Request) -> Answer:
        """Return the state of a medium; the images and documents of members cannot be read."""
        urn = request.params["urn"]
        medium = self.media.get(urn)
        if medium is None:
            return error(404, f"{urn} is unknown", "NOT_FOUND")
        self.writer(request, medium.owner)
        if ":person:" in medium.owner and medium.kind != "video":
            raise refused(403, "ACCESS_DENIED", f"Not enough permissions to access: GET /{medium.kind}s")
        answer = {"id": urn, "owner": medium.owner, "status": medium.status(self.world.now())}
        return Answer.json({**answer, "processingFailureReason": medium.failure} if medium.failure else answer)

    def usable(self, urn: str, author: str) -> Medium:
        """Return a medium that a post of the author may use now; refuses any other."""
        medium = self.media.get(urn)
        if medium is None or medium.owner != author:
            code = "INVALID_IMAGE_ID" if ":image:" in urn else "INVALID_URN_ID"
            raise refused(400, code, f"{urn} is unknown or belongs to somebody else")
        match medium.status(self.world.now()):
            case "PROCESSING_FAILED":
                raise refused(400, "MEDIA_ASSET_PROCESSING_FAILED", f"Processing of {urn} has failed")
            case "AVAILABLE":
                return medium
        raise refused(400, "MEDIA_ASSET_WAITING_UPLOAD", f"{urn} is waiting for its upload or is processed")

    def _begin(self, request: Request, kind: str) -> Answer:
        if request.query.get("action") != "initializeUpload":
            raise refused(400, "INVALID_VALUE_FOR_FIELD", "action must be initializeUpload")
        begin = request.decoded(BeginBody).initialize_upload_request
        account = self.writer(request, begin.owner)
        if kind == "video" and self.holds("no_video_product", account):
            # Publishers report this code, which lacks the method.
            message = "Not enough permissions to access: partnerApiVideosExternal"
            body = {"status": 403, "serviceErrorCode": 100, "code": "ACCESS_DENIED", "message": message}
            raise RefusedError(Answer.json(body, 403))
        prefix = {"image": "C4E10AQ", "document": "C4D1FAQ", "video": "C5F10AQ"}[kind]
        urn = f"urn:li:{kind}:{prefix}{secrets.token_urlsafe(12)}"
        address = f"{request.base_url}/dms-uploads/{urn.replace(':', '%3A')}"
        expires_at = int((self.world.now() + UPLOAD_SECONDS) * 1000)
        medium = Medium(urn, begin.owner, kind)
        if kind != "video":
            self.media.put(urn, medium)
            value = {"uploadUrlExpiresAt": expires_at, "uploadUrl": f"{address}/0", kind: urn}
            return Answer.json({"value": value})
        size = begin.file_size_bytes or 0
        if not SMALLEST_VIDEO <= size <= LARGEST_VIDEO:
            raise refused(400, "INVALID_VALUE_FOR_FIELD", "fileSizeBytes is missing, too small or too large")
        starts = range(0, size, PART_BYTES)
        medium.size, medium.parts = size, len(starts)
        self.media.put(urn, medium)
        parts = [
            {
                "uploadUrl": f"{address}/{index}",
                "firstByte": start,
                "lastByte": min(start + PART_BYTES, size) - 1,
            }
            for index, start in enumerate(starts)
        ]
        value = {"uploadUrlsExpireAt": expires_at, "video": urn, "uploadToken": "", "uploadInstructions": parts}
        return Answer.json({"value": value})

    def _finish(self, request: Request) -> Answer:
        finish = request.decoded(FinishBody).finalize_upload_request
        medium = self.media.get(finish.video)
        if medium is None:
            raise refused(400, "INVALID_URN_ID", f"{finish.video} is unknown")
        self.writer(request, medium.owner)
        if medium.ready_at is None:
            held = self._parts.get(medium.urn, {})
            content = b"".join(held.get(etag, b"") for etag in finish.uploaded_part_ids)
            if len(finish.uploaded_part_ids) != medium.parts or len(content) != medium.size:
                raise refused(400, "INVALID_VALUE_FOR_FIELD", "uploadedPartIds do not make the whole file")
            del self._parts[medium.urn]
            self._take(medium, content)
        return Answer(200)

    def _take(self, medium: Medium, content: bytes) -> None:
        now, file_format = self.world.now(), probe(content)
        medium.size = len(content)
        medium.ready_at = now + (PROCESSING_SECONDS[medium.kind] if self.world.realistic else 0)
        if medium.kind == "document":
            good = content.startswith(_DOCUMENTS) and len(content) <= LARGEST_DOCUMENT
        else:
            good = file_format is not None and file_format.is_image is (medium.kind == "image")
        if not good:
            medium.failure = f"This is no {medium.kind} that LinkedIn takes."
        elif file_format is not None:
            medium.src = self.keep_upload(medium.urn.rpartition(":")[2], file_format.content_type, content)
        self.media.put(medium.urn, medium)
