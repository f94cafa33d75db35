"""The video service: accepts a video with a token of the account's server, processes it, stores it there as a blob."""

from urllib.parse import urlsplit

import msgspec

from sandbox.accounts import Account
from sandbox.fake_platform import route
from sandbox.formats import probe
from sandbox.platforms.bluesky.base import Blob, account_did, account_server, refused, xrpc_error
from sandbox.platforms.bluesky.records import RecordRoutes
from sandbox.wire import Answer, RefusedError, Request
from sandbox.world import World

SERVICE_HOST = "video.bsky.app"
VIDEO_BYTES = 300_000_000
VIDEOS_PER_DAY = 25
"""Unverified; Bluesky says 25 a day or 10 GB."""
PROCESSING_SECONDS = 6.0
"""How long a video is processed if `realistic` is set (unverified)."""


_REFUSALS: dict[str, tuple[int, dict[str, object]]] = {
    "video_profile_not_found": (401, {"error": "profile_not_found"}),
    "video_bad_audience": (401, {"did": "", "error": "invalid token: wrong audience"}),
    # The form of a job that was accepted.
    "video_unconfirmed_email": (200, {"jobStatus": {"error": "unconfirmed_email", "jobId": ""}}),
    "video_day_used_up": (400, {"error": "User has exceeded daily upload videos limit"}),
}
"""The video service's own form of answers; the PDS has another one."""


class VideoJob(msgspec.Struct, rename="camel"):
    """One video that is being processed. Times are seconds since 1970."""

    id: str
    account_id: str
    blob: Blob
    ready_at: float
    failure: str | None = None


class VideoRoutes(RecordRoutes):
    """The routes of app.bsky.video."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.jobs = world.collection("bluesky", "job", VideoJob)

    @route("POST", "/xrpc/app.bsky.video.uploadVideo", "prepare")
    async def upload_video(self, request: Request) -> Answer:
        """Receive a whole video."""
        account = self._allowed(request, "", "com.atproto.repo.uploadBlob")
        if request.query.get("did") != account_did(account) or not request.query.get("name"):
            raise refused("InvalidRequest", "did and name are required")
        for condition, refusal in _REFUSALS.items():
            if self.holds(condition, account):
                status, body = refusal
                raise RefusedError(Answer.json(body, status))
        self.admit(self.world.windows.take((self.platform, account.account_id, "videos"), VIDEOS_PER_DAY, 86_400))
        if len(request.body) > VIDEO_BYTES:
            raise refused("VideoTooLarge", "The video is too large")
        blob = self.keep_blob(account, request.body, "video/mp4", stored=not self.holds("video_blob_lost", account))
        job_id = f"c{blob.cid[-20:]}{account.account_id[-4:]}"
        known = self.jobs.get(job_id)
        if known is not None and known.failure is None:
            return Answer.json(
                self._status(known) | {"error": "already_exists", "message": "Video already processed"}, 409
            )
        file_format = probe(request.body)
        failure = None if file_format is not None and not file_format.is_image else "validation_failure"
        wait = PROCESSING_SECONDS if self.world.realistic else 0
        job = self.jobs.put(job_id, VideoJob(job_id, account.account_id, blob, self.world.now() + wait, failure))
        return Answer.json({"jobStatus": {"jobId": job.id, "did": account_did(account), "state": "JOB_STATE_CREATED"}})

    @route("GET", "/xrpc/app.bsky.video.getJobStatus", "prepare")
    async def job_status(self, request: Request) -> Answer:
        """Return the state of a video."""
        job = self.jobs.get(request.query.get("jobId", ""))
        if job is None:
            raise RefusedError(xrpc_error(400, "InvalidRequest", "Job not found"))
        return Answer.json({"jobStatus": self._status(job)})

    @route("GET", "/xrpc/app.bsky.video.getUploadLimits", "prepare")
    async def upload_limits(self, request: Request) -> Answer:
        """Return how much may still be uploaded today; without limits, everything."""
        account = self._allowed(request, f"did:web:{SERVICE_HOST}", "app.bsky.video.getUploadLimits")
        if self.holds("video_limits_unknown", account):
            return self.failure(503)
        if self.holds("video_day_used_up", account):
            message = "User has exceeded daily upload videos limit"
            return Answer.json({"canUpload": False, "remainingDailyVideos": 0, "message": message})
        if self.holds("video_unconfirmed_email", account):
            return Answer.json({"canUpload": False, "error": "unconfirmed_email"})
        return Answer.json({"canUpload": True, "remainingDailyVideos": VIDEOS_PER_DAY, "remainingDailyBytes": 10**10})

    def _allowed(self, request: Request, audience: str, method: str) -> Account:
        """Return the account that the token belongs to; this service does not accept the token of a session."""
        granted, allows = self.services.get(request.bearer, ("", ""))
        if allows != method:
            raise RefusedError(xrpc_error(401, "AuthMissing", f"This needs a token for {method}"))
        account = self.account(request)
        if granted != (audience or f"did:web:{urlsplit(account_server(account)).netloc}"):
            raise RefusedError(Answer.json({"did": "", "error": "invalid token: wrong audience"}, 401))
        return account

    def _status(self, job: VideoJob) -> dict[str, object]:
        account = self.world.accounts.get(self.platform, job.account_id)
        status: dict[str, object] = {"jobId": job.id, "did": account_did(account) if account else ""}
        seconds = job.ready_at - self.world.now()
        if seconds > 0:
            return status | {
                "state": "JOB_STATE_ENCODING",
                "progress": max(int(100 - seconds * 100 / PROCESSING_SECONDS), 0),
            }
        if job.failure is not None:
            return status | {"state": "JOB_STATE_FAILED", "failureCode": job.failure, "error": "The video is not valid"}
        return status | {"state": "JOB_STATE_COMPLETED", "progress": 100, "blob": job.blob.reference()}
