"""The days of a calendar as clients read them."""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from typing import Annotated, NotRequired

from typing_extensions import TypedDict

from api.posts.answers.rendering import TIME_PASSED
from api.views import QUEUE_ID, THUMBNAIL_URL, Moment, PlatformName, ValueOf, described, example, view
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


@view("CalendarTarget")
class CalendarTargetView(TypedDict):
    """A target of a post on a calendar."""

    platform: Annotated[PlatformName, described("The platform.")]
    accountId: Annotated[str, described("The connected account.", "ig_123")]
    username: Annotated[str | None, described("Its name there; null once the account is removed.", "acme")]
    status: Annotated[Annotated[str, ValueOf(TargetStatus)], described("Its status, as in the post.", "published")]


@view("CalendarThumbnail")
class CalendarThumbnailView(TypedDict):
    """A small picture of a file of a post."""

    url: Annotated[str, described("Its address, for everybody who has it.", THUMBNAIL_URL)]
    altText: Annotated[str | None, described("What the post says of the file.", "Skis in the snow")]


@view("CalendarPost")
class CalendarPostView(TypedDict):
    """A post on a calendar, in short. `GET /v1/posts/{postId}` has the rest."""

    id: Annotated[str, described("The post's id.", "post_019bc10f27c07a7d4e9a54c1d9e3f0a1")]
    at: Moment
    """When it is on the calendar: its `scheduledFor` or, without one, when it was published."""
    local: Annotated[str, described("The same on the clocks of the calendar's `timezone`.", "2030-12-03T10:00:00")]
    timezone: Annotated[str, described("The post's own time zone.", "Europe/Berlin")]
    campaignId: NotRequired[Annotated[str, described("Its campaign.", "cmp_019bc10e51307c4f8d2b7f3a6c0e9d41")]]
    seriesId: NotRequired[Annotated[str, described("Its series.", "ser_019bc10e51307c4f8d2b7f3a6c0e9d41")]]
    dueAt: NotRequired[Annotated[Moment, described("When it is due, if a pause has moved that from `at`.")]]
    status: Annotated[PostStatus, described("The post's status.", "scheduled")]
    text: Annotated[str, example("Hello from SocialSyncer")]
    """The first 80 characters of its text, or of its first target's own."""
    thumbnail: NotRequired[CalendarThumbnailView]
    """That of the first of its files that has one. Files that were not uploaded here have none."""
    waitsFor: NotRequired[Annotated[str, ValueOf(WaitsFor)]]
    """What a target of it waits for, if one does: the reason that needs a person first."""
    warnings: NotRequired[Annotated[list[str], example(["X will refuse it."])]]
    """What will go wrong unless it is changed, as sentences."""
    targets: Annotated[list[CalendarTargetView], described("At most 10; those that failed or wait come first.")]
    moreTargets: NotRequired[Annotated[int, described("The number of its other targets, if it has more.", 2)]]


@view("CalendarSlot")
class CalendarSlotView(TypedDict):
    """A free slot of a queue on a calendar."""

    queueId: Annotated[str, described("The queue's id.", QUEUE_ID)]
    name: Annotated[str, described("What people call the queue.", "Morning posts")]
    at: Annotated[Moment, described("Its instant.")]
    local: Annotated[str, described("The same on the clocks of the calendar's `timezone`.", "2030-12-03T10:00:00")]


@view("CalendarOccurrence")
class CalendarOccurrenceView(TypedDict):
    """An occurrence of a series that gets its post later."""

    seriesId: Annotated[str, described("The series' id.", "ser_019bc10e51307c4f8d2b7f3a6c0e9d41")]
    name: Annotated[str, described("What people call the series.", "Monday tip")]
    occurrence: Annotated[str, described("Its wall time in the zone of the series.", "2030-12-03T10:00:00")]
    at: Annotated[Moment, described("Its instant.")]
    local: Annotated[str, described("The same on the clocks of the calendar's `timezone`.", "2030-12-03T10:00:00")]


@view("CalendarBlackout")
class CalendarBlackoutView(TypedDict):
    """A blackout of a campaign or a queue that covers a part of a day."""

    campaignId: NotRequired[Annotated[str, described("The campaign.", "cmp_019bc10e51307c4f8d2b7f3a6c0e9d41")]]
    queueId: NotRequired[Annotated[str, described("The queue, if it is a queue's.", QUEUE_ID)]]
    name: Annotated[str, described("What people call the campaign or queue.", "Winter sale")]
    reason: Annotated[str | None, described("Why.", "Christmas")]


@view("CalendarDay")
class CalendarDayView(TypedDict):
    """One day of a calendar."""

    date: Annotated[str, described("The day, in the calendar's `timezone`.", "2030-12-03")]
    posts: Annotated[list[CalendarPostView], described("Its first 50 posts, the soonest first.")]
    slots: NotRequired[list[CalendarSlotView]]
    """With `plans`: the first 20 free slots of at most 20 queues."""
    planned: NotRequired[list[CalendarOccurrenceView]]
    """With `plans`: the first 20 occurrences, of at most 50 series, that get their posts later."""
    blackouts: NotRequired[list[CalendarBlackoutView]]
    """With `plans`: at most 20 blackouts of campaigns and queues."""


@view("CalendarPause")
class CalendarPauseView(TypedDict):
    """A pause that stops posts of a calendar. `GET /v1/pauses/{pauseId}` has the rest."""

    id: Annotated[str, described("The pause's id.", "pau_019bc10e51307c4f8d2b7f3a6c0e9d41")]
    scope: PauseScope
    platform: NotRequired[PlatformName]
    accountId: NotRequired[Annotated[str, described("The account's id.", "tw_456")]]
    campaignId: NotRequired[Annotated[str, described("The campaign's id.", "cmp_019bc10e51307c4f8d2b7f3a6c0e9d41")]]
    since: Annotated[Moment, described("When it began.")]
    reason: Annotated[str | None, described("Why.", "Press embargo until Friday")]


@view("Calendar")
class CalendarView(TypedDict):
    """The posts of some days."""

    timezone: Annotated[str, described("The time zone in which the days begin and end.", "Europe/Berlin")]
    days: Annotated[list[CalendarDayView], described("Every day that was asked for, also those without posts.")]
    pauses: Annotated[list[CalendarPauseView], described("The pauses that are under way, at most 100.")]
    more: Annotated[dict[str, int], example({"2030-12-03": 412})]
    """For each day with more posts than are shown: how many more."""


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
