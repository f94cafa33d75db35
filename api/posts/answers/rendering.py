"""Posts and their attempts as answers show them, and how an answer becomes HTTP."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from litestar import Response

from api.errors import ProblemView, problem_view
from api.http.body import JsonObject
from api.posts.answers.views import (
    AttemptsView,
    AttemptView,
    ChangeView,
    MediaView,
    PageView,
    PostView,
    TargetView,
    VersionView,
)
from api.shared.waiting import Deadline
from api.views import write_json
from domain.errors import Problem
from domain.moves import OnFailure
from domain.plan import waits_for
from domain.post import ErrorCategory, HoldReason, PostStatus, TargetStatus, public_text, status_shown
from domain.preflight import PreflightReason, warning_sentence
from domain.schedule import local_time, rfc3339
from platforms.codes import Codes, known_codes, public_codes
from platforms.registry import platforms
from store.models import Attempt, Post, Target

TIME_PASSED: ProblemView = {
    "error": "The time of this draft has passed and it was not published: give it another time, or publish it now",
    "code": "scheduled_time_passed",
    "param": "scheduledFor",
}
_SMOOTH = {TargetStatus.PENDING, TargetStatus.PUBLISHING, TargetStatus.PUBLISHED}
"""Statuses of nearly all targets: if the row has no warning or error, their answer needs no further fields."""


def render_post(post: Post, warnings: Iterable[Problem] = ()) -> PostView:
    """Return a post as clients read it; its targets must be loaded. Values not given are left out, not null.

    `warnings`: those of the request, before those of its rows.
    """
    is_draft = post.status == PostStatus.DRAFT
    shown: PostView = {
        "id": post.id,
        "status": status_shown(PostStatus(post.status), post.due_at, datetime.now(UTC)).value,
        "content": post.content,
        "mediaItems": _media(post.media_items or []),
        "platforms": [_target(post, target) for target in post.targets],
        "tags": post.tags,
        "timezone": post.timezone,
        "scheduledFor": _moment(post.scheduled_for),
        "scheduledForLocal": local_time(post.scheduled_for, post.timezone) if post.scheduled_for else None,
        "publishedAt": _moment(post.published_at),
        "createdAt": rfc3339(post.created_at),
        "updatedAt": rfc3339(post.updated_at),
        "isDraft": is_draft,
        "publishWithin": post.publish_within,
    }
    if post.external_id is not None:
        shown["externalId"] = post.external_id
    _show_plan(shown, post)
    if post.tiktok_settings:
        shown["tiktokSettings"] = post.tiktok_settings
    if post.facebook_settings:
        shown["facebookSettings"] = post.facebook_settings
    known = [problem_view(problem) for problem in warnings]
    if is_draft and post.scheduled_for and post.scheduled_for < datetime.now(UTC):
        known.append(TIME_PASSED)
    elif post.status == PostStatus.SCHEDULED:
        known += _preflight_warnings(post.targets)
    if known:
        shown["warnings"] = known
    return shown


def _show_plan(shown: PostView, post: Post) -> None:
    """Add what a post is part of and waits for, and what was planned for it before."""
    if post.campaign_id is not None:
        shown["campaignId"] = post.campaign_id
    if post.series_id is not None and post.occurrence is not None:
        shown["seriesId"], shown["occurrence"] = post.series_id, post.occurrence
    if post.queue_id:
        shown["queueId"] = post.queue_id
    if post.after_post_id:
        shown["waitsFor"] = "post"
        shown["after"] = {"postId": post.after_post_id, "onFailure": post.after_on_failure or OnFailure.SKIP}
        if post.after_delay:
            shown["after"]["delay"] = post.after_delay
    if post.due_at and post.scheduled_for and post.due_at != post.scheduled_for:
        shown["dueAt"] = rfc3339(post.due_at)
    if post.planned_for:
        shown["plannedFor"] = rfc3339(post.planned_for)
    if post.skip_reason:
        shown["skipReason"] = post.skip_reason


def _preflight_warnings(targets: Sequence[Target]) -> list[ProblemView]:
    """Return the reasons why targets will fail, as the last check before the post's time found them."""
    return [
        {
            "error": warning_sentence(PreflightReason(target.preflight_code), platforms()[target.platform].label),
            "code": PreflightReason(target.preflight_code).value,
            "param": f"platforms.{position}.accountId",
            "platform": target.platform,
            "accountId": target.account_id,
        }
        for position, target in enumerate(targets)
        if target.preflight_code and target.status == TargetStatus.PENDING
    ]


def _target(post: Post, target: Target) -> TargetView:
    text = public_text(target.edited_content, post.content, target.custom_content)
    shown: TargetView = {
        "platform": target.platform,
        "accountId": target.account_id,
        "status": target.status,
        "platformPostId": target.platform_post_id,
        "platformPostUrl": target.platform_post_url,
        "content": text,
        "publishedAt": _moment(target.published_at),
    }
    if target.custom_content is not None:
        shown["customContent"] = target.custom_content
    if target.custom_media is not None:
        shown["customMedia"] = _media(target.custom_media)
    if target.settings:
        shown["platformSpecificData"] = target.settings
    if target.media_changes:
        shown["mediaChanges"] = cast("list[ChangeView]", target.media_changes)
    if target.warning:
        shown["warning"] = target.warning
    if target.edit_history:
        shown["editHistory"] = cast("list[VersionView]", target.edit_history)
    if target.status not in _SMOOTH or target.next_attempt_at or target.hold_reason or target.error or target.warning:
        _show_difficulties(shown, target, TargetStatus(target.status))
    return shown


def _show_difficulties(shown: TargetView, target: Target, status: TargetStatus) -> None:
    """Add what a target waits for, what went wrong with it, and how to continue."""
    if target.next_attempt_at:
        shown["nextAttemptAt"] = rfc3339(target.next_attempt_at)
    if target.hold_reason:
        shown["holdReason"] = target.hold_reason
    if waits := waits_for(
        status,
        confirming=target.confirming,
        hold_reason=target.hold_reason,
        error_code=target.error_code,
        next_attempt_at=target.next_attempt_at,
    ):
        shown["waitsFor"] = waits.value
    if status.is_explained or target.error:
        shown["error"] = target.error or "The platform's answer was lost."
        codes = _codes(target)
        shown["errorCode"] = codes.code
        if codes.platform_code:
            shown["platformCode"] = codes.platform_code
        shown["errorCategory"] = target.error_category
        shown["retryable"] = bool(target.retryable)
    if hint := _hint(target, status):
        shown["hint"] = hint


def _codes(target: Target) -> Codes:
    category = ErrorCategory(target.error_category) if target.error_category else None
    hold = HoldReason(target.hold_reason) if target.hold_reason else None
    return known_codes(target.error_code) if category is None else public_codes(target.error_code, category, hold)


def _hint(target: Target, status: TargetStatus) -> str | None:
    """Return how the post's owner can continue with an unpublished target; None if there is nothing to do."""
    if status == TargetStatus.PENDING and target.warning:
        return "Change the post by PATCH before its time; unless this is corrected, it will be refused then."
    if status == TargetStatus.FAILED:
        if target.retryable:
            return "POST /v1/posts/{postId}/retry tries it again."
        return "Change what it sends by PATCH /v1/posts/{postId}, then POST /v1/posts/{postId}/retry."
    if status == TargetStatus.UNCONFIRMED and not target.confirming:
        return "Look at the account, then report what you found by POST /v1/posts/{postId}/resolve."
    if status == TargetStatus.HELD and target.hold_reason == HoldReason.PAUSED:
        return "It continues when the pause ends (GET /v1/pauses). Until then the post can be changed, or deleted."
    if status == TargetStatus.HELD:
        return "It continues by itself. Until then the post can be changed by PATCH, or deleted."
    return None


def _media(items: list[JsonObject]) -> list[MediaView]:
    return [
        {"type": item["type"], "url": item["url"], "altText": item["alt_text"]}
        if "alt_text" in item
        else {"type": item["type"], "url": item["url"]}
        for item in items
    ]


def render_attempts(attempts: Iterable[tuple[Attempt, Target]], cursor: str | None) -> AttemptsView:
    """Return a page of the attempt log as clients read it; `cursor` leads to the next."""
    return {
        "attempts": [_attempt(attempt, target) for attempt, target in attempts],
        "cursor": cursor,
        "hasMore": cursor is not None,
    }


def _attempt(attempt: Attempt, target: Target) -> AttemptView:
    codes = known_codes(attempt.code)
    return {
        "platform": target.platform,
        "accountId": target.account_id,
        "step": attempt.step,
        "state": attempt.state,
        "startedAt": rfc3339(attempt.started_at),
        "finishedAt": _moment(attempt.finished_at),
        "httpStatus": attempt.http_status,
        "errorCode": codes.code,
        "platformCode": codes.platform_code,
        "requestId": attempt.request_id,
        "decision": attempt.decision,
        "nextAttemptAt": _moment(attempt.next_attempt_at),
    }


def _moment(value: datetime | None) -> str | None:
    return rfc3339(value) if value else None


_REPLAYED = {"Idempotent-Replayed": "true"}


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and the bytes of a body. `waited`: the client's preferred wait was applied."""

    status: int
    body: bytes
    replayed: bool = False
    waited: bool = False
    to_keep: bool = True
    """Whether it is still to be kept for repeats of the request.

    It is not if the transaction of the change has done so, or if a repeat continues the work.
    """


def answer_post(post: Post, status: int = 200, *, waited: bool = False, warnings: Iterable[Problem] = ()) -> Answer:
    """Answer with a post as its rows are now, and with warnings of the request."""
    return Answer(status, write_json(render_post(post, warnings)), waited=waited)


def answer_posts(posts: Sequence[Post], cursor: str | None) -> Answer:
    """Answer 200 with a page of posts; `cursor` leads to the next one."""
    page = PageView(posts=[render_post(post) for post in posts], cursor=cursor, hasMore=cursor is not None)
    return answer_view(page)


def answer_view(view: Mapping[str, Any]) -> Answer:
    """Answer 200 with an object that a view describes."""
    return Answer(200, write_json(view))


def respond(answer: Answer, deadline: Deadline | None = None) -> Response[bytes]:
    """Write an answer as HTTP; `deadline` is that of a request which may wait."""
    headers = dict(_REPLAYED if answer.replayed else {})
    if answer.waited and deadline is not None and deadline.applied_preference is not None:
        headers["Preference-Applied"] = f"wait={deadline.applied_preference}"
    return Response(answer.body, status_code=answer.status, media_type="application/json", headers=headers)
