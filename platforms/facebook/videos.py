"""The search for a post on a Page: by its photos, its text or its medium, and by the state of its video."""

import asyncio
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from typing import Any

from platforms.base import Absent, Finding, Published, Refused, Unknown
from platforms.errors import ErrorKind, PlatformError, require_same
from platforms.facebook import errors
from platforms.facebook.media import photo_ids
from platforms.facebook.rules import RULES, FacebookConnection, FacebookContext
from platforms.http.answers import FirstItems
from platforms.http.untrusted import moment
from platforms.http.wire import segment
from platforms.meta.graph import GRAPH
from platforms.steps.matching import Likeness, MatchingPost, earliest_unclaimed, likeness, verdict_of_newest

PAGE = 50
POST_FIELDS = "id,message,created_time,permalink_url,attachments"
STORY_FIELDS = "post_id,media_id,creation_time,url"
"""Meta's description has the edge, but not its fields: unverified."""


async def find_post(connection: FacebookConnection, context: FacebookContext, sent_at: datetime) -> Finding:
    """Look for the post among the Page's newest. Raises PlatformError if the search fails."""
    path = f"/{segment(connection.account.user_id)}/published_posts"
    posts = await GRAPH.get_list(connection, path, fields=POST_FIELDS, limit=str(PAGE))
    matching = (_matching_post(connection, post, _likeness(post, context)) for post in posts)
    return await verdict_of_newest(context, posts, matching, since=sent_at, most=PAGE)


async def find_video(connection: FacebookConnection, context: FacebookContext, video_id: str) -> Published | None:
    """Look among the Page's newest posts for the one that shows a video, in case the video itself cannot be read."""
    path = f"/{segment(connection.account.user_id)}/published_posts"
    posts = await GRAPH.get_list(connection, path, fields=POST_FIELDS, limit=str(PAGE))
    return earliest_unclaimed(
        context, (_matching_post(connection, post) for post in posts if video_id in _media_ids(post))
    )


def require_own(connection: FacebookConnection, post_id: str, *, public: bool = False) -> str:
    """Return a post's id. Raises PlatformError if it names another Page; a story's names none."""
    page, _, number = post_id.partition("_")
    require_same("Facebook", page if number else None, connection.account.user_id, public=public)
    return post_id


def _matching_post(
    connection: FacebookConnection, post: dict[str, Any], like: Likeness = Likeness.SAME
) -> MatchingPost:
    require_own(connection, str(post["id"]))
    url = post.get("permalink_url") or RULES.post_id.page(post["id"])
    return MatchingPost(Published(str(post["id"]), url), moment(post["created_time"]), like)


def _likeness(post: dict[str, Any], context: FacebookContext) -> Likeness:
    ours, shown = set(photo_ids(context.handles)), set(_media_ids(post))
    if ours and shown:
        return Likeness.SAME if ours & shown else Likeness.OTHER
    if ours and not _entries(post, "attachments"):
        return Likeness.OTHER
    return likeness(post.get("message"), context.draft.text)


def _media_ids(post: dict[str, Any]) -> list[str]:
    attachments = _entries(post, "attachments")
    nested = [below for attachment in attachments for below in _entries(attachment, "subattachments")]
    targets = [attachment.get("target") or {} for attachment in (*attachments, *nested)]
    return [str(target["id"]) for target in targets if target.get("id")]


def _entries(holder: dict[str, Any], edge: str) -> list[dict[str, Any]]:
    return (holder.get(edge) or {}).get("data") or []


async def find_story(
    connection: FacebookConnection, context: FacebookContext, media_id: str, sent_at: datetime
) -> Finding:
    """Look for a story among those of the day. If one may be ours under another id, ours must not be sent again."""
    stories = await GRAPH.get_list(connection, f"/{segment(connection.account.user_id)}/stories", fields=STORY_FIELDS)
    for story in stories:
        if str(story.get("media_id")) == media_id and story.get("post_id"):
            return Published(str(story["post_id"]), story.get("url") or RULES.post_id.page(str(story["post_id"])))
    unnamed = (
        MatchingPost(Published(str(story.get("post_id")), None), moment(story.get("creation_time", 0)))
        for story in stories
        if "media_id" not in story
    )
    if earliest_unclaimed(context, unnamed, since=sent_at):
        return Unknown()
    return Unknown(is_cut=True) if isinstance(stories, FirstItems) else Absent()


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


async def wait_until_public(connection: FacebookConnection, context: FacebookContext) -> Published:
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


async def doubted(context: FacebookContext, error: PlatformError) -> PlatformError:
    """Return the meaning of an error of the request that publishes a video: a refusal counts once the video agrees."""
    refusal = error.claim or error
    if refusal.kind is not ErrorKind.REJECTED:
        return error
    context.handles["video"]["refusedAt"] = datetime.now(UTC).isoformat()
    await context.save(context.handles)
    return refusal.as_unconfirmed(claims=True)


async def find_published_video(connection: FacebookConnection, context: FacebookContext, sent_at: datetime) -> Finding:
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
            if post := await find_video(connection, context, handle["id"]):
                return post
    # To publish the same video once more makes no duplicate, but is useless if Facebook has accepted it already.
    if accepted or (refused_at and datetime.now(UTC) - datetime.fromisoformat(refused_at) < BELIEVED_AFTER):
        return Unknown()
    return Absent()


def published(connection: FacebookConnection, context: FacebookContext, video: Video) -> Published:
    """Return the post that shows a video, whose id comments and statistics need; else the video itself."""
    handle = context.handles["video"]
    reported = str(video.post_id or handle.get("post") or "")
    if reported.isdecimal():
        reported = f"{connection.account.user_id}_{reported}"
    post_id = require_own(connection, reported) if _POST_ID.fullmatch(reported) else handle["id"]
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
