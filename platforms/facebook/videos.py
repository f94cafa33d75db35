"""Where a video stands at Facebook between the request that publishes it and the moment it is public."""

import asyncio
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from typing import Any

from platforms.base import Absent, Finding, PublishContext, Published, Refused, Unknown
from platforms.errors import PlatformError
from platforms.facebook import errors, lookup
from platforms.facebook.connection import GRAPH, FacebookConnection
from platforms.facebook.settings import FacebookSettings
from platforms.http.wire import segment

KEPT_AFTER = timedelta(minutes=10)
"""How long a video that was to be public may read as a draft before that is believed; our choice."""
LOOKS = (0, 1, 2, 3, 5, 5, 10, 10, 15, 15, 30, 30, 60, 60)
"""Seconds before each look right after publishing; later looks are the engine's, on durable timers."""


_POST_ID = re.compile(r"[0-9]{1,32}_[0-9]{1,32}")


class State(Enum):
    """What Facebook's phases come down to; they are told apart loosely, for their nesting is described nowhere."""

    UPLOADING = auto()
    UPLOADED = auto()
    """Whole, and not publishing: it was not told to, or still processes."""
    DRAFT = auto()
    """Processed, and shown to nobody: as it was told, or upright videos though they were to be public
    (gitroomhq/postiz-app PR#1740)."""
    PUBLISHING = auto()
    PUBLIC = auto()
    FAILED = auto()
    GONE = auto()


@dataclass(frozen=True, slots=True)
class Video:
    """Hold what Facebook says of a video."""

    state: State
    url: str | None = None
    said: str = ""
    post_id: str | None = None


async def look(connection: FacebookConnection, video_id: str) -> Video:
    """Read where a video stands."""
    try:
        answer = await GRAPH.get(connection, f"/{segment(video_id)}", fields="status,published,permalink_url,post_id")
    except PlatformError as error:
        if errors.is_gone(error):
            return Video(State.GONE)
        raise
    status: dict[str, Any] = answer.get("status") or {}
    phases = {name: status.get(f"{name}_phase") or {} for name in ("uploading", "processing", "publishing")}
    url = answer.get("permalink_url")
    url = f"https://www.facebook.com{url}" if url and url.startswith("/") else url
    state = _state(status, phases)
    if state is State.PUBLIC and _is_draft(answer, phases["publishing"]):
        state = State.DRAFT
    return Video(state, url, _said(phases), answer.get("post_id"))


async def watch(connection: FacebookConnection, context: PublishContext[FacebookSettings]) -> Published:
    """Wait until the video that was published is public.

    Raises PlatformError: `rejected` where Facebook could not process it, `unconfirmed` where it takes long.
    """
    video_id = context.handles["video"]["id"]
    for pause in LOOKS:
        await asyncio.sleep(pause)
        context.heartbeat("processing")
        try:
            video = await look(connection, video_id)
        except PlatformError:
            # It was accepted: that we cannot look right now must not make anybody publish it again.
            continue
        if video.state is State.PUBLIC:
            return published(connection, context, video)
        if video.state is State.FAILED:
            context.handles.pop("video")
            await context.save(context.handles)
            raise errors.processing_failed(video.said)
    raise errors.still_processing()


async def find(connection: FacebookConnection, context: PublishContext[FacebookSettings]) -> Finding:
    """Tell from the video itself whether it became public; one that failed is noted for the next attempt."""
    handle = context.handles["video"]
    video = await look(connection, handle["id"])
    match video.state:
        case State.PUBLIC:
            return published(connection, context, video)
        case State.DRAFT if context.draft.settings.draft:
            return Published(handle["id"], None)
        case State.DRAFT if handle.get("accepted") and _is_long_ago(context):
            return Refused(errors.kept_as_draft())
        case State.FAILED:
            handle["failed"] = video.said
            await context.save(context.handles)
            return Absent()
        case State.PUBLISHING:
            return Unknown()
        case State.GONE if handle.get("accepted"):
            return await lookup.find_video(connection, context, handle["id"]) or Unknown()
    # Asking once more to publish the same video makes no double, but is in vain where Facebook said yes already.
    return Unknown() if handle.get("accepted") else Absent()


def published(connection: FacebookConnection, context: PublishContext[FacebookSettings], video: Video) -> Published:
    """Name the post that shows a video, as comments and figures want it; the video itself if no post is told."""
    handle = context.handles["video"]
    told = str(video.post_id or handle.get("post") or "")
    if told.isdecimal():
        told = f"{connection.account.user_id}_{told}"
    post_id = told if _POST_ID.fullmatch(told) else handle["id"]
    return Published(post_id, video.url or f"https://www.facebook.com/{handle['id']}")


def _is_draft(answer: dict[str, Any], publishing: dict[str, Any]) -> bool:
    if publishing.get("publish_status") == "draft":
        return True
    return answer.get("published") is False and publishing.get("status") != "complete"


def _is_long_ago(context: PublishContext[FacebookSettings]) -> bool:
    return context.started_at is not None and datetime.now(UTC) - context.started_at > KEPT_AFTER


def _state(status: dict[str, Any], phases: dict[str, dict[str, Any]]) -> State:
    whole = status.get("video_status")
    if whole in {"error", "expired", "upload_failed"} or any(
        phase.get("status") == "error" for phase in phases.values()
    ):
        return State.FAILED
    publishing = phases["publishing"].get("status")
    if publishing == "complete" or (whole == "ready" and publishing is None):
        return State.PUBLIC
    if publishing == "in_progress":
        return State.PUBLISHING
    if whole in {"upload_complete", "processing", "ready"} or phases["uploading"].get("status") == "complete":
        return State.UPLOADED
    return State.UPLOADING


def _said(phases: dict[str, dict[str, Any]]) -> str:
    for phase in phases.values():
        found = phase.get("errors") or phase.get("error")
        for error in found if isinstance(found, list) else [found]:
            if isinstance(error, dict) and error.get("message"):
                return str(error["message"])
    return ""
