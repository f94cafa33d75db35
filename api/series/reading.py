"""Reading of the rules and posts of a series, with every problem as a field of the request, and warnings."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, time, timedelta
from itertools import islice
from typing import Any

from api.dependencies import Dependencies
from api.http.body import MAX_PROBLEMS, JsonObject
from api.http.moments import read_moment
from api.posts.bodies.parse_post import read_create
from api.posts.bodies.platform_rules import collect_platform_problems
from api.posts.media_checks import find_upload_problems_in_posts
from api.series.bodies import RecurrenceBody
from domain.content import PostContent
from domain.errors import InvalidRequest, Problem, Unprocessable
from domain.loop_share import loop_share
from domain.recurrence.expansion import FARTHEST, ChangedDay, Pattern, S, day_walls
from domain.recurrence.rule import (
    DayRule,
    Frequency,
    MissingDay,
    MissingSkipFault,
    Recurrence,
    RecurrenceFault,
    Weekday,
    check_rule,
    read_rrule,
)
from domain.schedule import horizon, rfc3339, zone_named, zone_names
from domain.series import (
    MOST_SEGMENTS,
    MOST_SINGLE_WALLS,
    SeriesContent,
    SeriesPattern,
    coming_from,
    coming_occurrences,
)
from domain.workspaces import LARGEST_ANSWER
from platforms.registry import platforms
from store.posts.creating import read_accounts

_NAMED = 5
"""Days or times that a sentence names."""


def exclusion_warnings(pattern: Pattern[Any], now: datetime) -> Iterator[Problem]:
    """Yield a warning if exclusions meet no occurrence. Midnight stands for a day, which need not have one."""
    first = coming_from(now)
    coming = [wall for wall in pattern.exclude if first <= wall <= first + FARTHEST and wall.time() != time()]
    walls = day_walls(pattern, {wall.date() for wall in coming})
    if unmet := sorted(wall for wall in coming if wall not in walls[wall.date()] and wall not in pattern.include):
        sentence = f"exclude has times at which the series has no occurrence: {_named(unmet)}"
        yield Problem(sentence, "no_occurrence", "exclude")


def change_warnings(days: Sequence[ChangedDay]) -> Iterator[Problem]:
    """Yield warnings about exceptions that new rules cannot take over one by one."""
    if left := [wall for day in days if day.before and not day.after for wall in day.exceptions]:
        sentence = (
            f"The new rule has no time on the days of exceptions, and posts on other days: {_named(sorted(left))}"
        )
        yield Problem(sentence, "exception_not_carried", "recurrence")
    if uneven := sorted({day.day for day in days if day.is_uneven and day.held}):
        sentence = f"Days with exceptions get no new times, because their number differs: {_named(uneven)}"
        yield Problem(sentence, "exception_not_carried", "recurrence")


def same_text_warnings(content: SeriesContent) -> Iterator[Problem]:
    """Yield a warning for each account whose platform refuses the text that all its posts have."""
    texts: dict[tuple[str, str], set[str]] = {}
    for variation in content.contents:
        for target in variation.targets:
            texts.setdefault((target.platform, target.account_id), set()).add(variation.text_for(target))
    for (platform, account_id), texts_of_account in texts.items():
        if len(texts_of_account) < 2 and platforms()[platform].rules.refuses_repeats:
            sentence = (
                f"All posts to {account_id} have the same text, and {platforms()[platform].label} refuses to publish a "
                "text again: give variations"
            )
            yield Problem(sentence, "duplicate_content", "variations", platform, account_id)


def _named(moments: Sequence[Any]) -> str:
    more = f" and {len(moments) - _NAMED} more" if len(moments) > _NAMED else ""
    return ", ".join(moment.isoformat() for moment in moments[:_NAMED]) + more


_EARLIEST = timedelta(days=366)
"""How long ago a rule may start, which bounds the work of counting from there."""
_NONE = Problem("The rule has no occurrence in the next five years", "no_occurrence", "recurrence")
_TOO_LARGE = Problem(
    f"The series would be larger than {LARGEST_ANSWER // 2**20} MiB, counting its post once for each variation",
    "invalid_field_value",
    "post",
)
_TOO_MANY_EXCLUDED = Problem(
    f"The series would exclude more than {MOST_SINGLE_WALLS} times: give exclude with fewer",
    "invalid_field_value",
    "exclude",
)
_TOO_MANY_CHANGES = Problem(
    f"A series may have {MOST_SEGMENTS} changes that begin at times to come", "invalid_field_value", "from"
)


def read_wall(text: str, param: str) -> datetime:
    """Return a wall time. Raises InvalidRequest."""
    problems: list[Problem] = []
    time = read_moment(param, text, "UTC", problems)
    if time is not None and time.wall is not None:
        return datetime.fromisoformat(time.wall)
    without_offset = Problem(f"{param} must be a wall time, without an offset", "invalid_field_value", param)
    raise InvalidRequest(problems or without_offset)


def read_walls(texts: Sequence[str] | None, param: str) -> frozenset[datetime]:
    """Return a list of wall times. Raises InvalidRequest."""
    return frozenset(read_wall(text, f"{param}.{position}") for position, text in enumerate(texts or ()))


def read_exclusions(texts: Sequence[str], pattern: Pattern[S], now: datetime) -> frozenset[datetime]:
    """Return the wall times that texts exclude: of a day all that a pattern has, or its midnight.

    Raises InvalidRequest.
    """
    walls = {
        text: read_wall(text if "T" in text else f"{text}T00:00:00", f"exclude.{place}")
        for place, text in enumerate(texts)
    }
    days = {wall.date() for text, wall in walls.items() if "T" not in text and wall <= coming_from(now) + FARTHEST}
    of_days = day_walls(pattern, days)
    return frozenset(
        wall for text, at in walls.items() for wall in ("T" not in text and of_days.get(at.date())) or [at]
    )


def read_start(text: str, now: datetime) -> datetime:
    """Return the start of a rule, which lies within a year back and five years ahead. Raises InvalidRequest."""
    start = read_wall(text, "start")
    if not now - _EARLIEST <= start.replace(tzinfo=UTC) <= horizon(now):
        sentence = "start must be at most a year ago and five years ahead"
        raise InvalidRequest(Problem(sentence, "invalid_field_value", "start"))
    return start


def read_recurrence(body: RecurrenceBody, start: datetime, zone: str) -> Recurrence:
    """Return a rule that is sound for its start. Raises InvalidRequest."""
    try:
        rule = _read_text(body, start, zone) if body.rrule is not None else _read_names(body)
    except RecurrenceFault as fault:
        # Of a text, the part is in the sentence.
        param = "rrule" if body.rrule is not None else fault.part
        raise _refusal(fault, f"recurrence.{param}") from None
    if body.rrule is None:
        check_recurrence(rule, start)
        return rule
    try:
        check_rule(rule, start)
    except MissingSkipFault as fault:
        sentence = f"recurrence.rrule: not every month has {fault.days} days: add SKIP=OMIT or SKIP=BACKWARD"
        raise InvalidRequest(Problem(sentence, "missing_required_field", "recurrence.rrule")) from None
    except RecurrenceFault as fault:
        raise _refusal(fault, "recurrence.rrule") from None
    return rule


def check_recurrence(rule: Recurrence, start: datetime) -> None:
    """Raise InvalidRequest if a rule is not sound for its start."""
    try:
        check_rule(rule, start)
    except RecurrenceFault as fault:
        raise _refusal(fault, f"recurrence.{fault.part}") from None


def _refusal(fault: RecurrenceFault, param: str) -> InvalidRequest:
    if isinstance(fault, MissingSkipFault):
        return InvalidRequest(Problem(f"{param}: {fault}", "missing_required_field", param))
    return InvalidRequest(Problem(f"{param}: {fault}", "unsupported_recurrence", param))


def _read_text(body: RecurrenceBody, start: datetime, zone: str) -> Recurrence:
    others = sorted(name for name in body.model_fields_set if name != "rrule")
    if others:
        sentence = "recurrence.rrule replaces the other fields: leave them out"
        raise InvalidRequest(Problem(sentence, "invalid_field_value", "recurrence.rrule"))
    return read_rrule(body.rrule or "", start, zone)


def _read_names(body: RecurrenceBody) -> Recurrence:
    if body.frequency is None:
        param = "recurrence.frequency"
        raise InvalidRequest(Problem(f"{param} is required", "missing_required_field", param))
    if body.frequency not in set(Frequency):
        raise RecurrenceFault("frequency", f"must be one of {', '.join(Frequency)}")
    return Recurrence(
        frequency=Frequency(body.frequency),
        interval=body.interval,
        by_day=tuple(DayRule(day=Weekday(day.day), nth_of_period=day.nth_of_period) for day in body.by_day or ()),
        by_month_day=tuple(body.by_month_day or ()),
        by_month=tuple(body.by_month or ()),
        by_set_position=tuple(body.by_set_position or ()),
        first_day_of_week=Weekday(body.first_day_of_week),
        times=tuple(sorted({time.fromisoformat(clock) for clock in body.times or ()})),
        count=body.count,
        until=_read_until(body.until),
        skip=MissingDay(body.skip) if body.skip else None,
    )


def _read_until(text: str | None) -> datetime | None:
    if text is None:
        return None
    return read_wall(text if "T" in text else f"{text}T23:59:59", "recurrence.until")


def require_occurrence(pattern: Pattern[S], now: datetime) -> None:
    """Raise InvalidRequest if a pattern has no occurrence to come."""
    if next(iter(coming_occurrences(pattern, now)), None) is None:
        raise InvalidRequest(_NONE)


def require_room(pattern: SeriesPattern) -> None:
    """Raise InvalidRequest if a series has too many changes to come, or is too large."""
    if len(pattern.segments) > MOST_SEGMENTS:
        raise InvalidRequest(_TOO_MANY_CHANGES)
    if len(pattern.exclude) > MOST_SINGLE_WALLS:
        raise InvalidRequest(_TOO_MANY_EXCLUDED)
    # The same content object is in several segments if only the rules differ, but it is stored with each.
    if sum(len(segment.content.model_dump_json()) for segment in pattern.segments) > LARGEST_ANSWER:
        raise InvalidRequest(_TOO_LARGE)


def wall_now(now: datetime, *zones: str) -> datetime:
    """Return the earliest wall time that it is now in one of the zones, to the second.

    UTC is in the place of a zone that the time zone data no longer have: a change gives the series another.
    """
    known = [zone_named(zone) if zone in zone_names() else UTC for zone in zones]
    return min(now.astimezone(zone).replace(tzinfo=None, microsecond=0) for zone in known)


async def read_content(
    deps: Dependencies,
    workspace_id: str,
    post: JsonObject,
    variations: Sequence[JsonObject],
    first_at: datetime,
    campaign_id: str | None,
    size: int,
    now: datetime,
) -> SeriesContent:
    """Return the posts of a series, checked as posts at the time of its first occurrence.

    `size`: the bytes of the request, by which it takes turns. Raises InvalidRequest, Unprocessable.
    """
    time_of_post = {"scheduledFor": rfc3339(first_at), "timezone": "UTC"}
    bodies = [{**post, **variation, **time_of_post} for variation in variations or [{}]]
    contents: list[PostContent] = []
    problems: list[Problem] = []
    async with loop_share(size) as turn:
        for position, body in enumerate(bodies):
            try:
                content = read_create(body, now).content
                contents.append(content.model_copy(update=_WITHOUT_TIME | {"campaign_id": campaign_id}))
            except InvalidRequest as error:
                problems += _located(error.problems, variations, position)
            await turn.pause()
    if problems:
        raise InvalidRequest(_distinct(problems))
    named_ids = {target.account_id for content in contents for target in content.targets}
    accounts = await read_accounts(deps.database, workspace_id, sorted(named_ids))
    async with loop_share(size) as turn:
        for position, content in enumerate(contents):
            problems += _located(await collect_platform_problems(content, accounts, turn), variations, position)
    for position, missing in enumerate(await find_upload_problems_in_posts(deps, workspace_id, contents)):
        problems += _located(missing, variations, position)
    if problems:
        raise Unprocessable(_distinct(problems))
    return SeriesContent(post=post, variations=list(variations), contents=contents)


_WITHOUT_TIME = {"scheduled_for": None, "scheduled_wall": None}


def _located(problems: Iterable[Problem], variations: Sequence[JsonObject], position: int) -> list[Problem]:
    """Return problems with the place of the field at fault, which is the variation's if it has the field."""
    own = variations[position] if variations else {}
    return [
        problem.within(f"variations.{position}" if (problem.param or "").split(".")[0] in own else "post")
        for problem in problems
    ]


def _distinct(problems: Iterable[Problem]) -> list[Problem]:
    """Return problems without repetitions: a fault of the post is in each variation."""
    return list(islice(dict.fromkeys(problems), MAX_PROBLEMS))
