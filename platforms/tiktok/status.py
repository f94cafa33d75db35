"""The state of a post that TikTok accepted: read by its publish_id, else from the list of the account's videos."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from platforms.base import Absent, Finding, PublishContext, Published, Unknown
from platforms.errors import ErrorKind, PlatformError
from platforms.http.answers import ListAt
from platforms.http.untrusted import moment
from platforms.steps.matching import MatchingPost, likeness, verdict_of_newest
from platforms.tiktok import errors
from platforms.tiktok.connection import TikTokConnection, call
from platforms.tiktok.fields import caption_text
from platforms.tiktok.rules import is_video
from platforms.tiktok.settings import PUBLIC, TikTokSettings

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

    def __init__(self, connection: TikTokConnection, context: PublishContext[TikTokSettings]) -> None:
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
        finding = verdict_of_newest(self._context, videos, posts, since=sent_at, most=NEWEST)
        return Unknown(final=self._context.is_refused) if finding == Absent() else finding

    async def _save(self) -> None:
        await self._context.save(self._handles)


def _matching_post(post: dict[str, Any], caption: str) -> MatchingPost:
    like = max(likeness(post.get(name), caption) for name in ("title", "video_description"))
    return MatchingPost(Published(str(post["id"]), post.get("share_url")), moment(post.get("create_time") or 0), like)
