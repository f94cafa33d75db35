"""The state of a video at Facebook between the request that publishes it and the moment it is public."""

import asyncio
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from typing import Any

from platforms.base import Absent, Finding, PublishContext, Published, Refused, Unknown
from platforms.errors import ErrorKind, PlatformError
from platforms.facebook import errors, lookup
from platforms.facebook.connection import GRAPH, FacebookConnection
from platforms.facebook.settings import FacebookSettings
from platforms.http.wire import segment

BELIEVED_AFTER = timedelta(minutes=10)
"""How long a video that was to be public must read as not public before that counts. Reels became public after
Facebook had refused to publish them; ayrshare.com/docs/apis/post/social-networks/facebook advises to look ten minutes
later."""
CHECK_PAUSES = (0, 1, 2, 3, 5, 5, 10, 10, 15, 15, 30, 30, 60, 60)
"""Seconds before each check right after publishing; the workflow makes later checks, on durable timers."""


_POST_ID = re.compile(r"[0-9]{1,32}_[0-9]{1,32}")


class PhaseState(Enum):
    """The state in which Facebook's phases result; the reading is lenient, because their nesting is not documented."""

    UPLOADING = auto()
    UPLOADED = auto()
    """Complete but not publishing: no request asked for that yet, or Facebook still processes it."""
    DRAFT = auto()
    """Processed but not public: a draft as requested, or an upright video that was to be public (gitroomhq/postiz-app
    PR#1740)."""
    PUBLISHING = auto()
    PUBLIC = auto()
    FAILED = auto()
    GONE = auto()


@dataclass(frozen=True, slots=True)
class Video:
    """Facebook's report on a video."""

    state: PhaseState
    url: str | None = None
    message: str = ""
    post_id: str | None = None


async def read_video(connection: FacebookConnection, video_id: str) -> Video:
    """Read the state of a video."""
    try:
        answer = await GRAPH.get(connection, f"/{segment(video_id)}", fields="status,published,permalink_url,post_id")
    except PlatformError as error:
        if errors.is_gone(error):
            return Video(PhaseState.GONE)
        raise
    status: dict[str, Any] = answer.get("status") or {}
    phases = {name: status.get(f"{name}_phase") or {} for name in ("uploading", "processing", "publishing")}
    url = answer.get("permalink_url")
    url = f"https://www.facebook.com{url}" if url and url.startswith("/") else url
    state = _state(status, phases)
    if state is PhaseState.PUBLIC and _is_draft(answer, phases["publishing"]):
        state = PhaseState.DRAFT
    return Video(state, url, _error_message(phases), answer.get("post_id"))


async def wait_until_public(connection: FacebookConnection, context: PublishContext[FacebookSettings]) -> Published:
    """Wait until the video that was published is public.

    Raises PlatformError: `rejected` if Facebook could not process it, `unconfirmed` if it takes long.
    """
    video_id = context.handles["video"]["id"]
    for pause in CHECK_PAUSES:
        await asyncio.sleep(pause)
        context.heartbeat("processing")
        try:
            video = await read_video(connection, video_id)
        except PlatformError:
            # It was accepted: a failed check must not lead to publishing it again.
            continue
        if video.state is PhaseState.PUBLIC:
            return published(connection, context, video)
        if video.state is PhaseState.FAILED:
            context.handles.pop("video")
            await context.save(context.handles)
            raise errors.processing_failed(video.message)
    raise errors.still_processing()


async def doubted(context: PublishContext[FacebookSettings], error: PlatformError) -> PlatformError:
    """Return the meaning of an error of the request that publishes a video: a refusal counts once the video agrees."""
    refusal = error.claim or error
    if refusal.kind is not ErrorKind.REJECTED:
        return error
    context.handles["video"]["refusedAt"] = datetime.now(UTC).isoformat()
    await context.save(context.handles)
    return refusal.as_unconfirmed(claims=True)


async def find(connection: FacebookConnection, context: PublishContext[FacebookSettings], sent_at: datetime) -> Finding:
    """Find out from the video itself whether it became public; a failed one is noted for the next attempt."""
    handle = context.handles["video"]
    video = await read_video(connection, handle["id"])
    accepted, refused_at = handle.get("accepted"), handle.get("refusedAt")
    match video.state:
        case PhaseState.PUBLIC:
            return published(connection, context, video)
        case PhaseState.DRAFT if context.draft.settings.draft:
            return Published(handle["id"], None)
        case PhaseState.DRAFT if accepted and datetime.now(UTC) - sent_at > BELIEVED_AFTER:
            return Refused(errors.kept_as_draft())
        case PhaseState.FAILED:
            handle["failed"] = video.message
            await context.save(context.handles)
            return Absent()
        case PhaseState.PUBLISHING:
            return Unknown()
        case PhaseState.GONE if accepted or refused_at:
            if post := await lookup.find_video(connection, context, handle["id"]):
                return post
    # To publish the same video once more makes no duplicate, but is useless if Facebook has accepted it already.
    if accepted or (refused_at and datetime.now(UTC) - datetime.fromisoformat(refused_at) < BELIEVED_AFTER):
        return Unknown()
    return Absent()


def published(connection: FacebookConnection, context: PublishContext[FacebookSettings], video: Video) -> Published:
    """Return the post that shows a video, whose id comments and statistics need; else the video itself."""
    handle = context.handles["video"]
    reported = str(video.post_id or handle.get("post") or "")
    if reported.isdecimal():
        reported = f"{connection.account.user_id}_{reported}"
    post_id = lookup.require_own(connection, reported) if _POST_ID.fullmatch(reported) else handle["id"]
    return Published(post_id, video.url or f"https://www.facebook.com/{handle['id']}")


def _is_draft(answer: dict[str, Any], publishing: dict[str, Any]) -> bool:
    if publishing.get("publish_status") == "draft":
        return True
    return answer.get("published") is False and publishing.get("status") != "complete"


def _state(status: dict[str, Any], phases: dict[str, dict[str, Any]]) -> PhaseState:
    whole = status.get("video_status")
    if whole in {"error", "expired", "upload_failed"} or any(
        phase.get("status") == "error" for phase in phases.values()
    ):
        return PhaseState.FAILED
    publishing = phases["publishing"].get("status")
    if publishing == "complete" or (whole == "ready" and publishing is None):
        return PhaseState.PUBLIC
    if publishing == "in_progress":
        return PhaseState.PUBLISHING
    if whole in {"upload_complete", "processing", "ready"} or phases["uploading"].get("status") == "complete":
        return PhaseState.UPLOADED
    return PhaseState.UPLOADING


def _error_message(phases: dict[str, dict[str, Any]]) -> str:
    for phase in phases.values():
        reports = phase.get("errors") or phase.get("error")
        for error in reports if isinstance(reports, list) else [reports]:
            if isinstance(error, dict) and error.get("message"):
                return str(error["message"])
    return ""
