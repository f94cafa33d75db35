"""YouTube's errors, and its state of uploads and videos."""

from abc import ABC
from typing import Any

import msgspec

from sandbox.fake_platform import FakePlatform, Route
from sandbox.ids import Snowflakes
from sandbox.journal import Collection
from sandbox.wire import Answer, MalformedBodyError, RefusedError, Request
from sandbox.world import World

PROCESSING_SECONDS = 10.0
"""How long a video is processed if `realistic` is set (unverified; real times vary widely)."""


class Upload(msgspec.Struct, rename="camel"):
    """One resumable session and, once it is complete, its video. Times are seconds since 1970."""

    id: str
    account_id: str
    size: int
    snippet: dict[str, Any]
    status: dict[str, Any]
    video_id: str | None = None
    made_at: float = 0
    failure: str | None = None
    thumbnail: str | None = None
    deleted: bool = False


class Attached(msgspec.Struct, rename="camel"):
    """A comment below a video, its playlist entry or captions (`kind` commentThread, playlistItem, caption)."""

    id: str
    kind: str
    video_id: str
    account_id: str
    snippet: dict[str, Any]


def problem(status: int, reason: str, message: str, domain: str = "youtube") -> Answer:
    """Return an error in the form of Google's APIs."""
    entry = {"domain": domain, "reason": reason, "message": message}
    return Answer.json({"error": {"code": status, "message": message, "errors": [entry]}}, status)


def refused(status: int, reason: str, message: str) -> RefusedError:
    """Refuse a request."""
    return RefusedError(problem(status, reason, message))


def disabled(title: str, service: str) -> Answer:
    """Return the response to an operator's project in which an API is not enabled, as all Google APIs do."""
    message = f"{title} has not been used in project 1234567890 before or it is disabled."
    entry = {"domain": "usageLimits", "reason": "accessNotConfigured"}
    metadata = {"service": service, "serviceTitle": title}
    return _project_problem(403, "PERMISSION_DENIED", message, entry, "SERVICE_DISABLED", metadata)


def exhausted(metric: str, limit: str, name: str, value: str) -> Answer:
    """Return the response to a used-up quota of the operator's project, as all Google APIs do."""
    message = f"Quota exceeded for quota metric '{metric}' and limit '{limit}' of service 'youtube.googleapis.com'."
    entry = {"domain": "global", "reason": "rateLimitExceeded"}
    metadata = {"quota_limit": name, "quota_limit_value": value}
    return _project_problem(429, "RESOURCE_EXHAUSTED", message, entry, "RATE_LIMIT_EXCEEDED", metadata)


def _project_problem(
    code: int, status: str, message: str, entry: dict[str, str], reason: str, metadata: dict[str, str]
) -> Answer:
    info = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": reason,
        "domain": "googleapis.com",
        "metadata": {**metadata, "consumer": "projects/1234567890"},
    }
    errors = [{"message": message, **entry}]
    error = {"code": code, "message": message, "errors": errors, "status": status, "details": [info]}
    return Answer.json({"error": error}, code)


def json_body(request: Request) -> dict[str, Any]:
    """Return the body of a request, which is a JSON object."""
    try:
        body = request.json()
    except MalformedBodyError as error:
        raise refused(400, "parseError", "This API does not support parsing form-encoded input.") from error
    if not isinstance(body, dict):
        raise refused(400, "badRequest", "The request body is no JSON object.")
    return body


class FakeYouTube(FakePlatform, ABC):
    """State and methods that all of YouTube's routes share."""

    refuses_app_for = frozenset({"prepare", "publish", "confirm", "edit", "auth"})
    renewal_path = "/token"
    conditions = {  # noqa: RUF012
        "slow_processing": "Videos stay in processing; a thumbnail that is set meanwhile is answered 200 and lost.",
        "day_used_up": "The project's uploads of the day are used up.",
        "quota_0": "The project has a quota of 0: Google has not approved it.",
    }

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.ids = Snowflakes(world.now, 0)
        self.uploads: Collection[Upload] = world.collection("youtube", "upload", Upload)
        self.attached: Collection[Attached] = world.collection("youtube", "attached", Attached)
        self.by_video = {upload.video_id: upload for upload in self.uploads if upload.video_id}
        self.received: dict[str, bytearray] = {}
        self.attempted: set[str] = set()
        """Sessions whose last piece a client sent; asking one of them is now part of confirm instead of prepare."""

    def app_refused(self) -> Answer:
        """Return the response to an operator's project in which the API is not enabled."""
        return disabled("YouTube Data API v3", "youtube.googleapis.com")

    def failure(self, status: int, message: str | None = None) -> Answer:
        """Return the response to a failure, by its status alone."""
        reason = {404: "notFound", 503: "backendError"}.get(status, "internalError" if status >= 500 else "badRequest")
        return problem(status, reason, message or "The request could not be completed.", "global")

    def refused_content(self) -> Answer:
        """Return the response to a post that does not pass validation."""
        return problem(400, "invalidTitle", "The request metadata specifies an invalid title.", "global")

    def unauthorized(self) -> Answer:
        """Return the response to an unknown or missing token."""
        return problem(401, "authError", "Request had invalid authentication credentials.", "global")

    def rate_limited(self, seconds: float) -> Answer:
        """Return the response to a reached limit."""
        answer = problem(429, "rateLimitExceeded", "The request was sent too often.", "usageLimits")
        return answer.with_headers({"Retry-After": str(-int(-seconds // 1))})

    async def serve(self, route: Route, request: Request) -> Answer:
        """Add the upload host's own header to its answers."""
        answer = await route.handler(request)
        return answer.with_headers({"X-GUploader-UploadID": self.ids.next()})

    def processed(self, upload: Upload) -> bool:
        """Return whether a video is processed by now."""
        slow = self.world.conditions.holds(self.platform, "slow_processing", upload.account_id)
        return not slow and self.world.now() - upload.made_at >= (PROCESSING_SECONDS if self.world.realistic else 0)

    def own_video(self, request: Request, video_id: str) -> Upload:
        """Return a video of the token's channel."""
        account, upload = self.account(request), self.by_video.get(video_id)
        if upload is None or upload.account_id != account.account_id or upload.deleted:
            raise refused(404, "videoNotFound", "The video that you are trying to use cannot be found.")
        return upload
