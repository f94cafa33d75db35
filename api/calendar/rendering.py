"""The days of a calendar as clients read them."""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime

from api.calendar.views import (
    CalendarDayView,
    CalendarPauseView,
    CalendarPostView,
    CalendarTargetView,
    CalendarView,
)
from api.posts.answers.rendering import TIME_PASSED
from domain.loop_share import loop_share
from domain.pauses import PauseScope
from domain.plan import MOST_PRESSING, WaitsFor, waits_for
from domain.post import PostStatus, TargetStatus, status_shown
from domain.preflight import PreflightReason, warning_sentence
from domain.schedule import local_time, rfc3339
from platforms.registry import platforms
from store.models import Pause
from store.pauses.pauses import gate_of_pause
from store.posts.calendar import CalendarDay, CalendarPost, CalendarTarget

_BYTES_OF_POST = 500
"""The usual size of a post in the answer, by which its work is counted."""


async def render_calendar(
    zone: str,
    dates: Sequence[date],
    days: Sequence[CalendarDay],
    pauses: Sequence[Pause],
    thumbnail_address: Callable[[str], str],
) -> CalendarView:
    """Return a calendar. Other requests are served in between."""
    now = datetime.now(UTC)
    shown: list[CalendarDayView] = []
    async with loop_share(_BYTES_OF_POST * sum(len(day.posts) for day in days)) as share:
        for day_date, day in zip(dates, days, strict=True):
            shown.append({"date": day_date.isoformat(), "posts": []})
            for post in day.posts:
                shown[-1]["posts"].append(_post(post, zone, now, thumbnail_address))
                await share.pause()
    more = {
        entry["date"]: day.total - len(day.posts)
        for entry, day in zip(shown, days, strict=True)
        if day.total > len(day.posts)
    }
    return {"timezone": zone, "days": shown, "pauses": [_pause(pause) for pause in pauses], "more": more}


def _post(post: CalendarPost, zone: str, now: datetime, thumbnail_address: Callable[[str], str]) -> CalendarPostView:
    status = status_shown(PostStatus(post.status), post.due_at, now)
    shown: CalendarPostView = {
        "id": post.id,
        "at": rfc3339(post.at),
        "local": local_time(post.at, zone) or rfc3339(post.at)[:-1],
        "timezone": post.timezone,
        "status": status,
        "text": post.text,
        "targets": [_target(target) for target in post.targets],
    }
    if post.campaign_id:
        shown["campaignId"] = post.campaign_id
    if post.series_id:
        shown["seriesId"] = post.series_id
    if post.due_at and post.due_at != post.at:
        shown["dueAt"] = rfc3339(post.due_at)
    if post.thumbnail:
        shown["thumbnail"] = {"url": thumbnail_address(post.thumbnail.token), "altText": post.thumbnail.alt_text}
    if pressing := _most_pressing(post.targets):
        shown["waitsFor"] = pressing.value
    if warnings := _warnings(post, now):
        shown["warnings"] = warnings
    if post.target_count > len(post.targets):
        shown["moreTargets"] = post.target_count - len(post.targets)
    return shown


def _pause(pause: Pause) -> CalendarPauseView:
    gate = gate_of_pause(pause)
    shown: CalendarPauseView = {
        "id": pause.id,
        "scope": gate.kind,
        "since": rfc3339(pause.paused_at),
        "reason": pause.reason,
    }
    if gate.account:
        shown["platform"], shown["accountId"] = gate.account
    if gate.kind is PauseScope.CAMPAIGN:
        shown["campaignId"] = gate.id
    return shown


def _target(target: CalendarTarget) -> CalendarTargetView:
    return {
        "platform": target.platform,
        "accountId": target.account_id,
        "username": target.username,
        "status": target.status,
    }


def _most_pressing(targets: Sequence[CalendarTarget]) -> WaitsFor | None:
    """Return what the targets wait for; of several, the one that needs a person first."""
    waits = {
        waits_for(
            TargetStatus(target.status),
            confirming=target.confirming,
            hold_reason=target.hold_reason,
            error_code=target.error_code,
            next_attempt_at=target.next_attempt_at,
        )
        for target in targets
    }
    return next((reason for reason in MOST_PRESSING if reason in waits), None)


def _warnings(post: CalendarPost, now: datetime) -> list[str]:
    if post.status == PostStatus.DRAFT:
        return [TIME_PASSED["error"]] if post.scheduled_for and post.scheduled_for < now else []
    if post.status != PostStatus.SCHEDULED:
        return []
    sentences = (
        warning_sentence(PreflightReason(target.preflight_code), platforms()[target.platform].label)
        for target in post.targets
        if target.preflight_code and target.status == TargetStatus.PENDING
    )
    return list(dict.fromkeys(sentences))
