"""Blobs, videos and records: the effect of writing a record under a known key."""

from typing import Any
from urllib.parse import urlsplit

import msgspec

from sandbox.accounts import Account
from sandbox.fake_platform import route
from sandbox.faults import Operation
from sandbox.fetching import probe
from sandbox.platforms.bluesky.base import (
    DAG_CBOR,
    RAW,
    Blob,
    FakeAT,
    account_did,
    account_handle,
    account_server,
    cid,
    invalid,
    refused,
    text_field,
    xrpc_error,
)
from sandbox.platforms.bluesky.rules import COLLECTION, TID, check_post, named_blobs, quoted_by, record_media
from sandbox.posts import PublicPost, ShownMedia
from sandbox.wire import Answer, MalformedBodyError, RefusedError, Request
from sandbox.world import World

BLOB_BYTES = 50_000_000
BLOBS_PER_DAY = 1000


def _write(fake: "RecordRoutes", request: Request) -> Operation:
    """Distinguish a new or repeated record from one that changes a public post."""
    try:
        body = request.json()
        known = fake.find_record(body["repo"], body["rkey"])
        return "edit" if known is not None and known.detail["cid"] != record_cid(body["record"]) else "publish"
    except (MalformedBodyError, KeyError, TypeError):
        return "publish"


def record_cid(record: object) -> str:
    """Return the name of a record by its content; the sandbox hashes JSON, while servers hash CBOR."""
    return cid(msgspec.json.encode(record, order="deterministic"), DAG_CBOR)


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


class RecordRoutes(FakeAT):
    """The routes of com.atproto.repo and app.bsky.video."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.jobs = world.collection("bluesky", "job", VideoJob)

    @route("POST", "/xrpc/com.atproto.repo.uploadBlob", "prepare")
    async def upload_blob(self, request: Request) -> Answer:
        """Store a file; the same bytes are the same blob."""
        account = self.account(request)
        self.admit(self.count(account, BLOBS_PER_DAY, 86_400, "blobs"))
        if not request.body:
            raise invalid("Request body is empty")
        if len(request.body) > BLOB_BYTES:
            raise refused("PayloadTooLarge", "request entity too large", 413)
        return Answer.json({"blob": self.keep_blob(account, request.body, request.header("content-type")).reference()})

    @route("POST", "/xrpc/com.atproto.repo.createRecord", "publish")
    async def create_record(self, request: Request) -> Answer:
        """Write a new record; a key that is in use is an error of the server."""
        account, body = self._writing(request)
        rkey = body.get("rkey")
        if not isinstance(rkey, str):
            raise invalid("This server leaves the choice of a key to its clients")
        if self.find_record(account_did(account), rkey) is not None:
            return self.failure(500)
        return self._written(self._publish(account, rkey, body["record"]))

    @route("POST", "/xrpc/com.atproto.repo.putRecord", _write)
    async def put_record(self, request: Request) -> Answer:
        """Write a record under its key; the same one again changes nothing, another one replaces it."""
        account, body = self._writing(request)
        rkey = text_field(body, "rkey")
        known = self.find_record(account_did(account), rkey)
        if known is None:
            return self._written(self._publish(account, rkey, body["record"], points=2))
        if known.detail["cid"] == record_cid(body["record"]):
            return Answer.json({"uri": known.platform_post_id, "cid": known.detail["cid"], "validationStatus": "valid"})
        self.take_points(account, 2)
        known.text, known.edits = body["record"]["text"], known.edits + 1
        known.media = self._shown(account, body["record"])
        known.detail = {"rkey": rkey, "record": body["record"], "cid": record_cid(body["record"])}
        return self._written(self.world.posts.changed(known))

    @route("POST", "/xrpc/com.atproto.repo.deleteRecord", "delete")
    async def delete_record(self, request: Request) -> Answer:
        """Delete a record if it exists."""
        account, body = self.account(request), request.object()
        known = self.find_record(account_did(account), text_field(body, "rkey"))
        if known is not None:
            self.world.posts.delete(known)
        return Answer.json({})

    @route("GET", "/xrpc/com.atproto.repo.getRecord", "confirm")
    async def get_record(self, request: Request) -> Answer:
        """Read a record; no token is needed."""
        query = dict(request.query)
        account = self.find_account(text_field(query, "repo"))
        rkey = text_field(query, "rkey")
        if self.holds("own_records_only", account):
            session = self.sessions.get(request.bearer)
            if account is None or session is None or session.account_id != account.account_id:
                raise invalid(f"Could not find repo: {query['repo']}")
        known = (
            self.find_record(account_did(account), rkey) if account and query.get("collection") == COLLECTION else None
        )
        if known is None:
            where = f"at://{query['repo']}/{query.get('collection')}/{rkey}"
            raise refused("RecordNotFound", f"Could not locate record: {where}")
        return Answer.json(_described(known))

    @route("GET", "/xrpc/app.bsky.feed.getPosts", "confirm")
    async def get_posts(self, request: Request) -> Answer:
        """Return a post of any account as the public index does, or an empty list."""
        known = self.visible_post(text_field(dict(request.query), "uris"))
        if known is None:
            return Answer.json({"posts": []})
        described = _described(known)
        return Answer.json(
            {"posts": [{"uri": described["uri"], "cid": described["cid"], "record": described["value"]}]}
        )

    def find_record(self, repo: str, rkey: str) -> PublicPost | None:
        """Return a post by its account and key."""
        account = self.find_account(repo)
        return self.visible_post(f"at://{account_did(account)}/{COLLECTION}/{rkey}") if account else None

    def keep_blob(self, account: Account, content: bytes, claimed: str, *, stored: bool = True) -> Blob:
        """Store an upload under the name made from its bytes, or only return the name."""
        file_format = probe(content)
        name = cid(content, RAW)
        kind = file_format.content_type if file_format else claimed or "application/octet-stream"
        src = self.keep_upload(name[-16:], file_format.content_type, content) if file_format else None
        key = f"{account.account_id}/{name}"
        blob = Blob(name, account.account_id, kind, len(content), src)
        return self.blobs.get(key) or (self.blobs.put(key, blob) if stored else blob)

    def _writing(self, request: Request) -> tuple[Account, dict[str, Any]]:
        account, body = self.account(request), request.object()
        if text_field(body, "repo") not in (account_did(account), account_handle(account)):
            raise invalid("Could not find repo")
        if text_field(body, "collection") != COLLECTION:
            raise invalid("The sandbox keeps posts only")
        if not TID.fullmatch(str(body.get("rkey", ""))):
            raise invalid(f"Invalid record key for {COLLECTION}: it must be a TID")
        check_post(body.get("record"))
        for reference, largest, types in named_blobs(body["record"]):
            self._check_blob(account, reference, largest, types)
        return account, body

    def _check_blob(self, account: Account, reference: dict[str, Any], largest: int, types: str) -> None:
        blob = self.blobs.get(f"{account.account_id}/{reference['ref']['$link']}")
        if blob is None:
            raise refused("BlobNotFound", f"Could not find blob: {reference['ref']['$link']}")
        if blob.size > largest:
            message = f"This file is too large. It is {blob.size} bytes but the maximum size is {largest} bytes."
            raise refused("BlobTooLarge", message)
        if not blob.mime_type.startswith(types):
            raise refused("InvalidMimeType", f"Wrong type of file. It is {blob.mime_type} but it must match {types}.")
        if blob.mime_type != reference["mimeType"]:
            raise refused("InvalidMimeType", f"Referenced Mimetype does not match stored blob: {blob.mime_type}")

    def _publish(self, account: Account, rkey: str, record: dict[str, Any], points: int = 3) -> PublicPost:
        self.take_points(account, points)
        uri = f"at://{account_did(account)}/{COLLECTION}/{rkey}"
        reply, quoted = record.get("reply"), quoted_by(record)
        named = [*(reply or {}).values(), *([quoted["record"]] if quoted else [])]
        # A server accepts any name; an unknown one, or one of an earlier version, can only be a mistake.
        if any(
            (known := self.visible_post(reference["uri"])) is None or known.detail["cid"] != reference["cid"]
            for reference in named
        ):
            raise invalid("The post that is answered or quoted is not here")
        return self.add_post(
            account,
            uri,
            record["text"],
            kind="reply" if reply else "quote" if quoted else "post",
            url=f"https://bsky.app/profile/{account_handle(account)}/post/{rkey}",
            media=self._shown(account, record),
            detail={"rkey": rkey, "record": record, "cid": record_cid(record)},
        )

    def _shown(self, account: Account, record: dict[str, Any]) -> list[ShownMedia]:
        embed = record_media(record) or {}
        images = embed.get("images") or (
            [{"image": embed["video"], "alt": embed.get("alt")}] if "video" in embed else []
        )
        shown = []
        for image in images:
            blob = self.blobs.get(f"{account.account_id}/{image['image']['ref']['$link']}")
            kind = "video" if "video" in embed else "image"
            shown.append(
                ShownMedia("video" if kind == "video" else "image", blob.src if blob else None, image["alt"] or None)
            )
        return shown

    def _written(self, post: PublicPost) -> Answer:
        commit = {"cid": cid(post.platform_post_id.encode(), DAG_CBOR), "rev": post.detail["rkey"]}
        written = {"uri": post.platform_post_id, "cid": post.detail["cid"], "commit": commit}
        return Answer.json(written | {"validationStatus": "valid"})

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
        self.admit(self.count(account, VIDEOS_PER_DAY, 86_400, "videos"))
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


def _described(post: PublicPost) -> dict[str, Any]:
    return {"uri": post.platform_post_id, "cid": post.detail["cid"], "value": post.detail["record"]}
