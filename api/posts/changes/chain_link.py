"""The other post that a post is to wait for."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from domain.content import PostContent
from domain.errors import Conflict, Problem, Unprocessable
from domain.ids import is_post_id
from domain.moves import MOST_POSTS, FirstPost, FollowDecision, OnFailure, decide_follow, follow_time
from domain.schedule import LATE_COUNTS_AS_NOW, UnknownZone
from store.posts.chains import inspect_link

_PARAM = "after.postId"
UNKNOWN_POST = Problem("This workspace has no such post", "post_not_found", _PARAM)
_CIRCLE = Problem("That post waits for this one, itself or through others", "chain_circle", _PARAM)
_TOO_LONG = Problem(f"A chain has at most {MOST_POSTS} posts that wait for each other", "chain_too_long", _PARAM)
_FAILED = Problem("That post has failed: retry it first, or wait for its retry with onFailure wait", "conflict", _PARAM)
_TOO_LATE = Problem(
    "That post was published, and delay after it is more than 5 minutes in the past: give scheduledFor or publishNow",
    "scheduled_time_passed",
    "after.delay",
)
_NO_ZONE = Problem("The post's time zone no longer exists; give another timezone", "invalid_field_value", "timezone")


async def require_link(
    session: AsyncSession, workspace_id: str, post_id: str, content: PostContent, now: datetime
) -> None:
    """Raise Unprocessable or Conflict if a post may not wait for the one that its content names.

    No other chain of the workspace changes until the transaction ends. The post's own row is locked before, if it has
    one.
    """
    first_id = content.after_post_id or ""
    link = await inspect_link(session, workspace_id, post_id, first_id) if is_post_id(first_id) else None
    if link is None:
        raise Unprocessable(UNKNOWN_POST)
    problem = find_link_problem(link.first, content, now, is_circle=link.is_circle, length=link.length)
    if problem is not None:
        raise (Conflict if problem is _FAILED else Unprocessable)(problem)


def find_link_problem(
    first: FirstPost | None, content: PostContent, now: datetime, *, is_circle: bool, length: int
) -> Problem | None:
    """Return why a post may not wait for another one; None as `first`: for one that is saved together with it.

    `length`: how many posts the chain would have.
    """
    if is_circle:
        return _CIRCLE
    if length > MOST_POSTS:
        return _TOO_LONG
    if first is None:
        return None
    decision = decide_follow(first, OnFailure(content.after_on_failure or OnFailure.SKIP))
    if decision is FollowDecision.FAILED:
        return _FAILED
    if decision is FollowDecision.SCHEDULE and first.published_at is not None:
        try:
            due_at = follow_time(first.published_at, content.after_delay, content.timezone)
        except UnknownZone:
            return _NO_ZONE
        if due_at < now - LATE_COUNTS_AS_NOW:
            return _TOO_LATE
    return None
