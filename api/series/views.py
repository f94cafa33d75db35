"""The answers with series and their occurrences, and how they are read."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import islice
from typing import Annotated, Any, Literal, NotRequired

from pydantic.alias_generators import to_camel
from sqlalchemy.ext.asyncio import AsyncSession
from typing_extensions import TypedDict

from api.dependencies import Dependencies
from api.errors import ProblemView, problem_view
from api.http.moments import now_ms
from api.series.actions import read_rules, require_series
from api.series.bodies import PreviewBody
from api.series.reading import exclusion_warnings, same_text_warnings, wall_now
from api.views import HasMore, Moment, NextCursor, described, example, view
from domain.errors import Conflict, Problem
from domain.pauses import series_gate
from domain.post import PostStatus
from domain.recurrence.expansion import FARTHEST, RuleSkip, Segment
from domain.recurrence.rule import Recurrence, write_rrule
from domain.schedule import UnknownZone, rfc3339
from domain.series import AHEAD, OccurrenceReason, OccurrenceShown, SeriesStatus, coming_occurrences
from store.models import Series
from store.pauses.pauses import find_pause_under_way
from store.series.editing import SeriesChange
from store.series.listing import MOST_SHOWN, ListedOccurrence, list_occurrences
from store.series.rows import series_pattern, series_rules

_Wall = Annotated[str, described("A wall time in `timezone`.", "2030-03-04T09:00:00")]
_Weekday = Literal["mo", "tu", "we", "th", "fr", "sa", "su"]
_REASONS = [*RuleSkip, *OccurrenceReason, "paused"]


@view("RecurrenceDayShown")
class DayView(TypedDict):
    """A weekday, or the nth of a month or year."""

    day: Annotated[_Weekday, described("The weekday.", "fr")]
    nthOfPeriod: NotRequired[Annotated[int, described("-1 is the last.", -1)]]


@view("RecurrenceRuleShown")
class RecurrenceView(TypedDict):
    """A rule in JSCalendar's names; what is left out has its default."""

    frequency: Annotated[Literal["daily", "weekly", "monthly", "yearly"], described("The period.", "weekly")]
    interval: Annotated[int, described("Every how many periods.", 1)]
    byDay: NotRequired[Annotated[list[DayView], described("Weekdays.", [{"day": "mo"}])]]
    byMonthDay: NotRequired[Annotated[list[int], described("Days of the month; -1 is the last.", [1, 15])]]
    byMonth: NotRequired[Annotated[list[int], described("Months.", [3, 9])]]
    bySetPosition: NotRequired[Annotated[list[int], described("Which of the days of a period.", [-1])]]
    firstDayOfWeek: NotRequired[Annotated[_Weekday, example("su")]]
    """It decides which weeks an `interval` above 1 skips."""
    times: NotRequired[Annotated[list[str], described("Times of day.", ["09:00:00"])]]
    count: NotRequired[Annotated[int, described("How many occurrences it has.", 20)]]
    until: NotRequired[_Wall]
    skip: NotRequired[Annotated[Literal["omit", "backward"], example("backward")]]
    """The treatment of a day that a month lacks."""


@view("Occurrence")
class OccurrenceView(TypedDict):
    """An occurrence of a series."""

    occurrence: Annotated[str, example("2030-03-04T09:00:00")]
    """The wall time that the rule gives it: its key, whatever happens to it."""
    scheduledFor: Annotated[Moment, described("The instant of its post, or that a post would have.")]
    movedByClockChange: Annotated[bool, example(False)]
    """Whether a clock change skips the wall time, so that the post is later by the gap."""
    state: OccurrenceShown
    reason: NotRequired[
        Annotated[str, described(f"Why it has no post, or a draft: {', '.join(_REASONS)}.", "excluded")]
    ]
    postId: NotRequired[Annotated[str, described("Its post.", "post_019bb0f27c3a7d4e9a54c1d9e3f0a1b2")]]
    status: NotRequired[Annotated[PostStatus, described("The status of its post.")]]


@view("OccurrenceList")
class OccurrenceListView(TypedDict):
    """The occurrences of a time."""

    occurrences: Annotated[list[OccurrenceView], described("In the order of their wall times.")]
    hasMore: Annotated[bool, example(False)]
    """Whether there are more until `to`: ask again, from the last one's time."""


@view("SeriesRules")
class RulesView(TypedDict):
    """A rule with its start and zone."""

    timezone: Annotated[str, described("IANA time zone.", "Europe/Berlin")]
    start: _Wall
    recurrence: RecurrenceView
    rrule: Annotated[str | None, example("FREQ=WEEKLY;BYDAY=MO,TH;COUNT=20")]
    """The rule as RRULE text; null if its times of day are none that a text can say."""


@view("SeriesEntry")
class SeriesEntryView(RulesView):
    """A series in a list."""

    id: Annotated[str, described("The series' id.", "ser_019bc10e51307c4f8d2b7f3a6c0e9d41")]
    name: Annotated[str, described("Its name.", "Monday tip")]
    status: SeriesStatus
    campaignId: Annotated[str | None, described("The campaign of its posts.", None)]
    madeUntil: Annotated[Moment | None, described("The instant up to which all occurrences have posts.")]
    version: Annotated[int, described("The number of its newest change.", 1)]
    createdAt: Annotated[Moment, described("When it was created.")]
    updatedAt: Annotated[Moment, described("When it was changed last.")]


@view("SeriesChangeToCome")
class LaterRulesView(RulesView):
    """The rules and the post of a series from a wall time to come."""

    effectiveFrom: _Wall
    post: Annotated[dict[str, Any], described("The post of each occurrence.", {"content": "Tip of the week"})]
    variations: Annotated[list[dict[str, Any]], described("Fields that replace those of `post`, in turn.", [])]


@view("Series")
class SeriesView(SeriesEntryView):
    """A series: its rules, its post, and the next occurrences."""

    post: Annotated[dict[str, Any], described("The post of each occurrence.", {"content": "Tip of the week"})]
    variations: Annotated[list[dict[str, Any]], described("Fields that replace those of `post`, in turn.", [])]
    exclude: Annotated[list[str], described("Wall times that get no post.", ["2030-12-24T09:00:00"])]
    include: Annotated[list[str], described("Wall times that get one beside the rule.", [])]
    onBlackout: Annotated[Literal["skip"], described("Occurrences in a blackout of the campaign get no post.")]
    later: Annotated[list[LaterRulesView], described("Changes that begin at times to come, the earliest first.")]
    next: Annotated[list[OccurrenceView], described("The next occurrences, at most 3.")]
    pauseId: Annotated[str | None, described("The pause that is under way.", None)]
    warnings: list[ProblemView]
    """Reasons why posts may fail, as a text that a platform refuses twice."""


@view("SeriesChange")
class SeriesChangeView(TypedDict):
    """The effect of a change of a series on its posts, by the wall times of the occurrences."""

    added: Annotated[list[str], described("They get posts.", ["2030-04-02T09:00:00"])]
    removed: Annotated[list[str], described("Their posts are deleted.", [])]
    changed: Annotated[list[str], described("Their posts have new content or a new time.", [])]
    keptEdited: Annotated[list[str], example([])]
    """Their posts were changed by themselves, and stay; `override` changes them, too."""
    untouched: Annotated[list[str], described("Their publishing has begun, so they stay.", [])]
    skipped: Annotated[list[str], example(["2030-12-24T10:00:00"])]
    """They get no post, because their days have exceptions."""
    warnings: Annotated[list[ProblemView], described("Exceptions that the new rule leaves behind.", [])]
    dryRun: Annotated[bool, described("Whether nothing was changed.", False)]
    series: Annotated[SeriesView, described("The series after the change.")]


@view("SeriesPreview")
class PreviewView(TypedDict):
    """The next occurrences of rules that do not exist yet."""

    recurrence: RecurrenceView
    rrule: Annotated[str | None, described("The rule as RRULE text, if it can be said so.", "FREQ=WEEKLY")]
    occurrences: Annotated[list[OccurrenceView], described("The next 50.")]
    warnings: Annotated[list[ProblemView], described("Exclusions at which there is no occurrence.", [])]


@view("DeletedSeries")
class DeletedSeriesView(TypedDict):
    """A series that was deleted."""

    id: Annotated[str, described("The series' id.", "ser_019bc10e51307c4f8d2b7f3a6c0e9d41")]
    deleted: Annotated[Literal[True], described("Always true.")]
    deletedPosts: Annotated[int, described("How many posts were deleted with it.", 12)]


@view("SeriesList")
class SeriesListView(TypedDict):
    """One page of series."""

    series: Annotated[list[SeriesEntryView], described("The newest first.")]
    cursor: Annotated[NextCursor, described("Send it back for the next page; null on the last.")]
    hasMore: HasMore


def recurrence_view(rule: Recurrence) -> RecurrenceView:
    """Return a rule in JSCalendar's names, without what has its default."""
    document = rule.model_dump(mode="json", exclude_defaults=True, exclude={"by_day", "interval"})
    shown = {to_camel(name): value for name, value in document.items()}
    if rule.by_day:
        shown["byDay"] = [
            DayView(day=day.day.value, nthOfPeriod=day.nth_of_period)
            if day.nth_of_period
            else DayView(day=day.day.value)
            for day in rule.by_day
        ]
    view: RecurrenceView = {"interval": rule.interval, **shown}  # type: ignore[typeddict-item]
    return view


def rules_view(segment: Segment) -> RulesView:
    """Return a rule with its start and zone."""
    rule, start, zone = segment.recurrence, segment.start, segment.timezone
    return RulesView(
        timezone=zone,
        start=start.isoformat(),
        recurrence=recurrence_view(rule),
        rrule=write_rrule(rule, start, zone),
    )


def occurrence_view(listed: ListedOccurrence) -> OccurrenceView:
    """Return an occurrence as clients read it."""
    occurrence = listed.occurrence
    shown = OccurrenceView(
        occurrence=occurrence.key,
        scheduledFor=rfc3339(listed.scheduled_for or occurrence.instant),
        movedByClockChange=occurrence.moved_by_clock_change,
        state=listed.state,
    )
    if listed.reason:
        shown["reason"] = listed.reason
    if listed.post_id:
        shown["postId"] = listed.post_id
    if listed.status:
        shown["status"] = PostStatus(listed.status)
    return shown


def entry_view(series: Series, segment: Segment, *, is_paused: bool) -> SeriesEntryView:
    """Return a series as lists show it, with the rules that are in effect."""
    status = SeriesStatus.ENDED if series.is_finished else SeriesStatus.ACTIVE
    return SeriesEntryView(
        id=series.id,
        name=series.name,
        status=SeriesStatus.PAUSED if is_paused else status,
        campaignId=series.campaign_id,
        **rules_view(segment),
        madeUntil=rfc3339(series.made_until) if series.made_until else None,
        version=series.version,
        createdAt=rfc3339(series.created_at),
        updatedAt=rfc3339(series.updated_at),
    )


def change_view(
    change: SeriesChange, warnings: Iterable[Problem], series: SeriesView, *, dry_run: bool
) -> SeriesChangeView:
    """Return the effect of a change."""
    return SeriesChangeView(
        added=change.added,
        removed=change.removed,
        changed=change.changed,
        keptEdited=change.kept_edited,
        untouched=change.untouched,
        skipped=change.skipped,
        warnings=[*map(problem_view, warnings)],
        dryRun=dry_run,
        series=series,
    )


_NEXT = 3
PREVIEWED = 50
"""Occurrences that a preview shows."""
LONGEST_TIME = timedelta(days=366)
"""The time whose occurrences one answer shows."""
_NO_ZONE = Problem(
    "The series' time zone no longer exists: give the series another timezone", "invalid_field_value", "timezone"
)


@contextmanager
def existing_zones() -> Iterator[None]:
    """Raise Conflict for a series whose zone the time zone data no longer have."""
    try:
        yield
    except UnknownZone:
        raise Conflict(_NO_ZONE) from None


async def show_series(deps: Dependencies, workspace_id: str, series_id: str) -> SeriesView:
    """Return a series of the workspace. Raises NotFound, Conflict."""
    async with deps.database.reading() as session:
        series = await require_series(session, workspace_id, series_id)
        with existing_zones():
            return await series_view(session, series)


async def series_view(session: AsyncSession, series: Series) -> SeriesView:
    """Return a series as clients read it."""
    now, pattern = now_ms(), series_pattern(series)
    wall = wall_now(now, pattern.segments[-1].timezone)
    present = pattern.segment_at(wall)
    pause = await find_pause_under_way(session, series.workspace_id, series_gate(series.id))
    later = [
        LaterRulesView(
            **rules_view(segment),
            effectiveFrom=segment.since.isoformat(),
            post=segment.content.post,
            variations=segment.content.variations,
        )
        for segment in pattern.segments
        if segment.since > max(wall, present.since)
    ]
    return SeriesView(
        **entry_view(series, present, is_paused=pause is not None),
        post=present.content.post,
        variations=present.content.variations,
        exclude=series.exclude,
        include=series.include,
        onBlackout="skip",
        later=later,
        next=[occurrence_view(listed) for listed in await _next(session, series, now)],
        pauseId=pause.id if pause else None,
        warnings=[*map(problem_view, (*same_text_warnings(present.content), *exclusion_warnings(pattern, now)))],
    )


async def _next(session: AsyncSession, series: Series, now: datetime) -> list[ListedOccurrence]:
    """Return the next occurrences that have posts, or get them."""
    coming = next(coming_occurrences(series_rules(series), now), None)
    if coming is None:
        return []
    end = max(coming.instant, series.made_until or now) + timedelta(seconds=1)
    listed = await list_occurrences(session, series, now, end, now)
    return list(islice((one for one in listed if one.state is not OccurrenceShown.SKIPPED), _NEXT))


async def series_entry(session: AsyncSession, series: Series) -> SeriesEntryView:
    """Return a series as lists show it."""
    rules = series_rules(series)
    pause = await find_pause_under_way(session, series.workspace_id, series_gate(series.id))
    present = rules.segment_at(wall_now(now_ms(), rules.segments[-1].timezone))
    return entry_view(series, present, is_paused=pause is not None)


async def show_occurrences(
    deps: Dependencies, workspace_id: str, series_id: str, first: datetime | None, end: datetime | None
) -> OccurrenceListView:
    """Return the occurrences of a time: by default of all that has posts. Raises NotFound, Conflict."""
    now = now_ms()
    async with deps.database.reading() as session:
        series = await require_series(session, workspace_id, series_id)
        begin = first or now
        last = end or max(begin, series.made_until or now) + (timedelta(seconds=1) if first is None else AHEAD)
        # Rules are not expanded further than posts may be scheduled: that would cost the more, the farther it is.
        last = min(last, begin + LONGEST_TIME, now + FARTHEST)
        with existing_zones():
            listed = await list_occurrences(session, series, begin, last, now, MOST_SHOWN + 1) if begin < last else []
    views = [occurrence_view(occurrence) for occurrence in listed[:MOST_SHOWN]]
    return OccurrenceListView(occurrences=views, hasMore=len(listed) > MOST_SHOWN)


def preview(body: PreviewBody) -> PreviewView:
    """Return the next occurrences of rules. Raises InvalidRequest."""
    now = now_ms()
    pattern = read_rules(body, now)
    (segment,) = pattern.segments
    rule = segment.recurrence
    coming = islice(coming_occurrences(pattern, now), PREVIEWED)
    return PreviewView(
        recurrence=recurrence_view(rule),
        rrule=write_rrule(rule, segment.start, segment.timezone),
        occurrences=[occurrence_view(ListedOccurrence(one, OccurrenceShown.PLANNED)) for one in coming],
        warnings=[*map(problem_view, exclusion_warnings(pattern, now))],
    )
