"""The conditions that select posts: in a query and in a body they have the same names and the same meaning."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from functools import partial

from api.http.moments import read_moment
from api.http.query import convert_parameter, parse_platform
from api.http.suggest import did_you_mean, unknown_zone
from domain.errors import Problem
from domain.post import PostStatus, TargetStatus
from domain.schedule import UnknownZone, zone_named
from platforms.registry import platforms
from store.posts.list_filters import Filter

TARGET_STATUSES = (TargetStatus.HELD, TargetStatus.UNCONFIRMED)
"""Filters beside the statuses of posts: a post with such a target may need a person."""
BOUNDS = ("fromDate", "toDate", "scheduledFrom", "scheduledTo", "updatedSince")
"""The names of conditions that hold a date or a time."""
_ENDS = ("toDate", "scheduledTo")
ZONE = "timezone"
"""The name of the zone of dates and of times without an offset. It selects nothing."""
MOMENT = "An ISO 8601 date, for its whole day, or date and time; without an offset it is `timezone`'s."
"""The form of a date or time of a filter, in words."""
LONGEST_ADDRESS = 2_048
"""Characters of the address of a public post; as long as addresses of media may be."""
_IN_A_QUERY = " (in a query, + is written %2B)"


def read_filter(conditions: Mapping[str, Sequence[str]], problems: list[Problem], path: str = "") -> Filter:
    """Return the filter that conditions make, by their names with all values; adds what is wrong to `problems`.

    `path` is that of the object in a body that holds the conditions.
    """
    first = {path + name: values[0] for name, values in conditions.items() if values}
    take = partial(convert_parameter, first, problems)
    statuses = _statuses(conditions.get("status", ()), problems, f"{path}status")
    platform = take(f"{path}platform", parse_platform)
    zone = first[path + ZONE] if take(path + ZONE, parse_zone) else "UTC"
    hint = "" if path else _IN_A_QUERY
    bounds = {
        name: time.instant
        for name in BOUNDS
        if (where := path + name) in first
        and (time := read_moment(where, first[where], zone, problems, end=name in _ENDS, hint=hint)) is not None
    }
    for begin, end in (("fromDate", "toDate"), ("scheduledFrom", "scheduledTo")):
        if begin in bounds and end in bounds and bounds[begin] > bounds[end]:
            where = path + begin
            problems.append(Problem(f"{where} is after {path}{end}", "invalid_field_value", where))
    return Filter(
        statuses=tuple(status for status in PostStatus if status in statuses),
        target_statuses=tuple(status for status in TARGET_STATUSES if status in statuses),
        platform=platform,
        account_id=first.get(f"{path}accountId"),
        external_id=first.get(f"{path}externalId"),
        campaign_id=first.get(f"{path}campaignId"),
        series_id=first.get(f"{path}seriesId"),
        import_id=first.get(f"{path}importId"),
        platform_post_ids=take(f"{path}platformPostId", _public_ids) or (),
        tags=tuple(dict.fromkeys(conditions.get("tag", ()))),
        created_from=bounds.get("fromDate"),
        created_to=bounds.get("toDate"),
        scheduled_from=bounds.get("scheduledFrom"),
        scheduled_to=bounds.get("scheduledTo"),
        updated_since=bounds.get("updatedSince"),
        now=datetime.now(UTC),
    )


def _public_ids(text: str) -> tuple[str, ...]:
    """Return what platforms may call the post that an id or the address of its page names. Raises ValueError."""
    if len(text) > LONGEST_ADDRESS:
        raise ValueError(f"must have at most {LONGEST_ADDRESS:,} characters")
    ids = {platform.rules.post_id.read(text) for platform in platforms().values()}
    return tuple(sorted({text} | {public_id for public_id in ids if public_id}))


def _statuses(names: Sequence[str], problems: list[Problem], where: str) -> Sequence[str]:
    known = [*PostStatus, *TARGET_STATUSES]
    for name in names:
        if name not in known:
            sentence = f"{where} must be one or more of {', '.join(known)}{did_you_mean(name, known)}"
            problems.append(Problem(sentence, "invalid_field_value", where))
            return ()
    return names


def parse_zone(text: str) -> tzinfo:
    """Return the time zone of this name. Raises ValueError."""
    try:
        return zone_named(text)
    except UnknownZone:
        raise ValueError(unknown_zone(text)) from None
