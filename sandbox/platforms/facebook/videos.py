"""Videos, reels and video stories: begun, uploaded whole or in pieces, published by the request that ends them."""

import re
from contextlib import suppress
from typing import Any

from sandbox import media as samples
from sandbox.accounts import Account
from sandbox.fake_platform import own, route
from sandbox.faults import Operation
from sandbox.fetching import probe
from sandbox.graph import graph_error, invalid, missing_object, parameters, refused
from sandbox.platforms.facebook.base import FakePage, Video
from sandbox.wire import Answer, RefusedError, Request
from sandbox.world import World

WINDOW = 1024 * 1024
"""Bytes per transfer; Facebook may choose any size."""
VIDEO_HOST, UPLOAD_DOMAIN = "graph-video.facebook.com", "vupload-edge.facebook.com"
REELS_PER_DAY = 30
SECONDS = {"reel": (3, 90), "story": (0, 60)}
"""Source: Meta's pages on reels (July 30, 2026) and stories; the subcode of a story is unverified."""
PROCESSING_SECONDS = 8.0
"""How long a video is processed if `realistic` is set (unverified; real times vary widely)."""
CAPTIONS_FILE = re.compile(rb'name="captions_file"; filename="[^"]+\.([a-z]{2,3}_[A-Z]{2})\.srt"')
"""Code 385 answers to others (restfb/restfb#753, #871)."""
TITLE_LENGTH = 255
"""Unverified."""


def _operation(fake: "VideoRoutes", request: Request) -> Operation:
    with suppress(RefusedError):
        values = parameters(request)
        phase = str(values.get("upload_phase", "")).lower()
        if phase in ("start", "transfer", "cancel"):
            return "prepare"
        # Recorded before anything can fail: if a client reads the video after this, it confirms whether it was
        # published.
        session = str(values.get("upload_session_id", ""))
        fake.attempted.add(fake.sessions.get(session) or str(values.get("video_id", "")))
    return "publish"


class VideoRoutes(FakePage):
    """The routes of the three edges where videos begin and end, and of the host that receives their bytes."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.sessions = {video.session: video.id for video in self.videos}

    @route("POST", "/{id}/videos", _operation)
    async def video(self, request: Request) -> Answer:
        """Receive a video in pieces of a session."""
        account, values = self.owner(request), parameters(request)
        match str(values.get("upload_phase", "")):
            case "start":
                size = _number(values, "file_size")
                video = self._begin(account, "videos", size)
                reported = {"upload_domain": UPLOAD_DOMAIN} if self.holds("upload_domain_told", account) else {}
                begun = {"video_id": video.id, "upload_session_id": video.session}
                return Answer.json(begun | self._missing_range(video) | reported)
            case "transfer":
                video = self._in_session(account, values)
                self._check_host(account, request)
                return self._take_piece(video, values)
            case "finish":
                video = self._in_session(account, values)
                self._finish(account, video, values, "video")
                return Answer.json({"success": True})
        raise invalid("param upload_phase must be one of start, transfer, finish, cancel.")

    @route("POST", "/{id}/video_reels", _operation)
    async def reel(self, request: Request) -> Answer:
        """Begin or end a reel."""
        account, values = self.owner(request), parameters(request)
        if str(values.get("upload_phase", "")).lower() == "start":
            return self._begun(request, self._begin(account, "video_reels"))
        video = self._ended(account, values)
        if values.get("video_state") not in ("PUBLISHED", "DRAFT", "SCHEDULED"):
            raise invalid("param video_state must be one of PUBLISHED, DRAFT, SCHEDULED.")
        if not self.count(account, REELS_PER_DAY, 86_400, "reels").allowed:
            raise refused("You reached the maximum number of reels for today.", 4, 1390008)
        self._finish(account, video, values, "reel")
        return Answer.json({"success": True})

    @route("POST", "/{id}/video_stories", _operation)
    async def story(self, request: Request) -> Answer:
        """Begin or end a video story."""
        account, values = self.owner(request), parameters(request)
        if str(values.get("upload_phase", "")).lower() == "start":
            return self._begun(request, self._begin(account, "video_stories"))
        video = self._ended(account, values)
        self._finish(account, video, {}, "story")
        return Answer.json({"success": True, "post_id": video.post_id})

    @route("POST", "/video-upload/{version}/{video}", "prepare")
    async def upload(self, request: Request) -> Answer:
        """Receive the missing bytes of a reel or story from an offset on."""
        account = self.account(request)
        video = self._uploaded_video(account, request.params["video"])
        content = self.received.setdefault(video.id, bytearray())
        offset, size = request.header("offset"), request.header("file_size")
        if not size.isdecimal() or offset != str(len(content)):
            raise refused("The offset or file_size does not fit this upload", 6000)
        content += request.body
        if len(content) < int(size):
            raise refused("Partial upload", 6001)
        self._whole(video)
        return Answer.json({"success": True})

    @route("POST", "/{id}/captions", "edit")
    async def add_captions(self, request: Request) -> Answer:
        """Add captions to a video; the file's name says the language."""
        video, content = self._own_video(request), parameters(request).get("captions_file")
        name = CAPTIONS_FILE.search(request.body)
        if not isinstance(content, bytes) or name is None or b" --> " not in content:
            raise refused("Sorry, the captions file you selected is in a format that we don't support.", 385)
        locale = name[1].decode()
        # Whether those of the same language are replaced is unverified.
        video.captions = sorted({*video.captions, locale})
        self.videos.put(video.id, video)
        return Answer.json({"success": True})

    @route("GET", "/{id}/captions", "confirm")
    async def captions(self, request: Request) -> Answer:
        """List the captions of a video."""
        return Answer.json({"data": [{"locale": locale} for locale in self._own_video(request).captions]})

    def _own_video(self, request: Request) -> Video:
        return self._uploaded_video(self.account(request), request.params["id"])

    def _uploaded_video(self, account: Account, video_id: str) -> Video:
        return own(self.videos.get(video_id), account, missing_object(video_id, "post"))

    def _begin(self, account: Account, edge: str, size: int = 0) -> Video:
        video = Video(self.ids.next(), account.account_id, edge, self.ids.next(), size)
        self.videos.put(video.id, video)
        self.sessions[video.session] = video.id
        self.received[video.id] = bytearray()
        return video

    def _begun(self, request: Request, video: Video) -> Answer:
        return Answer.json({"video_id": video.id, "upload_url": f"{request.base_url}/video-upload/v25.0/{video.id}"})

    def _check_host(self, account: Account, request: Request) -> None:
        """Refuse the bytes of a video if they are sent to the wrong host."""
        host = request.header("x-forwarded-host") or request.header("host")
        refuses = (
            (self.holds("videos_elsewhere", account) and host != VIDEO_HOST)
            or (self.holds("videos_at_the_usual_host", account) and host == VIDEO_HOST)
            or (self.holds("upload_domain_told", account) and host != UPLOAD_DOMAIN)
        )
        if refuses:
            raise refused("Service temporarily unavailable", 2, 1363030, "Your video upload timed out.")

    def _in_session(self, account: Account, values: dict[str, Any]) -> Video:
        video = self.videos.get(self.sessions.get(str(values.get("upload_session_id", "")), ""))
        if video is None or video.account_id != account.account_id or video.finished_at is not None:
            raise refused("There was a problem uploading your video file. Please try again.", 6000)
        return video

    def _missing_range(self, video: Video) -> dict[str, str]:
        start = video.size if video.complete else len(self.received.get(video.id, b""))
        return {"start_offset": str(start), "end_offset": str(min(start + WINDOW, video.size))}

    def _take_piece(self, video: Video, values: dict[str, Any]) -> Answer:
        content, piece = self.received.setdefault(video.id, bytearray()), values.get("video_file_chunk")
        remaining = int(self._missing_range(video)["end_offset"]) - len(content)
        if _number(values, "start_offset") != len(content):
            offsets = {name: int(offset) for name, offset in self._missing_range(video).items()}
            message = "There was a problem uploading your video. Please try again."
            raise RefusedError(graph_error(message, 6001, 1363037, data=offsets))
        if not isinstance(piece, bytes) or len(piece) != remaining:
            raise refused("There was a problem uploading your video file. Please try again.", 6000, 1363019)
        content += piece
        if len(content) == video.size:
            self._whole(video)
        return Answer.json(self._missing_range(video))

    def _whole(self, video: Video) -> None:
        content = bytes(self.received.pop(video.id))
        video.shown, file_format = self.shown(content, "video"), probe(content)
        video.seconds = file_format.seconds if file_format and not samples.origin(content) else 0
        if video.shown is None:
            video.error = "The video file you selected is in a format that we don't support."
        video.complete = True
        self.videos.put(video.id, video)

    def _ended(self, account: Account, values: dict[str, Any]) -> Video:
        if str(values.get("upload_phase", "")).lower() != "finish":
            raise invalid("param upload_phase must be one of START, FINISH.")
        return self._uploaded_video(account, str(values.get("video_id", "")))

    def _finish(self, account: Account, video: Video, values: dict[str, Any], kind: str) -> None:
        if not video.complete:
            raise refused("The video was not uploaded completely", 6000)
        shortest, longest = SECONDS.get(kind, (0, 14_400))
        if video.seconds and not shortest <= video.seconds <= longest:
            message = f"The video must last {shortest} to {longest} seconds."
            raise refused("Video duration is not supported", 100, 1363128, message)
        if len(str(values.get("title") or "")) > TITLE_LENGTH:
            raise invalid("Name parameter too long")
        if video.finished_at is not None:
            return
        now = self.world.now()
        video.finished_at, video.ready_at = now, now + (PROCESSING_SECONDS if self.world.realistic else 0)
        published = str(values.get("published", "true")).lower() not in ("false", "0")
        stays = kind == "video" and self.holds("videos_stay_drafts", account)
        video.draft = values.get("video_state") == "DRAFT" or not published or stays
        if video.error is None and not video.draft:
            text, media = str(values.get("description") or ""), [video.shown] if video.shown else []
            post_id = self.ids.next() if kind == "story" else f"{account.user_id}_{self.ids.next()}"
            post = self.make_public(account, post_id, text, kind, media, media_id=video.id)
            video.post_id = post.platform_post_id
            post.note = str(values["title"]) if values.get("title") else None
            self.world.posts.changed(post)
        self.videos.put(video.id, video)


def _number(values: dict[str, Any], name: str) -> int:
    value = str(values.get(name, ""))
    if not value.isdecimal():
        raise invalid(f"param {name} must be an integer.")
    return int(value)
