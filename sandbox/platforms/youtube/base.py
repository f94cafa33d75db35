"""YouTube's errors, its state of uploads and videos, and its Data API."""

import re
from abc import ABC
from datetime import UTC, datetime
from typing import Any

import msgspec

from sandbox.fake_platform import own, route
from sandbox.faults import Operation
from sandbox.google import GoogleConsent, consent, error_info
from sandbox.journal import Collection, Snowflakes
from sandbox.wire import Answer, RefusedError, Request
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
    errors = [{"message": message, **entry}]
    error = {
        "code": code,
        "message": message,
        "errors": errors,
        "status": status,
        "details": [error_info(reason, metadata)],
    }
    return Answer.json({"error": error}, code)


CATEGORIES = {"1": "Film & Animation", "22": "People & Blogs", "28": "Science & Technology", "30": "Movies"}
"""Some of YouTube's; the numbers are known in public, unverified."""
PLAYLISTS = tuple(f"Playlist {number}" for number in range(1, 61))


def _channels_operation(_fake: object, request: Request) -> Operation:
    """Return confirm for a request that asks for the list of uploads; any other asks for the token's channel."""
    return "confirm" if request.query.get("part") == "contentDetails" else "auth"


class FakeYouTube(GoogleConsent, ABC):
    """State of uploads and videos, and the routes of /youtube/v3 and /token."""

    consent = consent("youtube.upload", "youtube.readonly", "youtube.force-ssl")
    refuses_app_for = frozenset({"prepare", "publish", "confirm", "edit", "auth"})
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

    def malformed(self, reason: str) -> Answer:
        """Return the response to a body that is no JSON object."""
        return problem(400, "parseError", "This API does not support parsing form-encoded input.")

    def signature(self) -> dict[str, str]:
        """Return the upload host's own header."""
        return {"X-GUploader-UploadID": self.ids.next()}

    def processed(self, upload: Upload) -> bool:
        """Return whether a video is processed by now."""
        slow = self.world.conditions.holds(self.platform, "slow_processing", upload.account_id)
        return not slow and self.world.now() - upload.made_at >= (PROCESSING_SECONDS if self.world.realistic else 0)

    def own_video(self, request: Request, video_id: str) -> Upload:
        """Return a video of the token's channel."""
        missing = refused(404, "videoNotFound", "The video that you are trying to use cannot be found.")
        upload = own(self.by_video.get(video_id), self.account(request), missing)
        if upload.deleted:
            raise missing
        return upload

    @route("GET", "/youtube/v3/channels", _channels_operation)
    async def channels(self, request: Request) -> Answer:
        """Describe the token's own channel."""
        account = self.account(request)
        if request.query.get("mine") != "true":
            raise refused(400, "missingRequiredParameter", "No filter selected.")
        channel = {
            "kind": "youtube#channel",
            "id": account.user_id,
            "snippet": {"title": account.username, "customUrl": f"@{account.username}"},
            "contentDetails": {"relatedPlaylists": {"uploads": f"UU{account.user_id}"}},
        }
        return _list("channel", [_parts(channel, request)])

    @route("GET", "/youtube/v3/videoCategories", "auth")
    async def categories(self, request: Request) -> Answer:
        """List the categories of a region; films can be assigned by YouTube only."""
        self.account(request)
        if not re.fullmatch("[A-Z]{2}", request.query.get("regionCode", "")):
            raise refused(400, "invalidRegionCode", "The regionCode is not an ISO 3166-1 alpha-2 code.")
        items = [
            {
                "kind": "youtube#videoCategory",
                "id": number,
                "snippet": {"title": title, "assignable": number != "30", "channelId": "UCBR8-60-B28hp2BmDPdntcQ"},
            }
            for number, title in CATEGORIES.items()
        ]
        return _list("videoCategory", [_parts(item, request) for item in items])

    @route("GET", "/youtube/v3/playlists", "auth")
    async def playlists(self, request: Request) -> Answer:
        """List the channel's playlists, one to fifty at a time."""
        account, count = self.account(request), request.query.get("maxResults", "5")
        begin = request.query.get("pageToken", "0")
        if request.query.get("mine") != "true" or not begin.isdecimal():
            raise refused(400, "missingRequiredParameter", "No filter selected.")
        if not count.isdecimal() or not 0 < int(count) <= 50:
            raise refused(400, "invalidValue", "maxResults must be between 1 and 50.")
        end = int(begin) + int(count)
        items = [
            _parts({"kind": "youtube#playlist", "id": f"PL{account.user_id}{at}", "snippet": {"title": title}}, request)
            for at, title in enumerate(PLAYLISTS)
        ]
        return _list("playlist", items[int(begin) : end], str(end) if end < len(items) else None)

    @route("GET", "/youtube/v3/videos", "confirm")
    async def videos(self, request: Request) -> Answer:
        """Describe videos by their ids."""
        account, entries = self.account(request), []
        for video_id in request.query.get("id", "").split(","):
            upload = self.by_video.get(video_id)
            if upload is not None and upload.account_id == account.account_id and not upload.deleted:
                entries.append(_parts(self._video(upload), request))
        return _list("video", entries)

    @route("DELETE", "/youtube/v3/videos", "delete")
    async def delete(self, request: Request) -> Answer:
        """Delete a video."""
        upload = self.own_video(request, request.query.get("id", ""))
        upload.deleted = True
        self.uploads.put(upload.id, upload)
        post = self.world.posts.get(self.platform, str(upload.video_id))
        if post is not None:
            self.world.posts.delete(post)
        return Answer(204)

    @route("GET", "/youtube/v3/playlistItems", "confirm")
    async def playlist(self, request: Request) -> Answer:
        """List the channel's uploads, newest first, private ones too."""
        account, count = self.account(request), request.query.get("maxResults", "5")
        if request.query.get("playlistId") != f"UU{account.user_id}":
            raise refused(404, "playlistNotFound", "The playlist cannot be found.")
        if not count.isdecimal() or not 0 < int(count) <= 50:
            raise refused(400, "invalidValue", "maxResults must be between 1 and 50.")
        items = []
        for post in self.world.posts.by_account(account):
            upload = self.by_video.get(post.platform_post_id)
            if upload is not None and not upload.deleted:
                resource = {"kind": "youtube#video", "videoId": upload.video_id}
                snippet = {
                    "title": upload.snippet["title"],
                    "description": upload.snippet.get("description", ""),
                    "publishedAt": _timestamp(upload.made_at),
                    "resourceId": resource,
                    "playlistId": request.query["playlistId"],
                    "channelId": account.user_id,
                }
                item = {"kind": "youtube#playlistItem", "id": f"UU.{upload.video_id}", "snippet": snippet}
                items.append(_parts(item, request))
        return _list("playlistItem", items[: int(count)])

    @route("POST", "/youtube/v3/playlistItems", "edit")
    async def add_to_playlist(self, request: Request) -> Answer:
        """Add a video to a playlist; playlists whose id begins with PL exist."""
        snippet = _snippet(request)
        if not str(snippet.get("playlistId", "")).startswith("PL"):
            raise refused(404, "playlistNotFound", "The playlist identified with the request cannot be found.")
        resource = snippet.get("resourceId")
        return self._attach(request, "playlistItem", snippet, resource if isinstance(resource, dict) else {})

    @route("POST", "/youtube/v3/commentThreads", "edit")
    async def comment(self, request: Request) -> Answer:
        """Write a comment below a video."""
        snippet = _snippet(request)
        match snippet.get("topLevelComment"):
            case {"snippet": {"textOriginal": str(text)}} if text:
                pass
            case _:
                raise refused(400, "commentTextRequired", "The comment has no text.")
        answer = self._attach(request, "commentThread", snippet, snippet)
        post = self.world.posts.get(self.platform, str(snippet["videoId"]))
        if post is not None:
            post.detail["comment"] = text
            self.world.posts.changed(post)
        return answer

    @route("GET", "/youtube/v3/commentThreads", "confirm")
    async def comments(self, request: Request) -> Answer:
        """List the comments below a video."""
        upload = self.own_video(request, request.query.get("videoId", ""))
        return _list("commentThread", [self._shown(comment) for comment in self._attached_to(upload, "commentThread")])

    @route("GET", "/youtube/v3/captions", "confirm")
    async def captions(self, request: Request) -> Answer:
        """List the captions of a video."""
        upload = self.own_video(request, request.query.get("videoId", ""))
        return _list("caption", [self._shown(track) for track in self._attached_to(upload, "caption")])

    def _attach(self, request: Request, kind: str, snippet: dict[str, Any], named: dict[str, Any]) -> Answer:
        upload = self.own_video(request, str(named.get("videoId", "")))
        attached = Attached(self.ids.next(), kind, str(upload.video_id), upload.account_id, snippet)
        self.attached.put(attached.id, attached)
        return Answer.json(self._shown(attached))

    def _attached_to(self, upload: Upload, kind: str) -> list[Attached]:
        return [
            attached for attached in self.attached if attached.kind == kind and attached.video_id == upload.video_id
        ]

    def _shown(self, attached: Attached) -> dict[str, Any]:
        return {"kind": f"youtube#{attached.kind}", "id": attached.id, "snippet": attached.snippet}

    def _video(self, upload: Upload) -> dict[str, Any]:
        processed = self.processed(upload)
        whole = "failed" if upload.failure else "processed"
        status: dict[str, Any] = {"privacyStatus": "public", **upload.status}
        status["uploadStatus"] = whole if processed else "uploaded"
        if upload.failure and processed:
            status["failureReason"] = upload.failure
        return {
            "kind": "youtube#video",
            "id": upload.video_id,
            "snippet": {
                **upload.snippet,
                "publishedAt": _timestamp(upload.made_at),
                "thumbnails": {"default": {"url": upload.thumbnail or "https://i.ytimg.com/vi/default.jpg"}},
            },
            "status": status,
            "processingDetails": {"processingStatus": "succeeded" if processed else "processing"},
        }


def _snippet(request: Request) -> dict[str, Any]:
    snippet = request.object().get("snippet")
    if request.query.get("part") != "snippet" or not isinstance(snippet, dict):
        raise refused(400, "badRequest", "part and snippet are required.")
    return snippet


def _parts(resource: dict[str, Any], request: Request) -> dict[str, Any]:
    parts = {part for part in request.query.get("part", "").split(",") if part}
    if not parts or not parts - {"id"} <= resource.keys():
        raise refused(400, "unknownPart", "part is missing or names what does not exist.")
    return {name: value for name, value in resource.items() if name in parts | {"kind", "id"}}


def _list(kind: str, items: list[dict[str, Any]], following: str | None = None) -> Answer:
    page = {"totalResults": len(items), "resultsPerPage": len(items)}
    token = {"nextPageToken": following} if following else {}
    return Answer.json({"kind": f"youtube#{kind}ListResponse", "items": items, "pageInfo": page, **token})


def _timestamp(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
