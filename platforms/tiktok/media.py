"""The upload of a video to TikTok in chunks, the last of which publishes it, and TikTok's verdict on a post."""

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from platforms.base import Absent, Draft, Finding, Published, Unknown
from platforms.errors import ErrorKind, PlatformError
from platforms.files import MediaFile
from platforms.http.answers import ListAt
from platforms.http.body import FileBody
from platforms.http.untrusted import moment
from platforms.steps.matching import MatchingPost, likeness, verdict_of_newest
from platforms.tiktok import errors
from platforms.tiktok.access import TikTokConnection, TikTokContext, call
from platforms.tiktok.rules import PUBLIC, RULES, TikTokSettings, is_video, photo_title

Json = dict[str, Any]


def video_body(draft: Draft[TikTokSettings], creator: dict[str, Any], source: Json) -> Json:
    """Return the body that begins a video; in the app's inbox a person chooses everything but the file."""
    if draft.settings.draft:
        return {"source_info": source}
    settings = draft.settings
    info = {
        "title": draft.text,
        **_audience(draft, creator),
        "disable_duet": not settings.allow_duet or bool(creator.get("duet_disabled")),
        "disable_stitch": not settings.allow_stitch or bool(creator.get("stitch_disabled")),
        "is_aigc": settings.video_made_with_ai,
    }
    if settings.video_cover_timestamp_ms is not None:
        info["video_cover_timestamp_ms"] = settings.video_cover_timestamp_ms
    return {"post_info": info, "source_info": source}


def photo_body(draft: Draft[TikTokSettings], creator: dict[str, Any]) -> Json:
    """Return the body that makes a post of photos, which TikTok fetches itself."""
    settings = draft.settings
    info: Json = {"description": settings.description or draft.text}
    if settings.description:
        info["title"] = photo_title(draft.text)
    if not settings.draft:
        info |= _audience(draft, creator)
        if settings.auto_add_music is not None:
            info["auto_add_music"] = settings.auto_add_music
    return {
        "media_type": "PHOTO",
        "post_mode": "MEDIA_UPLOAD" if settings.draft else "DIRECT_POST",
        "post_info": info,
        "source_info": {
            "source": "PULL_FROM_URL",
            "photo_images": [item.url for item in draft.media],
            "photo_cover_index": settings.photo_cover_index or 0,
        },
    }


def caption_text(draft: Draft[TikTokSettings]) -> str:
    """Return the text by which the post is recognised among the account's others."""
    return draft.text if is_video(draft) else draft.settings.description or draft.text


def _audience(draft: Draft[TikTokSettings], creator: dict[str, Any]) -> Json:
    settings = draft.settings
    kind = settings.commercial_content_type
    return {
        "privacy_level": settings.privacy_level,
        "disable_comment": not settings.allow_comment or bool(creator.get("comment_disabled")),
        "brand_content_toggle": settings.brand_partner_promote or kind == "brand_content",
        "brand_organic_toggle": settings.is_brand_organic_post or kind == "brand_organic",
    }


CHECK_PAUSES = (0, 5, 10, 15, 30, 60, 60, 60)
"""Seconds before each check right after publishing; the workflow makes later checks, on durable timers. TikTok answers
30 a minute and publishes six posts in it, so each post may have five."""
CHECKS_FOR_ID = 4
"""Further checks once the post is published: its public id follows after moderation."""
NEWEST = 20
"""Posts that are searched, the most that TikTok lists in one response."""
_LISTED = "id,title,video_description,create_time,share_url"
_PULLS = {"video_pull_failed", "photo_pull_failed"}
_PULL_WAITS = (timedelta(seconds=30), timedelta(minutes=2))
"""How long a post waits after each time that TikTok could not fetch its media; ours. The server that has them may be
starting again, also our own."""

COUNT_LAGS = timedelta(minutes=5)
"""How long after the last chunk TikTok's count of received bytes may still be too low; ours."""


@dataclass(frozen=True, slots=True)
class Status:
    """TikTok's report on a post; only public posts have a `post_id`."""

    name: str
    reason: str
    post_id: str | None
    uploaded: int | None

    @property
    def done(self) -> bool:
        """Return whether TikTok has completed the request."""
        return self.name in {"PUBLISH_COMPLETE", "SEND_TO_USER_INBOX"}


class PublishVerdict:
    """TikTok's verdict on one post."""

    def __init__(self, connection: TikTokConnection, context: TikTokContext) -> None:
        self._connection = connection
        self._context = context
        self._handles = context.handles

    @property
    def publish_id(self) -> str | None:
        """Return TikTok's id of the post, which exists before the post is public."""
        upload: dict[str, Any] = self._handles.get("upload") or {}
        return upload.get("publishId") or self._handles.get("publishId")

    async def status(self) -> Status:
        """Ask for the state of the post."""
        data = await call(self._connection, "/v2/post/publish/status/fetch/", {"publish_id": self.publish_id})
        # The first name is TikTok's own spelling.
        ids = data.get("publicaly_available_post_id") or data.get("publicly_available_post_id") or []
        uploaded = data.get("uploaded_bytes")
        return Status(
            str(data.get("status", "")),
            str(data.get("fail_reason") or ""),
            str(ids[0]) if ids else None,
            uploaded if isinstance(uploaded, int) else None,
        )

    async def watch(self) -> Published:
        """Wait until TikTok has published. Raises PlatformError: what failed, or `unconfirmed` if it takes long."""
        checks_left = CHECKS_FOR_ID
        for pause in CHECK_PAUSES:
            await asyncio.sleep(pause)
            self._context.heartbeat("processing")
            try:
                status = await self.status()
            except PlatformError:
                # TikTok has it: a failed check must not lead to publishing it again.
                continue
            if status.name == "FAILED":
                raise await self.fail(status.reason)
            checks_left -= status.done
            if status.done and (status.post_id or not self._becomes_public() or not checks_left):
                return self.published(status)
        raise PlatformError(ErrorKind.UNCONFIRMED, "TikTok is still processing the post.", code="processing")

    async def find(self, sent_at: datetime) -> Finding:
        """Return whether a post that was first sent at `sent_at` was published."""
        if self.publish_id is None:
            # Beginning the upload of a video publishes nothing; a request to fetch photos may have published them.
            return Absent() if is_video(self._context.draft) else await self._find_listed(sent_at)
        status = await self.status()
        if status.done:
            return self.published(status)
        if status.name == "FAILED":
            self._handles["failed"] = status.reason
            await self._save()
            return Absent()
        upload: dict[str, Any] = self._handles.get("upload") or {}
        incomplete = status.uploaded is not None and status.uploaded < upload.get("size", 0)
        if incomplete and upload.get("last") and not self.has_settled():
            return Unknown()
        return Absent() if status.name == "PROCESSING_UPLOAD" and incomplete else Unknown()

    def has_settled(self) -> bool:
        """Return whether the count of an upload's bytes can be trusted: no documentation says that it never lags."""
        sent = self._context.started_at
        return sent is None or datetime.now(UTC) - sent > COUNT_LAGS

    async def fail(self, reason: str) -> PlatformError:
        """Forget a post that failed at TikTok; return its error. If TikTok could not fetch media, retry twice."""
        for name in ("upload", "publishId", "failed"):
            self._handles.pop(name, None)
        error = errors.failed(reason)
        pulls = int(self._handles.get("failedPulls", 0))
        if reason in _PULLS and pulls < len(_PULL_WAITS):
            self._handles["failedPulls"] = pulls + 1
            error = PlatformError(ErrorKind.TRANSIENT, error.message, code=error.code, retry_after=_PULL_WAITS[pulls])
        await self._save()
        return error

    def published(self, status: Status) -> Published:
        """Return the published post: with its own id once that is known, before that with its publish_id."""
        user = self._handles.get("creator", {}).get("creator_username") or self._connection.account.username
        if status.post_id is None:
            in_inbox = status.name == "SEND_TO_USER_INBOX"
            return Published(str(self.publish_id), None if in_inbox else f"https://www.tiktok.com/@{user}")
        # That the addresses of photos have this form is general knowledge, unverified.
        kind = "video" if is_video(self._context.draft) else "photo"
        return Published(status.post_id, f"https://www.tiktok.com/@{user}/{kind}/{status.post_id}")

    def _becomes_public(self) -> bool:
        settings = self._context.draft.settings
        return settings.privacy_level == PUBLIC and not settings.draft

    async def _find_listed(self, sent_at: datetime) -> Finding:
        """Look among the account's public posts. Moderation takes hours, so absence alone proves nothing."""
        try:
            path, listed_at = f"/v2/video/list/?fields={_LISTED}", ListAt(("data", "videos"))
            data = await call(self._connection, path, {"max_count": NEWEST}, listed=listed_at)
        except PlatformError as error:
            if error.code != "scope_not_authorized":
                raise
            # The account was connected without the permission video.list, which publishing does not need.
            return Unknown(final=True)
        videos = data.get("videos") or []
        posts = (_matching_post(post, caption_text(self._context.draft)) for post in videos)
        finding = await verdict_of_newest(self._context, videos, posts, since=sent_at, most=NEWEST)
        return Unknown(final=self._context.is_refused) if finding == Absent() else finding

    async def _save(self) -> None:
        await self._context.save(self._handles)


def _matching_post(post: dict[str, Any], caption: str) -> MatchingPost:
    like = max(likeness(post.get(name), caption) for name in ("title", "video_description"))
    return MatchingPost(Published(str(post["id"]), post.get("share_url")), moment(post.get("create_time") or 0), like)


CHUNK_BYTES = 10_000_000
"""TikTok takes chunks of 5 to 64 MB, and a last one of up to 128 MB; our last has less than two of these."""
LIFETIME = 55 * 60
"""Seconds; an upload's address is valid for an hour."""

LONGEST = "max_video_post_duration_sec"
"""TikTok's field for the creator's own limit."""
_GONE = {403, 404, 410}


class Upload:
    """The upload of one video, kept in the handles with its publish_id, which identifies it at TikTok."""

    def __init__(self, connection: TikTokConnection, context: TikTokContext) -> None:
        self._connection = connection
        self._context = context

    @property
    def known(self) -> dict[str, Any] | None:
        """Return the stored upload, if there is one."""
        return self._context.handles.get("upload")

    async def forget(self) -> None:
        """Drop the upload, which can no longer publish anything."""
        self._context.handles.pop("upload", None)
        await self._save()

    async def prepare(self, creator: dict[str, Any]) -> None:
        """Begin the upload, or continue it, up to its last chunk."""
        if self.known is not None and self.known.get("last"):
            return
        if self.known is not None and self.known["expiresAt"] < time.time():
            await self.forget()
        if self.known is not None and self.known["sent"] == self.known["count"] - 1:
            return
        async with self._context.media.open(self._context.draft.media[0]) as file:
            _check_length(file, creator)
            if self.known is None or self.known["size"] != file.size:
                await self._begin(file, creator)
            await self._send_up_to_the_last(file)

    async def finish(self) -> None:
        """Send the last chunk. TikTok then processes and publishes the video. Raises PlatformError."""
        if self.known is None:
            raise PlatformError(ErrorKind.TRANSIENT, "TikTok must be given the video again.", code="no_upload")
        upload = self.known
        async with self._context.media.open(self._context.draft.media[0]) as file:
            if file.size != upload["size"]:
                await self.forget()
                raise PlatformError(
                    ErrorKind.TRANSIENT, "The video has changed since its upload began.", code="changed"
                )
            start = (upload["count"] - 1) * upload["chunk"]
            # Noted before it is sent: after a crash, the next attempt must ask TikTok first.
            upload["last"] = True
            await self._save()
            try:
                await self._put(upload, start, file.part(start, file.size), public=True)
            except PlatformError as error:
                if error.status == 416:
                    # TikTok has these bytes already, or wants others; its status shows which.
                    raise error.as_unconfirmed() from error
                raise

    async def _begin(self, file: MediaFile, creator: dict[str, Any]) -> None:
        [_, rule] = RULES.files
        if file.content_type not in rule.types:
            raise PlatformError(
                ErrorKind.REJECTED, f"TikTok takes no {file.content_type} as a video.", code="media_type"
            )
        count = max(file.size // CHUNK_BYTES, 1)
        chunk = CHUNK_BYTES if count > 1 else file.size
        source = {"source": "FILE_UPLOAD", "video_size": file.size, "chunk_size": chunk, "total_chunk_count": count}
        inbox = "inbox/" if self._context.draft.settings.draft else ""
        body = video_body(self._context.draft, creator, source)
        data = await call(self._connection, f"/v2/post/publish/{inbox}video/init/", body)
        if not data.get("publish_id") or not data.get("upload_url"):
            raise PlatformError(ErrorKind.TRANSIENT, "TikTok began no upload.", code="unreadable_answer")
        self._context.handles["upload"] = {
            "publishId": data["publish_id"],
            "url": data["upload_url"],
            "type": file.content_type,
            "size": file.size,
            "chunk": chunk,
            "count": count,
            "sent": 0,
            "expiresAt": int(time.time()) + LIFETIME,
        }
        await self._save()

    async def _send_up_to_the_last(self, file: MediaFile) -> None:
        upload = self._context.handles["upload"]
        for index in range(upload["sent"], upload["count"] - 1):
            start = index * upload["chunk"]
            await self._put(upload, start, file.part(start, upload["chunk"]))
            upload["sent"] = index + 1
            await self._save()
            self._context.heartbeat(f"{upload['sent'] * 100 // upload['count']}%")

    async def _put(self, upload: dict[str, Any], start: int, piece: MediaFile, *, public: bool = False) -> None:
        body = FileBody(piece)
        headers = {
            "Content-Type": upload["type"],
            "Content-Range": f"bytes {start}-{start + piece.size - 1}/{upload['size']}",
        }
        try:
            await self._connection.wire.send("PUT", upload["url"], public=public, headers=headers, content=body)
        except PlatformError as error:
            if error.status == 416 and not public and await self._has_received(start + piece.size):
                # The chunk has arrived before, and the response to it was lost.
                return
            if error.status in _GONE and public and not PublishVerdict(self._connection, self._context).has_settled():
                # The last chunk may have arrived before. TikTok's status shows that, but lags, so it must not be
                # trusted too soon.
                raise error.as_unconfirmed() from error
            if error.status in _GONE or (error.status == 416 and not public):
                await self.forget()
                message = "TikTok must be given the video again."
                raise PlatformError(ErrorKind.TRANSIENT, message, code=error.code, status=error.status) from error
            raise

    async def _has_received(self, size: int) -> bool:
        uploaded = (await PublishVerdict(self._connection, self._context).status()).uploaded
        return uploaded is not None and uploaded >= size

    async def _save(self) -> None:
        await self._context.save(self._context.handles)


def _check_length(file: MediaFile, creator: dict[str, Any]) -> None:
    """Reject a video that is too long for this creator before it is uploaded. Raises PlatformError."""
    longest = creator.get(LONGEST)
    if isinstance(longest, int | float) and file.seconds is not None and file.seconds > longest:
        message = (
            f"TikTok lets this account publish videos of up to {longest:,g} seconds; this has {file.seconds:,.0f}."
        )
        raise PlatformError(ErrorKind.REJECTED, message, code="duration_check_failed")
