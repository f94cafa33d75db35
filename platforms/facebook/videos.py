"""Where a video stands at Facebook between the request that publishes it and the moment it is public."""

import asyncio
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from platforms.base import Absent, Finding, Published, Sending, Unknown
from platforms.errors import NetworkError
from platforms.facebook import errors
from platforms.facebook.line import GRAPH, Line
from platforms.facebook.settings import FacebookSettings
from platforms.wire import segment

LOOKS = (0, 1, 2, 3, 5, 5, 10, 10, 15, 15, 30, 30, 60, 60)
"""Seconds before each look right after publishing; later looks are the engine's, on durable timers."""


class State(Enum):
    """What Facebook's phases come down to; they are told apart loosely, for their nesting is described nowhere."""

    UPLOADING = auto()
    UPLOADED = auto()
    """Whole, and not publishing: it was not told to, or still processes."""
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


async def look(connection: Line, video_id: str) -> Video:
    """Read where a video stands."""
    try:
        answer = await GRAPH.get(connection, f"/{segment(video_id)}", fields="status,published,permalink_url,post_id")
    except NetworkError as error:
        if errors.is_gone(error):
            return Video(State.GONE)
        raise
    status: dict[str, Any] = answer.get("status") or {}
    phases = {name: status.get(f"{name}_phase") or {} for name in ("uploading", "processing", "publishing")}
    url = answer.get("permalink_url")
    url = f"https://www.facebook.com{url}" if url and url.startswith("/") else url
    state = _state(status, phases)
    if state is State.PUBLIC and answer.get("published") is False and phases["publishing"].get("status") != "complete":
        # Upright videos have been kept as drafts although the API said yes (gitroomhq/postiz-app PR#1740).
        state = State.UPLOADED
    return Video(state, url, _said(phases), answer.get("post_id"))


async def watch(connection: Line, sending: Sending[FacebookSettings]) -> Published:
    """Wait until the video that was published is public.

    Raises NetworkError: `rejected` where Facebook could not process it, `unclear` where it takes long.
    """
    video_id = sending.handles["video"]["id"]
    for pause in LOOKS:
        await asyncio.sleep(pause)
        sending.heartbeat("processing")
        try:
            video = await look(connection, video_id)
        except NetworkError:
            # It was accepted: that we cannot look right now must not make anybody publish it again.
            continue
        if video.state is State.PUBLIC:
            return published(video_id, video)
        if video.state is State.FAILED:
            sending.handles.pop("video")
            await sending.save(sending.handles)
            raise errors.processing_failed(video.said)
    raise errors.still_processing()


async def find(connection: Line, sending: Sending[FacebookSettings]) -> Finding:
    """Tell from the video itself whether it became public; one that failed is noted for the next attempt."""
    handle = sending.handles["video"]
    video = await look(connection, handle["id"])
    match video.state:
        case State.PUBLIC:
            return published(handle["id"], video)
        case State.FAILED:
            handle["failed"] = video.said
            await sending.save(sending.handles)
            return Absent()
        case State.PUBLISHING:
            return Unknown()
    # Asking once more to publish the same video makes no double, but is in vain where Facebook said yes already.
    return Unknown() if handle.get("accepted") else Absent()


def published(video_id: str, video: Video) -> Published:
    """Name a video."""
    return Published(video_id, video.url or f"https://www.facebook.com/{video_id}")


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
