"""X's media: uploaded in one request or in pieces, processed, then named in a post."""

import re

import msgspec

from sandbox.accounts import Account
from sandbox.fake_platform import route
from sandbox.fetching import probe
from sandbox.platforms.twitter.base import FakeX, invalid
from sandbox.posts import ShownMedia
from sandbox.wire import Answer, RefusedError, Request
from sandbox.world import World

CATEGORIES = {
    "tweet_image": "3_",
    "tweet_gif": "16_",
    "tweet_video": "7_",
    "amplify_video": "13_",
    "dm_image": "3_",
    "dm_gif": "16_",
    "dm_video": "7_",
    "subtitles": "24_",
}
"""The kinds of media, each with the prefix of its media keys (the prefixes are unverified)."""
LARGEST = {"tweet_image": 5 << 20, "dm_image": 5 << 20, "tweet_gif": 15 << 20, "dm_gif": 15 << 20}
LARGEST_VIDEO = 16_000 << 20
"""The limit of an account with X Premium."""
SMALL_CHUNK, LARGEST_CHUNK = 1 << 20, 5 << 20
"""Unverified; clients use this size."""
SECONDS_TO_UPLOAD = 1_295_999
SECONDS_TO_USE = 86_400
ALT_TEXT_LENGTH = 1000
LANGUAGE = re.compile("[A-Z]{2}")
TYPES = ("image/", "video/", "text/srt", "text/vtt", "model/")


class Medium(msgspec.Struct, rename="camel"):
    """One uploaded file. Times are seconds since 1970; `ready_at` is None until the upload is finalized."""

    id: str
    key: str
    account_id: str
    category: str
    total: int
    expires_at: float
    ready_at: float | None = None
    failure: str | None = None
    src: str | None = None
    alt: str | None = None
    seconds: float = 0
    """The duration of a video, if the file states it."""
    subtitles: dict[str, str] = msgspec.field(default_factory=dict)
    """The names of a video's subtitles, by language."""

    @property
    def kind(self) -> str:
        """Return image, gif or video."""
        return self.category.rpartition("_")[2]

    def shown(self) -> ShownMedia:
        """Return the file as posts show it."""
        kind = self.kind
        return ShownMedia("gif" if kind == "gif" else "video" if kind == "video" else "image", self.src, self.alt)


class MediaRoutes(FakeX):
    """The routes of /2/media."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.media = world.collection("twitter", "media", Medium)
        self._segments: dict[str, dict[int, bytes]] = {}

    @route("POST", "/2/media/upload", "prepare")
    async def upload(self, request: Request) -> Answer:
        """Receive a whole file in one request."""
        account = self.account(request)
        fields = dict(request.object() if request.is_json else request.form())
        category, content = str(fields.get("media_category", "")), _content(fields.get("media"))
        if category not in CATEGORIES:
            raise invalid("media_category is missing or unknown.", media_category=[category])
        medium = self._begin(account, category, len(content))
        self._finish(medium, content)
        if medium.failure is not None:
            raise invalid("media type unrecognized.", media=[])
        return _data(self._upload_data(medium, size=True))

    @route("POST", "/2/media/upload/initialize", "prepare")
    async def initialize(self, request: Request) -> Answer:
        """Begin an upload in pieces."""
        account = self.account(request)
        fields = request.object()
        category, total, kind = fields.get("media_category"), fields.get("total_bytes"), fields.get("media_type")
        if not isinstance(category, str) or category not in CATEGORIES:
            raise invalid("media_category is missing or unknown.", media_category=[str(category)])
        if not isinstance(total, int) or total < 0:
            raise invalid("total_bytes is missing or not a number.", total_bytes=[str(total)])
        if not isinstance(kind, str) or not kind.startswith(TYPES):
            raise invalid("media_type is missing or unknown.", media_type=[str(kind)])
        if total > LARGEST.get(category, LARGEST_VIDEO):
            raise invalid("File size exceeds the limit of this media category.", total_bytes=[str(total)])
        medium = self._begin(account, category, total)
        self.media.put(medium.id, medium)
        self._segments[medium.id] = {}
        return _data({"id": medium.id, "media_key": medium.key, "expires_after_secs": SECONDS_TO_UPLOAD})

    @route("POST", "/2/media/upload/{id}/append", "prepare")
    async def append(self, request: Request) -> Answer:
        """Receive one piece; the same piece may come again."""
        medium = self._own(request, request.params["id"])
        fields = dict(request.object() if request.is_json else request.form())
        segments = self._segments.get(medium.id)
        index, content = str(fields.get("segment_index", "")), _content(fields.get("media"))
        if segments is None:
            raise invalid("This upload is already finalized.", id=[medium.id])
        if not index.isdecimal() or int(index) > 9999:
            raise invalid("segment_index is missing or out of range.", segment_index=[index])
        if self.holds("small_pieces") and len(content) > SMALL_CHUNK:
            raise RefusedError(Answer(413))
        if len(content) > LARGEST_CHUNK:
            raise invalid("The segment is too large.", segment_index=[index])
        segments[int(index)] = content
        return _data({"expires_at": int(medium.expires_at)})

    @route("POST", "/2/media/upload/{id}/finalize", "prepare")
    async def finalize(self, request: Request) -> Answer:
        """Join the pieces."""
        medium = self._own(request, request.params["id"])
        segments = self._segments.get(medium.id)
        if segments is not None:
            content = b"".join(segments[index] for index in sorted(segments))
            if len(content) != medium.total:
                raise invalid(f"{len(content)} of {medium.total} bytes were received.", id=[medium.id])
            del self._segments[medium.id]
            self._finish(medium, content)
        elif medium.ready_at is None:
            raise invalid("The segments of this upload are gone.", id=[medium.id])
        return _data(self._upload_data(medium, size=True))

    @route("GET", "/2/media/upload", "prepare")
    async def status(self, request: Request) -> Answer:
        """Return the state of the processing."""
        if request.query.get("command") != "STATUS":
            raise invalid("command must be STATUS.", command=[request.query.get("command", "")])
        return _data(self._upload_data(self._own(request, request.query.get("media_id", "")), size=False))

    @route("POST", "/2/media/metadata", "prepare")
    async def metadata(self, request: Request) -> Answer:
        """Store the alternative text."""
        fields = request.object()
        medium = self._own(request, str(fields.get("id", "")))
        match fields.get("metadata"):
            case {"alt_text": {"text": str(text)}} if 0 < len(text) <= ALT_TEXT_LENGTH:
                medium.alt = text
            case _:
                raise invalid("metadata.alt_text.text must have 1 to 1000 characters.", metadata=[])
        self.media.put(medium.id, medium)
        return _data({"id": medium.id, "associated_metadata": {"alt_text": {"text": text}}})

    @route("POST", "/2/media/subtitles", "edit")
    async def add_subtitles(self, request: Request) -> Answer:
        """Add uploaded subtitles to a video; those of the same language are replaced (unverified)."""
        fields = request.object()
        video, track = self._own(request, str(fields.get("id", ""))), fields.get("subtitles")
        if not isinstance(track, dict) or not LANGUAGE.fullmatch(str(track.get("language_code"))):
            raise invalid("subtitles.language_code must be two capital letters.", subtitles=[])
        if fields.get("media_category") != "TweetVideo" or video.category != "tweet_video":
            raise invalid("media_category must be TweetVideo.", media_category=[])
        if self._own(request, str(track.get("id", ""))).category != "subtitles":
            raise invalid("subtitles.id names no subtitles.", subtitles=[])
        video.subtitles[track["language_code"]] = str(track.get("display_name", ""))
        self.media.put(video.id, video)
        return _data({"id": video.id, "media_category": "TweetVideo", "associated_subtitles": track})

    def usable(self, account: Account, media_id: str) -> Medium | None:
        """Return a medium that a post may name now, or None."""
        medium, now = self.media.get(media_id), self.world.now()
        if medium is None or medium.account_id != account.account_id or medium.failure or now > medium.expires_at:
            return None
        return medium if medium.ready_at is not None and medium.ready_at <= now else None

    def _begin(self, account: Account, category: str, total: int) -> Medium:
        media_id = self.ids.next()
        key = f"{CATEGORIES[category]}{media_id}"
        return Medium(
            media_id, key, account.account_id, category, total, expires_at=self.world.now() + SECONDS_TO_UPLOAD
        )

    def _finish(self, medium: Medium, content: bytes) -> None:
        now = self.world.now()
        file_format = probe(content)
        wants_video = medium.kind == "video"
        if medium.category != "subtitles" and (file_format is None or file_format.is_image == wants_video):
            medium.failure = "Unsupported video format" if wants_video else "Unsupported image format"
        if len(content) > LARGEST.get(medium.category, LARGEST_VIDEO):
            raise invalid("File size exceeds the limit of this media category.", media=[])
        medium.expires_at = now + SECONDS_TO_USE
        medium.ready_at = now + (2 + len(content) / 20e6 if self.world.realistic and wants_video else 0)
        medium.src = self.keep_upload(medium.id, file_format.content_type, content) if file_format else None
        medium.seconds = file_format.seconds if file_format else 0
        self.media.put(medium.id, medium)

    def _upload_data(self, medium: Medium, *, size: bool) -> dict[str, object]:
        now = self.world.now()
        data: dict[str, object] = {
            "id": medium.id,
            "media_key": medium.key,
            "expires_after_secs": max(int(medium.expires_at - now), 0),
        }
        if size:
            data["size"] = medium.total
        if medium.kind in ("video", "gif"):
            data["processing_info"] = _processing(medium, now)
        return data

    def _own(self, request: Request, media_id: str) -> Medium:
        account = self.account(request)
        medium = self.media.get(media_id)
        if medium is None or medium.account_id != account.account_id or self.world.now() > medium.expires_at:
            raise invalid("The media id is unknown or has expired.", media_id=[media_id])
        return medium


def _processing(medium: Medium, now: float) -> dict[str, object]:
    if medium.failure is not None:
        return {"state": "failed", "error": {"code": 1, "name": "InvalidMedia", "message": medium.failure}}
    if medium.ready_at is None:
        return {"state": "pending", "check_after_secs": 1}
    seconds = medium.ready_at - now
    if seconds <= 0:
        return {"state": "succeeded", "progress_percent": 100}
    if seconds > 1.5:
        return {"state": "pending", "check_after_secs": 1}
    return {"state": "in_progress", "check_after_secs": 1, "progress_percent": 50}


def _content(value: object) -> bytes:
    if isinstance(value, bytes):
        return value
    raise invalid("media is missing.", media=[])


def _data(data: dict[str, object]) -> Answer:
    return Answer.json({"data": data})
